// Only tenants of a pool get onto its VMs. The API server enforces it, without an operator.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { POOL_LABELS } from '../../src/scheduling/select.ts';
import type { Fields, Manifest, Request, TenantsWorld } from './tenants-world.ts';
import {
  appRelease,
  change,
  createTenantsWorld,
  EVERY_TAINT,
  MERGE,
  pinned,
  pod,
  podsPath,
  POOL,
  preferred,
  refusal,
  releasesOf,
  required,
  taintOf,
  tryPod,
  workload,
  workloadsOf,
} from './tenants-world.ts';

let world: TenantsWorld;

const nodeOf = (pool: string) => ({ [POOL]: pool, 'kubernetes.io/os': 'linux' });
const CLOUD_LABEL = 'eks.amazonaws.com/nodegroup';
const OPERATOR = 'system:serviceaccount:apprelease-system:apprelease-operator';
const DAEMON_SETS = 'system:serviceaccount:kube-system:daemon-set-controller';

function binding(name: string, node: string): Manifest {
  return { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target: { kind: 'Node', name: node } };
}

/** A request for an existing pod. */
function update(name: string, fields: Fields): Request {
  return change(`${podsPath('bank')}/${name}`, { spec: fields });
}

async function expectRefusal(request: Request, pool: string, namespace: string): Promise<void> {
  const { status, message } = await world.ask({ ...request, body: await withTolerationsOfBefore(request) });
  expect(message).toMatch(refusal(pool, namespace));
  expect(status).toBe(403);
}

