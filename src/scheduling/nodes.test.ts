// Which VMs are open, which are draining, and which differ from the others of their pool.
import { expect, test } from 'vitest';
import { isDraining, isOpen, isSkewed } from './nodes.ts';
import { vm } from './testing.ts';

const NO_SCHEDULE = { effect: 'NoSchedule' };

test.each([
  ['cordoned', vm('a', { unschedulable: true })],
  ['being deleted', vm('a', { deletionTimestamp: '2026-01-01T00:00:00Z' })],
  ['tainted as cordoned', vm('a', { taints: [{ key: 'node.kubernetes.io/unschedulable', ...NO_SCHEDULE }] })],
  ['taken by Karpenter', vm('a', { taints: [{ key: 'karpenter.sh/disrupted', ...NO_SCHEDULE }] })],
  ['taken by an older Karpenter', vm('a', { taints: [{ key: 'karpenter.sh/disruption', ...NO_SCHEDULE }] })],
  ['taken by the autoscaler', vm('a', { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', ...NO_SCHEDULE }] })],
])('a VM that is %s is draining and not open', (_what, node) => {
  expect([isDraining(node), isOpen(node)]).toEqual([true, false]);
});

test('a pool’s own taint, or a silent kubelet, is no drain', () => {
  const taints = [{ key: 'example.com/pool', value: 'a', effect: 'NoSchedule' }];
  expect([isDraining(vm('a', { taints })), isOpen(vm('a', { taints }))]).toEqual([false, true]);
  expect([isDraining(vm('a', { ready: false })), isOpen(vm('a', { ready: false }))]).toEqual([false, false]);
});

test.each([
  ['osImage', 'Debian GNU/Linux 13 (trixie)'],
  ['kernelVersion', '6.12.1'],
  ['kubeletVersion', 'v1.36.4'],
] as const)('another %s makes a pool skewed', (field, value) => {
  expect(isSkewed([vm('a'), vm('b', { info: { [field]: value } })])).toBe(true);
});

test('a uniform pool is not skewed, also with a VM that has not reported', () => {
  const silent = { osImage: '', kernelVersion: '', kubeletVersion: '' };
  expect(isSkewed([vm('a'), vm('b'), vm('c', { info: silent })])).toBe(false);
  expect(isSkewed([])).toBe(false);
});
