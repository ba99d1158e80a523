import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { AppRelease } from '../../api/app-release.ts';
import { vm, vmPool, placedPod } from '../../scheduling/testing.ts';
import { release } from '../../release/testing.ts';
import { createVmWaiters } from './enqueue-on-vm-change.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function watch(...releases: AppRelease[]) {
  const woken: string[] = [];
  const waiters = createVmWaiters(
    (key) => woken.push(key),
    () => (releases.length > 0 ? releases : [release()]),
    (name) => new Set(name === 'a' ? ['shop/web'] : []),
  );
  return { woken, waiters };
}

it('enqueues the releases that wait, once for many changes', () => {
  const { woken, waiters } = watch();
  waiters.note('shop/web', true);
  waiters.note('shop/other', false);
  for (let count = 0; count < 50; count += 1) waiters.onChange({ kind: 'Pod', object: placedPod('a', `pod-${count}`) });
  waiters.onChange({ kind: 'Node', object: vm('a') });
  expect(woken).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(woken).toEqual(['shop/web']);
});

it('enqueues no release that does not wait, or no longer waits', () => {
  const { woken, waiters } = watch();
  waiters.onChange({ kind: 'Node', object: vm('a') });
  waiters.note('shop/web', true);
  waiters.note('shop/web', false);
  waiters.onChange({ kind: 'Node', object: vm('a') });
  vi.advanceTimersByTime(10_000);
  expect(woken).toEqual([]);
});

it('enqueues a release at once when a VMPool that it names changes', () => {
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

/** A release whose pool is on VMs with the label pool=a. */
function telling(name: string, readiness: 'Warm' | 'Cached' | 'Cold'): AppRelease {
  const { metadata, spec, ...rest } = release();
  const [stage] = spec.stages;
  const pools = [{ name: 'a', replicas: 1, nodeSelector: { pool: 'a' } }];
  const told = [{ name: 'a', stage: 'all', replicas: 1, readyReplicas: 1, rollback: { readiness } }];
  return {
    ...rest,
    metadata: { ...metadata, name },
    spec: { ...spec, stages: stage ? [{ ...stage, pools }] : [] },
    status: { conditions: [], pools: told },
  };
}

it('enqueues releases that report rollback readiness when one of their VMs has other images', () => {
  const { woken, waiters } = watch(telling('cached', 'Cached'), telling('warm', 'Warm'));
  const labels = { pool: 'a' };
  const before = vm('a', { images: ['web@sha256:1'], labels });
  waiters.onChange({ kind: 'Node', object: vm('a', { images: ['web@sha256:1'], labels }), old: before });
  const elsewhere = vm('b', { labels: { pool: 'b' } });
  waiters.onChange({ kind: 'Node', object: elsewhere });
  vi.advanceTimersByTime(10_000);
  expect(woken).toEqual([]);
  for (let count = 0; count < 5; count += 1) {
    waiters.onChange({ kind: 'Node', object: vm('a', { images: [], labels }), old: before });
  }
  vi.advanceTimersByTime(10_000);
  expect(woken).toEqual(['shop/cached']);
  // The VM is cordoned.
  waiters.onChange({ kind: 'Node', object: vm('a', { images: [], labels, unschedulable: true }), old: before });
  vi.advanceTimersByTime(10_000);
  expect(woken).toEqual(['shop/cached', 'shop/cached']);
});

it('enqueues no release after its stop', () => {
  const { woken, waiters } = watch(telling('cached', 'Cached'));
  waiters.note('shop/web', true);
  waiters.onChange({ kind: 'Node', object: vm('a') });
  waiters.stop();
  vi.advanceTimersByTime(10_000);
  expect(woken).toEqual([]);
});

it('enqueues at once the releases with pods on a VM whose labels change', () => {
  const { woken, waiters } = watch();
  waiters.onChange({
    kind: 'Node',
    object: vm('a', { labels: { pool: 'b' } }),
    old: vm('a', { labels: { pool: 'a' } }),
  });
  waiters.onChange({
    kind: 'Node',
    object: vm('b', { labels: { pool: 'b' } }),
    old: vm('b', { labels: { pool: 'a' } }),
  });
  waiters.onChange({ kind: 'Node', object: vm('a', { ready: false }), old: vm('a') });
  expect(woken).toEqual(['shop/web']);
});