beforeAll(async () => {
  world = await createTenantsWorld({ shop: {}, bank: { team: 'bank' }, payments: { team: 'pay', tier: 'gold' } });
  await world.pools({
    'prod-a': { nodeSelector: nodeOf('prod-a'), tolerations: [taintOf('prod-a')], tenants: { namespaces: ['shop'] } },
    'prod-c': { nodeSelector: nodeOf('prod-c'), tolerations: [taintOf('prod-c')] },
  });
  const gated = { schedulingGates: [{ name: 'example.com/wait' }] };
  await world.create(podsPath('bank'), pod({}, { name: 'running' }));
  await world.create(podsPath('bank'), pod(gated, { name: 'gated' }));
  await world.create(podsPath('bank'), pod({ schedulerName: 'mine' }, { name: 'unplaced' }));
  await world.create(releasesOf('bank'), appRelease(['prod-c']));
  // Its node selector and tolerations are added to pods that name it.
  const runtime = { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', handler: 'runc' };
  const scheduling = { nodeSelector: { [POOL]: 'prod-a' }, tolerations: [taintOf('prod-a')] };
  await world.create('/apis/node.k8s.io/v1/runtimeclasses', { ...runtime, metadata: { name: 'prod-a' }, scheduling });
}, 300_000);

afterAll(() => world.close());

const byLabel = (key: string, operator: string, ...values: string[]) => ({
  key,
  operator,
  ...(values.length > 0 && { values }),
});

test('the API server finds nothing wrong with the policies', async () => {
  await vi.waitFor(async () => {
    const { items } = JSON.parse(await world.kubectl('get', 'validatingadmissionpolicies', '--output=json')) as {
      items: { metadata: { name: string }; status?: { typeChecking?: object } }[];
    };
    expect(items).not.toEqual([]);
    expect(items.map(({ metadata: { name }, status }) => [name, status?.typeChecking])).toEqual(
      items.map(({ metadata: { name } }) => [name, {}]),
    );
  }, 20_000);
});

describe('a pod of another namespace is refused', () => {
  const ownedByDaemonSet = {
    name: 'guest',
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'd-1', controller: true }],
  };
  const mirror = { name: 'guest', annotations: { 'kubernetes.io/config.mirror': 'x' } };

  test.each<[string, Fields]>([
    ['nodeSelector', { nodeSelector: { [POOL]: 'prod-a' } }],
    [
      'nodeSelector among other labels',
      { nodeSelector: { disk: 'ssd', [POOL]: 'prod-a', 'kubernetes.io/os': 'linux' } },
    ],
    ['node affinity: In', required([byLabel(POOL, 'In', 'prod-a')])],
    ['node affinity: In, among other values', required([byLabel(POOL, 'In', 'general', 'prod-c', 'prod-a')])],
    ['node affinity: Exists', required([byLabel(POOL, 'Exists')])],
    ['node affinity: Gt', required([byLabel(POOL, 'Gt', '0')])],
    ['node affinity: one term of several', required([byLabel('disk', 'In', 'ssd')], [byLabel(POOL, 'In', 'prod-a')])],
    [
      'node affinity: a term beside one that keeps off',
      required([byLabel(POOL, 'NotIn', 'prod-a')], [byLabel('disk', 'Exists'), byLabel(POOL, 'In', 'prod-a')]),
    ],
    ['node affinity: preferred', preferred({ matchExpressions: [byLabel(POOL, 'In', 'prod-a')] })],
    ['node affinity by the name of a node', pinned('prod-a-0')],
    ['node affinity by names of nodes, the pool’s among them', pinned('general-0', 'prod-a-1')],
    [
      'node affinity by name: preferred',
      preferred({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['prod-a-0'] }] }),
    ],
    ['spec.nodeName', { nodeName: 'prod-a-0' }],
    ['spec.nodeName with a nodeSelector for other VMs', { nodeName: 'prod-a-0', nodeSelector: { [POOL]: 'general' } }],
    ['its toleration', { tolerations: [taintOf('prod-a')] }],
    ['a toleration of the key', { tolerations: [{ key: POOL, operator: 'Exists' }] }],
    [
      'a toleration of the key, with effect',
      { tolerations: [{ key: POOL, operator: 'Exists', effect: 'NoSchedule' }] },
    ],
    ['a toleration of the value, for every effect', { tolerations: [{ key: POOL, value: 'prod-a' }] }],
    ['a toleration of everything', { tolerations: [EVERY_TAINT] }],
    ['a toleration of everything, with effect', { tolerations: [{ operator: 'Exists', effect: 'NoSchedule' }] }],
    [
      'a toleration among a hundred others',
      { tolerations: [...Array.from({ length: 100 }, (_, n) => ({ key: `k${n}`, value: 'v' })), taintOf('prod-a')] },
    ],
    [
      'the host name of a VM, with its toleration',
      { nodeSelector: { 'kubernetes.io/hostname': 'prod-a-0' }, tolerations: [taintOf('prod-a')] },
    ],
    [
      'a toleration, with a nodeSelector that says nothing',
      { nodeSelector: { disk: 'ssd' }, tolerations: [EVERY_TAINT] },
    ],
    ['affinity to the tenant’s pods, with its toleration', { ...near('shop'), tolerations: [taintOf('prod-a')] }],
    ['a RuntimeClass that selects and tolerates', { runtimeClassName: 'prod-a' }],
    ['a gate, to be opened later', { schedulingGates: [{ name: 'x.example/y' }], tolerations: [taintOf('prod-a')] }],
    ['a scheduler of its own', { schedulerName: 'mine', tolerations: [taintOf('prod-a')] }],
  ])('%s', async (_way, spec) => {
    await expectRefusal(tryPod('bank', spec), 'prod-a', 'bank');
  });

  test.each<[string, Request]>([
    ['an owner that is forged', tryPod('bank', pinned('prod-a-0'), ownedByDaemonSet)],
    ['the looks of a static pod', tryPod('bank', { nodeName: 'prod-a-0' }, mirror)],
    [
      'another VM’s kubelet',
      {
        ...tryPod('bank', { nodeName: 'prod-a-0', automountServiceAccountToken: false }, mirror),
        user: 'system:node:general-0',
      },
    ],
    [
      'a controller of DaemonSets, but for tolerations',
      {
        ...tryPod('bank', { ...pinned('prod-a-0'), tolerations: [taintOf('prod-a')] }, ownedByDaemonSet),
        user: DAEMON_SETS,
      },
    ],
    [
      'the operator, but for pins',
      { ...tryPod('bank', { ...pinned('prod-a-0'), tolerations: [taintOf('prod-a')] }), user: OPERATOR },
    ],
    ['an update: a toleration', update('running', { tolerations: [taintOf('prod-a')] })],
    ['an update: everything tolerated', update('running', { tolerations: [EVERY_TAINT] })],
    [
      'an update by apply',
      {
        method: 'PATCH',
        path: `${podsPath('bank')}/applied?fieldManager=mallory&force=true`,
        type: 'application/apply-patch+yaml',
        body: pod({ tolerations: [taintOf('prod-a')] }, { name: 'applied' }),
      },
    ],
    ['an update behind a gate: nodeSelector', update('gated', { nodeSelector: { [POOL]: 'prod-a' } })],
    ['an update behind a gate: affinity', update('gated', required([byLabel(POOL, 'In', 'prod-a')]))],
    ['an update behind a gate: a name', update('gated', pinned('prod-a-0'))],
    [
      'a binding',
      { method: 'POST', path: `${podsPath('bank')}/unplaced/binding`, body: binding('unplaced', 'prod-a-0') },
    ],
    [
      'a binding, as it once was',
      { method: 'POST', path: '/api/v1/namespaces/bank/bindings', body: binding('unplaced', 'prod-a-0') },
    ],
    [
      'a DaemonSet, whose affinity its pods lose',
      {
        method: 'POST',
        path: workloadsOf('bank', 'DaemonSet'),
        body: workload('DaemonSet', 'd', required([byLabel(POOL, 'In', 'prod-a')])),
      },
    ],
    [
      'a DaemonSet that keeps off by affinity, which its pods lose',
      {
        method: 'POST',
        path: workloadsOf('bank', 'DaemonSet'),
        body: workload('DaemonSet', 'd', {
          ...required([byLabel(POOL, 'NotIn', 'prod-a')]),
          tolerations: [EVERY_TAINT],
        }),
      },
    ],
    ['an AppRelease', { method: 'POST', path: releasesOf('bank'), body: appRelease(['prod-c', 'prod-a'], 'x') }],
    [
      'an AppRelease with its labels under another name',
      {
        method: 'POST',
        path: releasesOf('bank'),
        body: appRelease([{ name: 'x', nodeSelector: nodeOf('prod-a') }], 'x'),
      },
    ],
    ['an AppRelease that comes to it', change(`${releasesOf('bank')}/web`, appRelease(['prod-c', 'prod-a']))],
  ])('%s', async (_way, request) => {
    await expectRefusal(request, 'prod-a', 'bank');
  });

  test('subresources move no pod', async () => {
    const path = `${podsPath('bank')}/running`;
    const tolerations = () =>
      world.kubectl('get', 'pod', 'running', '--namespace=bank', '--output=jsonpath={.spec.tolerations}');
    const before = await tolerations();
    const spec = { tolerations: [EVERY_TAINT], nodeName: 'prod-a-0' };
    const debug = { ephemeralContainers: [{ name: 'debug', image: 'registry.example.com/debug:1' }] };
    await world.ask(strategic(`${path}/ephemeralcontainers`, { spec: { ...spec, ...debug } }));
    await world.ask(strategic(`${path}/resize`, { spec }));
    await world.ask(strategic(`${path}/status`, { spec, status: { nominatedNodeName: 'prod-a-0' } }));
    expect(await tolerations()).toBe(before);
    expect((await world.nodesOf('bank', 'running')).filter((node) => !node.startsWith('general'))).toEqual([]);
  });
});

