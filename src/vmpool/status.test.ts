// The status of a pool is computed from its VMs and their pods, and its numbers add up.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LABEL } from '../api/meta.ts';
import type { Tenants, VmPool, VmPoolStatus } from '../api/vm-pool.ts';
import { vmPoolStatus } from '../api/vm-pool.ts';
import { findCondition } from '../api/conditions.ts';
import { poolMembers } from './members.ts';
import type { Node, PlacedPod } from '../scheduling/objects.ts';
import { parseResources } from '../scheduling/quantity.ts';
import { hasTurned, poolStatus } from './status.ts';
import { nodeOf, placedPod, vm, vmPool } from '../scheduling/testing.ts';

const NOW = Date.parse('2026-01-01T12:00:00.123Z');
const GIB = 2 ** 30;
const labels = { pool: 'prod' };
const prod = vmPool('prod', { nodeSelector: labels });
const neighbours = { labelsOf: () => ({}), system: ['kube-system'] };

interface World {
  pool?: VmPool;
  others?: VmPool[];
  nodes?: Node[];
  pods?: PlacedPod[];
  now?: number;
}

function statusOf({ pool = prod, others = [], nodes = [], pods = [], now = NOW }: World): VmPoolStatus {
  const members = poolMembers([pool, ...others], nodes);
  const status = poolStatus(
    {
      pool,
      members,
      nodeOf: nodeOf(nodes),
      podsOn: (node) => pods.filter(({ nodeName }) => nodeName === node),
      neighbours,
    },
    now,
  );
  // The API server must accept every result.
  expect(vmPoolStatus.parse(status)).toEqual(status);
  return status;
}

function condition(status: VmPoolStatus, type: string) {
  const { status: is, reason, message } = findCondition(status.conditions, type) ?? {};
  return [is, reason, message];
}

function ofRelease(name: string, version: string, namespace = 'shop'): Partial<PlacedPod> {
  const metadata = { name: 'x', uid: 'x', resourceVersion: '1' };
  return { metadata: { ...metadata, namespace, labels: { [LABEL.release]: name, [LABEL.version]: version } } };
}

