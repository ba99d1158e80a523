import { expect, test } from 'vitest';
import type { Words } from '../world-testing.ts';
import { viewOf } from '../world-testing.ts';
import { isPlaced, placedKey } from './target.ts';

const shared = { spec: { serviceName: 'shop' } };
/** Pools b and c of production are behind one Service. */
const BOTH: Words = { wants: 1, stages: { production: { pools: ['b', 'c'] } }, pools: { b: shared, c: shared } };

/** Whether each pool runs where the spec names, after its pools have changed. */
function placed(before: Words, after: Words): Record<string, boolean> {
  const [was, is] = [viewOf(before), viewOf(after)];
  const { deployments, pods, services } = was.observed;
  const seen = viewOf({ ...after, more: { deployments, pods, services } });
  expect(is.pools.length).toBeGreaterThan(0);
  return Object.fromEntries(seen.pools.filter(({ current }) => current).map((pool) => [pool.name, isPlaced(pool)]));
}

const ALONE: Words = { ...BOTH, stages: { production: { pools: ['b'] } } };
const OTHER_VMS: Words = { ...ALONE, pools: { b: { ...shared, vms: 'other' } } };

test.each<[what: string, before: Words, after: Words, expected: Record<string, boolean>]>([
  ['a pool stays where it is when a pool behind its Service leaves', BOTH, ALONE, { a: true, b: true }],
  ['a pool stays where it is when a pool joins its Service', ALONE, BOTH, { a: true, b: true }],
  ['a pool moves when the spec names other VMs', ALONE, OTHER_VMS, { a: true, b: false }],
  [
    'a pool moves when the spec names other VMs and a pool behind its Service leaves',
    BOTH,
    OTHER_VMS,
    { a: true, b: false },
  ],
  [
    'all pools behind a Service move when the spec names other VMs for one',
    BOTH,
    { ...BOTH, pools: { b: { ...shared, vms: 'other' }, c: shared } },
    { a: true, b: false, c: false },
  ],
])('%s', (_what, before, after, expected) => {
  expect(placed(before, after)).toEqual(expected);
});

test('the key of VMs that a pool of before was on is not that of the pool that moves there', () => {
  const before = viewOf(BOTH);
  const { deployments, pods, services } = before.observed;
  const first = viewOf({ ...ALONE, pools: { b: { ...shared, vms: 'c' } }, more: { deployments, pods, services } });
  const b = first.pools.find(({ name }) => name === 'b');
  expect(b && [isPlaced(b), placedKey(b) === b.current?.key]).toEqual([false, false]);
});
