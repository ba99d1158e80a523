import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { vm, vmPool, placedPod } from '../pool/testing.ts';
import { release } from '../release/testing.ts';
import { createVmWaiters } from './vm-waiters.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function watch() {
  const woken: string[] = [];
  const waiters = createVmWaiters(
    (key) => woken.push(key),
    () => [release()],
  );
  return { woken, waiters };
}

it('wakes those that wait, once for many changes', () => {
  const { woken, waiters } = watch();
  waiters.note('shop/web', true);
  waiters.note('shop/other', false);
  for (let count = 0; count < 50; count += 1) waiters.onChange({ kind: 'Pod', object: placedPod('a', `pod-${count}`) });
  waiters.onChange({ kind: 'Node', object: vm('a') });
  expect(woken).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(woken).toEqual(['shop/web']);
});

it('wakes nobody where nobody waits, or waits no more', () => {
  const { woken, waiters } = watch();
  waiters.onChange({ kind: 'Node', object: vm('a') });
  waiters.note('shop/web', true);
  waiters.note('shop/web', false);
  waiters.onChange({ kind: 'Node', object: vm('a') });
  vi.advanceTimersByTime(10_000);
  expect(woken).toEqual([]);
});

it('tells a release at once of the pools that it names', () => {
  const { woken, waiters } = watch();
  waiters.onChange({ kind: 'VMPool', object: vmPool('a') });
  waiters.onChange({ kind: 'VMPool', object: vmPool('unheard-of') });
  waiters.onChange({ kind: 'VMPool', object: vmPool('a', {}, { pods: 3 }), old: vmPool('a') });
  expect(woken).toEqual(['shop/web']);
  waiters.onChange({
    kind: 'VMPool',
    object: vmPool('a', {}, { poolLabel: 'karpenter.sh/nodepool' }),
    old: vmPool('a'),
  });
  expect(woken).toEqual(['shop/web', 'shop/web']);
});

it('stops', () => {
  const { woken, waiters } = watch();
  waiters.note('shop/web', true);
  waiters.onChange({ kind: 'Node', object: vm('a') });
  waiters.stop();
  vi.advanceTimersByTime(10_000);
  expect(woken).toEqual([]);
});