describe('numbers', () => {
  test('are those of the pool’s VMs and of the pods on them', () => {
    const nodes = [
      vm('a', { labels, allocatable: { cpu: 3920, memory: 15 * GIB, pods: 110 } }),
      vm('b', { labels, allocatable: { cpu: 3920, memory: 15 * GIB, pods: 110 } }),
      vm('other'),
    ];
    const pods = [
      placedPod('a', 'one', { requests: { cpu: 500, memory: 2 * GIB }, limits: { memory: 4 * GIB } }),
      placedPod('a', 'two', { requests: { cpu: 1000, memory: GIB, 'nvidia.com/gpu': 1 } }),
      placedPod('b', 'three'),
      placedPod('other', 'four', { requests: { cpu: 1000 } }),
    ];
    expect(statusOf({ nodes, pods })).toMatchObject({
      observedGeneration: 1,
      readyNodes: '2/2',
      pods: 3,
      capacity: { cpu: '8', memory: '32Gi', pods: '220' },
      allocatable: { cpu: '7840m', memory: '30Gi', pods: '220' },
      overhead: { cpu: '160m', memory: '2Gi', pods: '0' },
      requested: { cpu: '1500m', memory: '3Gi', pods: '3' },
      limits: { cpu: '0', memory: '4Gi' },
      waste: { cpu: '6340m', memory: '27Gi', pods: '217' },
      density: { podsPerNode: '1.5', podsPerGiB: '1' },
      cpuRequested: '19%',
      memoryRequested: '10%',
    });
  });

  test('add up, whatever the VMs and the pods', () => {
    const amounts = fc.record({ cpu: fc.nat(200_000), memory: fc.nat(2 ** 42), pods: fc.nat(1000) });
    const anyNode = fc.record({
      capacity: amounts,
      allocatable: amounts,
      ready: fc.boolean(),
      unschedulable: fc.boolean(),
      isOurs: fc.boolean(),
      zone: fc.constantFrom('a', 'b', undefined),
    });
    const anyPod = fc.record({ node: fc.nat(9), requests: amounts, limits: amounts });
    fc.assert(
      fc.property(fc.array(anyNode, { maxLength: 10 }), fc.array(anyPod, { maxLength: 30 }), (vms, placed) => {
        const nodes = vms.map(({ isOurs, zone, ...node }, index) => {
          const zoned: Record<string, string> = zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone };
          return vm(`n${index}`, { ...node, labels: { ...zoned, ...(isOurs && labels) } });
        });
        const pods = placed.map(({ node, ...pod }, index) => placedPod(`n${node}`, `p${index}`, pod));
        const status = statusOf({ nodes, pods });
        const read = (list: object | undefined) => parseResources(list as Record<string, string>);
        const [capacity, allocatable, requested] = [status.capacity, status.allocatable, status.requested].map(read);
        for (const name of ['cpu', 'memory', 'pods']) {
          const left = allocatable?.[name] ?? 0;
          expect(read(status.overhead)[name]).toBe((capacity?.[name] ?? 0) - left);
          expect(read(status.waste)[name]).toBe(left - (requested?.[name] ?? 0));
        }
        expect(requested?.pods).toBe(status.pods);
        const { total, ready, draining, notReady, zones = [] } = status.nodes ?? {};
        expect((ready ?? 0) + (draining ?? 0) + (notReady ?? 0)).toBe(total);
        expect(zones.reduce((sum, zone) => sum + zone.total, 0)).toBe(total);
        expect(zones.reduce((sum, zone) => sum + zone.ready, 0)).toBe(ready);
        expect(status.kernels?.reduce((sum, kernel) => sum + kernel.nodes, 0)).toBe(total);
      }),
    );
  });

  test('of pods are absent if not all pods are known', () => {
    const nodes = [vm('a', { labels })];
    const pool = vmPool('prod', { nodeSelector: labels, tenants: { namespaces: [] } });
    const status = poolStatus({ pool, members: poolMembers([pool], nodes), nodeOf: nodeOf(nodes), neighbours }, NOW);
    expect(condition(status, 'Trespassed').slice(0, 2)).toEqual(['Unknown', 'PodsUnknown']);
    const ofPods = ['pods', 'requested', 'limits', 'waste', 'density', 'releases', 'cpuRequested', 'memoryRequested'];
    for (const field of ofPods) expect(status).not.toHaveProperty(field);
    expect(status).toMatchObject({ readyNodes: '1/1', allocatable: { cpu: '4' } });
  });

  test('of an empty pool are zero, without a division by zero', () => {
    const status = statusOf({});
    expect(status).toMatchObject({ readyNodes: '0/0', pods: 0, capacity: { cpu: '0', memory: '0', pods: '0' } });
    for (const field of ['density', 'cpuRequested', 'os', 'kubelet']) expect(status).not.toHaveProperty(field);
  });
});