function strategic(path: string, body: object): Request {
  return { method: 'PATCH', path, body, type: 'application/strategic-merge-patch+json' };
}

/** Pod affinity to the pods of a namespace, by host. */
function near(namespace: string): Fields {
  const term = { topologyKey: 'kubernetes.io/hostname', namespaces: [namespace], labelSelector: {} };
  return { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
}

function onProdA(): Fields {
  return { nodeSelector: { [POOL]: 'prod-a' } };
}

describe('with further pools', () => {
  beforeAll(() =>
    world.pools({
      // Selected by the cloud's label, without a known taint.
      'prod-b': { tenants: { namespaceSelector: { matchLabels: { team: 'pay' } } } },
      'canary-vms': {
        nodeSelector: nodeOf('canary-vms'),
        tolerations: [taintOf('canary-vms')],
        tenants: { namespaces: [] },
      },
    }),
  );

  test.each(POOL_LABELS)('the cloud’s label %s', async (label) => {
    await expectRefusal(tryPod('bank', { nodeSelector: { [label]: 'prod-b' } }), 'prod-b', 'bank');
    const byAffinity = preferred({ matchExpressions: [byLabel(label, 'In', 'prod-b')] });
    await expectRefusal(tryPod('bank', byAffinity), 'prod-b', 'bank');
  });

  test.each<[string, string, string, Fields]>([
    ['which nobody may use', 'canary-vms', 'shop', { nodeSelector: { [POOL]: 'canary-vms' } }],
    ['whose taint is not told', 'prod-b', 'shop', { ...onProdA(), tolerations: [EVERY_TAINT] }],
    ['for other labels of namespaces', 'prod-b', 'bank', { nodeSelector: { [CLOUD_LABEL]: 'prod-b' } }],
    ['for labels of namespaces, where there are none', 'prod-b', 'shop', { nodeSelector: { [CLOUD_LABEL]: 'prod-b' } }],
  ])('a pool %s', async (_which, pool, namespace, spec) => {
    await expectRefusal(tryPod(namespace, spec), pool, namespace);
  });

  test('a pod that selects another pool of the cloud is admitted when the cloud label is known', async () => {
    const elsewhere = tryPod('shop', {
      nodeSelector: { [CLOUD_LABEL]: 'prod-z', [POOL]: 'prod-a' },
      tolerations: [EVERY_TAINT],
    });
    await expectRefusal(elsewhere, 'prod-b', 'shop');
    const status = { conditions: [], poolLabel: CLOUD_LABEL };
    await world.kubectl(
      'patch',
      'vmpool',
      'prod-b',
      '--subresource=status',
      '--type=merge',
      `--patch=${JSON.stringify({ status })}`,
    );
    await vi.waitFor(async () => {
      expect(await world.ask(elsewhere)).toMatchObject({ message: '' });
    }, 20_000);
    await expectRefusal(tryPod('shop', { ...onProdA(), tolerations: [EVERY_TAINT] }), 'prod-b', 'shop');
  });

  test.each<[string, Request]>([
    ['of a tenant, with its label', tryPod('shop', { ...onProdA(), tolerations: [taintOf('prod-a')] })],
    ['of a tenant by label', tryPod('payments', { nodeSelector: { [CLOUD_LABEL]: 'prod-b' } })],
    [
      'on a pool without tenants',
      tryPod('bank', { nodeSelector: { [POOL]: 'prod-c' }, tolerations: [taintOf('prod-c')] }),
    ],
    ['of kube-system, that tolerates everything', tryPod('kube-system', { tolerations: [EVERY_TAINT] })],
    [
      'of kube-system, with a name of a node',
      tryPod('kube-system', { nodeName: 'prod-a-0', tolerations: [EVERY_TAINT] }),
    ],
    ['that says nothing', tryPod('bank', {})],
    ['that names its operating system', tryPod('bank', { nodeSelector: { 'kubernetes.io/os': 'linux' } })],
    ['that tolerates something else', tryPod('bank', { tolerations: [{ key: 'gpu', operator: 'Exists' }] })],
    ['that tolerates another value', tryPod('bank', { tolerations: [taintOf('general')] })],
    ['that tolerates another effect', tryPod('bank', { tolerations: [{ ...taintOf('prod-a'), effect: 'NoExecute' }] })],
    [
      'that tolerates what happens to VMs',
      tryPod('bank', {
        tolerations: [
          { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 },
          { key: 'node.kubernetes.io/unschedulable', operator: 'Exists' },
        ],
      }),
    ],
    [
      'that tolerates the taint, but asks for other VMs',
      tryPod('bank', { nodeSelector: { [POOL]: 'prod-c' }, tolerations: [{ key: POOL, operator: 'Exists' }] }),
    ],
    [
      'that tolerates the taint, but keeps off the pools',
      tryPod('bank', {
        ...required([byLabel(POOL, 'NotIn', 'prod-a', 'canary-vms')]),
        tolerations: [{ key: POOL, operator: 'Exists' }],
      }),
    ],
    [
      'that the controller of DaemonSets pins',
      {
        ...tryPod('bank', pinned('general-0'), {
          name: 'guest',
          ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'd-1', controller: true }],
        }),
        user: DAEMON_SETS,
      },
    ],
    ['that the operator pins, to pull images', { ...tryPod('bank', pinned('general-0')), user: OPERATOR }],
    [
      'that a VM’s kubelet shows',
      {
        ...tryPod(
          'bank',
          { nodeName: 'prod-a-0', automountServiceAccountToken: false, tolerations: [EVERY_TAINT] },
          { name: 'static-prod-a-0', annotations: { 'kubernetes.io/config.mirror': 'x' } },
        ),
        user: 'system:node:prod-a-0',
      },
    ],
    ['when its labels change', change(`${podsPath('bank')}/running`, { metadata: { labels: { tier: 'web' } } })],
    ['when it gets another toleration', update('running', { tolerations: [{ key: 'gpu', operator: 'Exists' }] })],
    [
      'of an AppRelease on a pool without tenants',
      change(`${releasesOf('bank')}/web`, { spec: { minReadySeconds: 1 } }),
    ],
    [
      'of an AppRelease with labels of other VMs',
      {
        method: 'POST',
        path: releasesOf('bank'),
        body: appRelease([{ name: 'x', nodeSelector: { ...nodeOf('prod-a'), [POOL]: 'z', [CLOUD_LABEL]: 'z' } }], 'x'),
      },
    ],
    ['of a tenant’s AppRelease', { method: 'POST', path: releasesOf('shop'), body: appRelease(['prod-a', 'prod-c']) }],
  ])('lets in a pod %s', async (_what, request) => {
    const body = await withTolerationsOfBefore(request);
    expect(await world.ask({ ...request, body })).toMatchObject({ message: '' });
  });
});

/** A merge patch replaces the list of tolerations, and Kubernetes requires the existing ones in it. */
async function withTolerationsOfBefore({ type, path, body }: Request): Promise<object> {
  const { tolerations } = (body as { spec?: { tolerations?: readonly object[] } }).spec ?? {};
  if (type !== MERGE || !tolerations) return body;
  const { spec } = JSON.parse(await world.kubectl('get', '--raw', path)) as { spec: { tolerations: object[] } };
  return { spec: { tolerations: [...spec.tolerations, ...tolerations] } };
}
