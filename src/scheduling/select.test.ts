// Which VMs belong to which pool.
import { expect, test } from 'vitest';
import { mayBelong, poolMembers, sharedMembers } from '../vmpool/members.ts';
import { POOL_LABELS, poolNodes, poolSelector } from './select.ts';
import { vm, vmPool } from './testing.ts';

const GKE = 'cloud.google.com/gke-nodepool';

test.each(POOL_LABELS)('a pool without a selector has the VMs whose label %s names it', (label) => {
  const nodes = [vm('a', { labels: { [label]: 'prod' } }), vm('b', { labels: { [label]: 'test' } }), vm('c')];
  expect(poolNodes(vmPool('prod'), nodes).map(({ metadata }) => metadata.name)).toEqual(['a']);
  expect(poolSelector(vmPool('prod'), nodes)).toEqual({ [label]: 'prod' });
});

test('a pool that no label names has no VM', () => {
  expect(poolSelector(vmPool('prod'), [vm('a', { labels: { pool: 'prod' } })])).toBeUndefined();
  expect(poolNodes(vmPool('prod'), [vm('a')])).toEqual([]);
});

test('a pool scaled to zero keeps its known label, until another label names the pool', () => {
  const pool = vmPool('prod', {}, { poolLabel: GKE });
  expect(poolSelector(pool, [])).toEqual({ [GKE]: 'prod' });
  const nodes = [vm('a', { labels: { 'karpenter.sh/nodepool': 'prod' } })];
  expect(poolSelector(pool, nodes)).toEqual({ 'karpenter.sh/nodepool': 'prod' });
});

test('a selector has priority over cloud labels, and all of it must match', () => {
  const pool = vmPool('prod', { nodeSelector: { a: '1', b: '2' } }, { poolLabel: GKE });
  const nodes = [
    vm('both', { labels: { a: '1', b: '2', c: '3' } }),
    vm('one', { labels: { a: '1' } }),
    vm('cloud', { labels: { [GKE]: 'prod' } }),
  ];
  expect(poolNodes(pool, nodes).map(({ metadata }) => metadata.name)).toEqual(['both']);
});

test('pools that match the same VMs are reported as overlapping', () => {
  const nodes = [1, 2, 3].map((number) => vm(`n${number}`, { labels: { app: 'a', n: `${Math.min(number, 2)}` } }));
  const pools = [
    vmPool('all', { nodeSelector: { app: 'a' } }),
    vmPool('some', { nodeSelector: { n: '2' } }),
    vmPool('none', { nodeSelector: { n: '9' } }),
  ];
  const members = poolMembers(pools, nodes);
  expect(sharedMembers('all', members)).toEqual([{ pool: 'some', nodes: 2 }]);
  expect(sharedMembers('some', members)).toEqual([{ pool: 'all', nodes: 2 }]);
  expect(sharedMembers('none', members)).toEqual([]);
});

test('a VM with the label of another cloud is recognized', () => {
  const node = vm('a', { labels: { 'karpenter.sh/nodepool': 'prod' } });
  expect(mayBelong(vmPool('prod', {}, { poolLabel: GKE }), node)).toBe(true);
  expect(mayBelong(vmPool('test'), node)).toBe(false);
  expect(mayBelong(vmPool('prod', { nodeSelector: { a: '1' } }), node)).toBe(false);
});