describe('the VMs', () => {
  test('are each ready, draining or neither, in their zones', () => {
    const zone = (name: string) => ({ ...labels, 'topology.kubernetes.io/zone': name });
    const nodes = [
      vm('a', { labels: zone('west') }),
      vm('b', { labels: zone('east'), unschedulable: true, ready: false }),
      vm('c', { labels: zone('east'), ready: false }),
      vm('d', { labels }),
    ];
    expect(statusOf({ nodes }).nodes).toEqual({
      total: 4,
      ready: 2,
      draining: 1,
      notReady: 1,
      zones: [
        { name: '', total: 1, ready: 1 },
        { name: 'east', total: 2, ready: 0 },
        { name: 'west', total: 1, ready: 1 },
      ],
    });
  });

  test('are counted by version, the most frequent first', () => {
    const trixie = { osImage: 'Debian GNU/Linux 13 (trixie)', kernelVersion: '6.12.1', kubeletVersion: 'v1.36.4' };
    const nodes = [
      vm('a', { labels, info: { ...trixie, architecture: 'arm64' } }),
      vm('b', { labels }),
      vm('c', { labels }),
      vm('d', { labels, info: { osImage: '', kernelVersion: '', kubeletVersion: '', architecture: '' } }),
    ];
    expect(statusOf({ nodes })).toMatchObject({
      osImages: [
        { name: 'Debian GNU/Linux 12 (bookworm)', nodes: 2 },
        { name: 'Debian GNU/Linux 13 (trixie)', nodes: 1 },
      ],
      kernels: [
        { name: '6.1.0-37-cloud-amd64', nodes: 2 },
        { name: '6.12.1', nodes: 1 },
      ],
      containerRuntimes: [{ name: 'containerd://2.2.1', nodes: 4 }],
      architectures: [
        { name: 'amd64', nodes: 2 },
        { name: 'arm64', nodes: 1 },
      ],
      os: 'Debian GNU/Linux 12 (bookworm) +1',
      kernel: '6.1.0-37-cloud-amd64 +1',
      kubelet: 'v1.36.3 +1',
    });
  });

  test('lists have a limited length in a pool of any size', () => {
    const nodes = Array.from({ length: 200 }, (_, index) => {
      const zoned = { ...labels, 'topology.kubernetes.io/zone': `zone-${index}` };
      return vm(`n${index}`, { labels: zoned, info: { kernelVersion: `6.${index}`, bootID: `boot-${index}` } });
    });
    const pods = nodes.map((node, index) => placedPod(node.metadata.name, 'x', ofRelease(`r${index}`, '1')));
    const status = statusOf({ nodes, pods });
    expect([status.kernels, status.nodes?.zones, status.releases].map((list) => list?.length)).toEqual([16, 32, 128]);
    expect(JSON.stringify(status).length).toBeLessThan(20_000);
  });

  test('the status keeps when a boot was first seen, and a new boot starts a new time', () => {
    const nodes = (...boots: string[]) => boots.map((bootID, index) => vm(`n${index}`, { labels, info: { bootID } }));
    const first = statusOf({ nodes: nodes('1', '1', '') });
    expect(first.oldestBoots).toEqual([
      { node: 'n0', bootID: '1', seenAt: '2026-01-01T12:00:00Z' },
      { node: 'n1', bootID: '1', seenAt: '2026-01-01T12:00:00Z' },
    ]);
    const later = { pool: { ...prod, status: first }, now: NOW + 60_000 };
    expect(statusOf({ ...later, nodes: nodes('1', '1') }).oldestBoots).toEqual(first.oldestBoots);
    expect(statusOf({ ...later, nodes: nodes('2', '1') }).oldestBoots).toEqual([
      { node: 'n1', bootID: '1', seenAt: '2026-01-01T12:00:00Z' },
      { node: 'n0', bootID: '2', seenAt: '2026-01-01T12:01:00Z' },
    ]);
  });
});

describe('the releases on the VMs', () => {
  test('are listed by release and version', () => {
    const pods = [
      placedPod('a', '1', ofRelease('web', '1.1')),
      placedPod('a', '2', ofRelease('web', '1.0')),
      placedPod('a', '3', ofRelease('web', '1.0')),
      placedPod('a', '4', ofRelease('web', '2', 'bank')),
      placedPod('a', '5'),
    ];
    expect(statusOf({ nodes: [vm('a', { labels })], pods }).releases).toEqual([
      { namespace: 'bank', name: 'web', versions: ['2'], pods: 1 },
      { namespace: 'shop', name: 'web', versions: ['1.0', '1.1'], pods: 3 },
    ]);
  });

  test.each<[Tenants | undefined, string]>([
    [undefined, 'everybody'],
    [{ namespaces: ['shop', 'bank'] }, 'shop,bank'],
    [{ namespaceSelector: { matchLabels: { team: 'a' } } }, 'selected'],
    [{ namespaces: ['shop'], namespaceSelector: {} }, 'shop,selected'],
    [{ namespaces: [] }, 'nobody'],
    [{ namespaces: ['a', 'b', 'c', 'd', 'e', 'f'] }, 'a,b,c,d,+2'],
  ])('tenants %j are %s', (tenants, text) => {
    expect(statusOf({ pool: vmPool('prod', { ...(tenants && { tenants }) }) }).tenants).toBe(text);
  });
});

