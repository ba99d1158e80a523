// Which VMs are open, which are draining, and which differ from the others of their pool.
import { expect, test } from 'vitest';
import { drainingSince, isDraining, isOpen, skewsOf } from './nodes.ts';
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

const CORDON = { key: 'node.kubernetes.io/unschedulable', ...NO_SCHEDULE };
const AT = '2026-01-01T10:00:00Z';
const LATER = '2026-01-01T11:00:00Z';
const cordonedAt = { ...CORDON, timeAdded: AT };

test.each([
  ['the taint of a cordon', vm('a', { unschedulable: true, taints: [cordonedAt], markedAt: LATER }), AT],
  ['the last write of a cordon without a taint', vm('a', { unschedulable: true, markedAt: AT }), AT],
  [
    'the value of the autoscaler’s taint',
    vm('a', { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', value: `${Date.parse(AT) / 1000}`, ...NO_SCHEDULE }] }),
    AT,
  ],
  [
    'the last write of a taint without a time',
    vm('a', { taints: [{ key: 'karpenter.sh/disrupted', ...NO_SCHEDULE }], markedAt: AT }),
    AT,
  ],
  ['the deletion of the node', vm('a', { deletionTimestamp: AT }), AT],
  [
    'the last mark of several',
    vm('a', { taints: [cordonedAt, { key: 'karpenter.sh/disrupted', ...NO_SCHEDULE, timeAdded: LATER }] }),
    LATER,
  ],
  [
    'the last write of the marks, if the clock that set the mark was ahead',
    vm('a', { taints: [{ key: 'karpenter.sh/disrupted', ...NO_SCHEDULE, timeAdded: LATER }], markedAt: AT }),
    AT,
  ],
])('a VM is draining since %s', (_what, node, since) => {
  expect(drainingSince(node)).toBe(Date.parse(since));
});

test('a drain without a time is an old one', () => {
  const taints = [{ key: 'ToBeDeletedByClusterAutoscaler', value: 'soon', ...NO_SCHEDULE }];
  expect(drainingSince(vm('a', { unschedulable: true, taints }))).toBe(0);
});

const arm = { architecture: 'arm64', kernelVersion: '6.1.0-37-cloud-arm64', osImage: 'Debian for arm64' };

test.each([
  ['osImage', 'Debian GNU/Linux 13 (trixie)', 'linux/amd64'],
  ['kernelVersion', '6.12.1', 'linux/amd64'],
  ['kubeletVersion', 'v1.36.4', undefined],
] as const)('another %s makes a pool skewed', (field, value, platform) => {
  const nodes = [vm('a'), vm('b', { info: { [field]: value } })];
  expect(skewsOf(nodes)).toEqual([{ field, nodes, ...(platform !== undefined && { platform }) }]);
});

test.each([
  ['a VM that has not reported', [vm('b', { info: { osImage: '', kernelVersion: '', kubeletVersion: '' } })]],
  ['VMs of another architecture', [vm('b', { info: arm }), vm('c', { info: arm })]],
  ['a VM with another operating system', [vm('b', { info: { operatingSystem: 'windows', kernelVersion: '10.0' } })]],
])('a uniform pool is not skewed by %s', (_what, others) => {
  expect(skewsOf([vm('a'), vm('a2'), ...others])).toEqual([]);
});

test('VMs of another architecture are compared with each other', () => {
  const [old, patched] = [vm('b', { info: arm }), vm('c', { info: { ...arm, kernelVersion: '6.12.1' } })];
  expect(skewsOf([vm('a'), old, patched])).toEqual([
    { field: 'kernelVersion', platform: 'linux/arm64', nodes: [old, patched] },
  ]);
});
