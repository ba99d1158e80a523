import { expect, test } from 'vitest';
import { vm } from '../../scheduling/testing.ts';
import type { Observed } from '../state/observed.ts';
import { rollout } from '../testing.ts';
import type { Words } from '../world-testing.ts';
import { world } from '../world-testing.ts';
import { podsOnLeftVms } from './left-vms.ts';
import { placedAsWanted } from './moves.ts';

/** The VM that all pods run on has these labels. */
function onVm(labels: Record<string, string>, words: Words = {}, more: Partial<Observed> = {}) {
  return rollout({
    ...world({ wants: 1, pools: { b: { serves: 0 } }, ...words }),
    vms: [vm('node', { labels })],
    ...more,
  });
}

test.each<[what: string, labels: Record<string, string>, told: boolean, words?: Words]>([
  ['has the labels of the pool', { pool: 'a', more: 'x' }, false],
  ['has another label now', { pool: 'other' }, true],
  ['has the label no more', {}, true],
  [
    'has the labels that its pods were placed by, and the spec names others',
    { pool: 'before' },
    false,
    { pools: { a: { on: 'before' }, b: { serves: 0 } } },
  ],
])('of pods on a VM that %s', (_what, labels, told, words) => {
  expect(podsOnLeftVms(onVm(labels, words)) !== undefined).toBe(told);
});

test('tells the pod, the VM and the labels in Placed', () => {
  expect(placedAsWanted(onVm({ pool: 'other' }))).toMatchObject({
    status: 'False',
    reason: 'VMLeftPool',
    message:
      'pool a: pod web-a-1-0 (and 1 more pods) runs on VM node, which no longer has the labels of the pool (pool=a). The pod runs on: drain the VM, or label it again',
  });
});

test('tells of no VM that the cache does not have', () => {
  expect(podsOnLeftVms(onVm({}, {}, { vms: [] }))).toBeUndefined();
});