describe('the label of a cloud', () => {
  const key = 'karpenter.sh/nodepool';

  test('is kept when the pool is scaled to zero, and named in the message', () => {
    const pool = vmPool('prod');
    const found = statusOf({ pool, nodes: [vm('a', { labels: { [key]: 'prod' } })] });
    expect(found.poolLabel).toBe(key);
    const empty = statusOf({ pool: { ...pool, status: found } });
    expect(empty.poolLabel).toBe(key);
    expect(condition(empty, 'Empty')).toEqual(['True', 'NoNodes', 'no VM has karpenter.sh/nodepool=prod']);
  });

  test('is absent with a selector, or if none is found', () => {
    expect(statusOf({ nodes: [vm('a', { labels })] })).not.toHaveProperty('poolLabel');
    const unknown = statusOf({ pool: vmPool('prod') });
    expect(unknown).not.toHaveProperty('poolLabel');
    expect(condition(unknown, 'Empty')[2]).toBe(
      'no VM has a cloud label that names the pool prod: set spec.nodeSelector',
    );
  });
});

describe('conditions', () => {
  test('of a healthy pool', () => {
    const status = statusOf({ nodes: [vm('a', { labels }), vm('b', { labels })] });
    expect(status.conditions?.map(({ type, status: is, reason }) => [type, is, reason])).toEqual([
      ['Ready', 'True', 'NodesReady'],
      ['Draining', 'False', 'NotDraining'],
      ['Skewed', 'False', 'NotSkewed'],
      ['Overlapping', 'False', 'NotOverlapping'],
      ['Empty', 'False', 'NotEmpty'],
      ['Trespassed', 'False', 'NoForeignPods'],
      ['Evacuated', 'False', 'NotInMaintenance'],
    ]);
    expect(status.conditions?.every(({ observedGeneration }) => observedGeneration === 1)).toBe(true);
  });

  test('of a pool without VMs', () => {
    const status = statusOf({});
    expect(condition(status, 'Ready')).toEqual(['False', 'NoNodes', 'no VM has pool=prod']);
    expect(condition(status, 'Empty')).toEqual(['True', 'NoNodes', 'no VM has pool=prod']);
  });

  test('name the VMs that are not ready or draining, a few of them', () => {
    const down = Array.from({ length: 7 }, (_, index) => vm(`n${index}`, { labels, ready: false }));
    const status = statusOf({ nodes: [...down, vm('a', { labels }), vm('b', { labels, unschedulable: true })] });
    expect(condition(status, 'Ready')).toEqual([
      'False',
      'NodesNotReady',
      '1 of 9 VMs are ready for pods; not ready: b (draining), n0, n1, n2, n3 and 3 more',
    ]);
    expect(condition(status, 'Draining')).toEqual(['True', 'NodesDraining', 'cordoned or being removed: b']);
  });

  test('name the differences of the VMs', () => {
    const info = { kernelVersion: '6.12.1', kubeletVersion: 'v1.36.4' };
    const status = statusOf({ nodes: [vm('a', { labels }), vm('b', { labels }), vm('c', { labels, info })] });
    expect(condition(status, 'Skewed')).toEqual([
      'True',
      'VersionsDiffer',
      'kernels: 6.1.0-37-cloud-amd64 on 2, 6.12.1 on 1; kubelets: v1.36.3 on 2, v1.36.4 on 1',
    ]);
  });

  test('name the differences of VMs of one architecture', () => {
    const arm = { architecture: 'arm64', kernelVersion: '6.1.0-37-cloud-arm64' };
    const nodes = [vm('a', { labels }), vm('b', { labels, info: arm })];
    expect(condition(statusOf({ nodes }), 'Skewed').slice(0, 2)).toEqual(['False', 'NotSkewed']);
    const patched = vm('c', { labels, info: { ...arm, kernelVersion: '6.12.1' } });
    expect(condition(statusOf({ nodes: [...nodes, patched] }), 'Skewed')).toEqual([
      'True',
      'VersionsDiffer',
      'kernels of linux/arm64: 6.1.0-37-cloud-arm64 on 1, 6.12.1 on 1',
    ]);
  });

  test('report shared VMs for both pools', () => {
    const nodes = [vm('a', { labels: { ...labels, app: 'x' } }), vm('b', { labels: { ...labels, app: 'x' } })];
    const other = vmPool('apps', { nodeSelector: { app: 'x' } });
    expect(condition(statusOf({ nodes, others: [other] }), 'Overlapping')).toEqual([
      'True',
      'SharedNodes',
      'shared with apps (2 VMs)',
    ]);
    expect(condition(statusOf({ pool: other, nodes: nodes.slice(1), others: [prod] }), 'Overlapping')).toEqual([
      'True',
      'SharedNodes',
      'shared with prod (1 VM)',
    ]);
  });

  test('keep the time of their last transition', () => {
    const nodes = [vm('a', { labels })];
    const first = statusOf({ nodes });
    const pool = { ...prod, status: first };
    const later = statusOf({ pool, nodes: [vm('a', { labels, ready: false })], now: NOW + 60_000 });
    const times = later.conditions?.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]);
    expect(Object.fromEntries(times ?? [])).toMatchObject({
      Ready: '2026-01-01T12:01:00Z',
      Draining: '2026-01-01T12:00:00Z',
    });
  });
});

describe('changes that must be written at once', () => {
  const nodes = [vm('a', { labels }), vm('b', { labels })];
  const before = statusOf({ nodes });
  const pool = { ...prod, status: before };

  test.each<[string, boolean, World]>([
    ['the same', false, { nodes }],
    ['pods', false, { nodes, pods: [placedPod('a', 'x', { requests: { cpu: 4000 } })] }],
    ['a count of VMs', true, { nodes: [...nodes, vm('c', { labels })] }],
    ['a drain', true, { nodes: [...nodes.slice(1), vm('a', { labels, unschedulable: true })] }],
    ['a kernel that differs', true, { nodes: [...nodes.slice(1), vm('a', { labels, info: { kernelVersion: '7' } })] }],
    ['another spec', true, { pool: { ...pool, metadata: { ...pool.metadata, generation: 2 } }, nodes }],
  ])('%s: %s', (_what, expected, world) => {
    expect(hasTurned(before, statusOf({ pool, ...world }))).toBe(expected);
  });

  test('an erased status', () => {
    expect(hasTurned(undefined, before)).toBe(true);
  });
});

describe('pods of namespaces that are no tenants', () => {
  const pod = (namespace: string, name: string, node = 'a') =>
    placedPod(node, name, { metadata: { name, namespace, uid: name, resourceVersion: '1' } });

  test.each<[what: string, tenants: Tenants | undefined, pods: PlacedPod[], expected: unknown[]]>([
    ['every namespace is a tenant', undefined, [pod('bank', 'x')], ['False', 'NoForeignPods']],
    [
      'all pods are of tenants or of the system',
      { namespaces: ['shop'] },
      [pod('shop', 'x'), pod('kube-system', 'y')],
      ['False', 'NoForeignPods'],
    ],
    ['the pod runs on another VM', { namespaces: ['shop'] }, [pod('bank', 'x', 'other')], ['False', 'NoForeignPods']],
    [
      'some pods are of others',
      { namespaces: ['shop'] },
      [pod('shop', 'x'), pod('loans', 'z'), ...['6', '5', '4', '3', '2', '1'].map((name) => pod('bank', name))],
      [
        'True',
        'ForeignPods',
        'pods of namespaces that are no tenants run on the VMs: bank (6), loans (1); delete bank/1, bank/2, bank/3, bank/4, bank/5 and 2 more, or add the namespaces to spec.tenants of VMPool prod',
      ],
    ],
  ])('%s', (_what, tenants, pods, expected) => {
    const pool = vmPool('prod', { nodeSelector: labels, ...(tenants && { tenants }) });
    const status = statusOf({ pool, nodes: [vm('a', { labels }), vm('other')], pods });
    expect(condition(status, 'Trespassed').slice(0, expected.length)).toEqual(expected);
  });
});
