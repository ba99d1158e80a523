// Tenants of a pool, for controllers and users: refused pods, pools that get tenants later, people's rights.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { API_VERSION } from '../../src/api/meta.ts';
import type { Tenants, VmPoolSpec } from '../../src/api/vm-pool.ts';
import type { Fields, Manifest, TenantsWorld } from './tenants-world.ts';
import {
  appRelease,
  change,
  createTenantsWorld,
  EVERY_TAINT,
  pod,
  podsPath,
  POOL,
  refusal,
  releasesOf,
  required,
  taintOf,
  tryPod,
  workload,
  workloadsOf,
} from './tenants-world.ts';

let world: TenantsWorld;

const NAMESPACES = {
  shop: {},
  bank: { team: 'bank' },
  payments: { team: 'pay', tier: 'gold' },
  loans: { team: 'loans', tier: 'silver' },
};

function poolOf(name: string, tenants?: Tenants): VmPoolSpec {
  return { nodeSelector: { [POOL]: name }, tolerations: [taintOf(name)], ...(tenants && { tenants }) };
}

function onto(pool: string): Fields {
  return { nodeSelector: { [POOL]: pool }, tolerations: [taintOf(pool)] };
}

function until(check: () => Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 100_000, interval: 100 });
}

beforeAll(async () => {
  world = await createTenantsWorld(NAMESPACES);
  await world.pools({ 'prod-a': poolOf('prod-a', { namespaces: ['shop'] }), 'prod-c': poolOf('prod-c') });
}, 300_000);

afterAll(() => world.close());

/** The events about an object of the namespace. */
async function eventsOf(kind: string, name: string): Promise<string> {
  const which = `--field-selector=involvedObject.kind=${kind},involvedObject.name=${name}`;
  return world.kubectl('get', 'events', '--namespace=bank', which, '--output=jsonpath={.items[*].message}');
}

describe('a controller that creates pods in another namespace', () => {
  test.each(['Deployment', 'StatefulSet', 'Job'])('%s: no pod starts, and an event says why', async (kind) => {
    const name = `guest-${kind.toLowerCase()}`;
    const body = workload(kind, name, onto('prod-a'));
    await world.create(workloadsOf('bank', kind), body);
    const maker = async (): Promise<[string, string]> => {
      if (kind !== 'Deployment') return [kind, name];
      const sets = await world.kubectl(
        'get',
        'replicasets',
        '--namespace=bank',
        `--selector=app=${name}`,
        '--output=name',
      );
      return ['ReplicaSet', sets.trim().replace('replicaset.apps/', '')];
    };
    await until(async () => {
      expect(await eventsOf(...(await maker()))).toMatch(refusal('prod-a', 'bank'));
    });
    expect(await world.nodesOf('bank', name)).toEqual([]);
    await world.ask({ method: 'DELETE', path: `${workloadsOf('bank', kind)}/${name}`, body: {} });
  });

  test('ReplicaSet: no pod starts, and an event says why', async () => {
    await world.create(workloadsOf('bank', 'ReplicaSet'), workload('ReplicaSet', 'guest-rs', onto('prod-a')));
    await until(async () => {
      expect(await eventsOf('ReplicaSet', 'guest-rs')).toMatch(refusal('prod-a', 'bank'));
    });
    expect(await world.nodesOf('bank', 'guest-rs')).toEqual([]);
  });

  test('DaemonSet: the DaemonSet itself is refused', async () => {
    const body = workload('DaemonSet', 'guest-ds', onto('prod-a'));
    const { message } = await world.ask({ method: 'POST', path: workloadsOf('bank', 'DaemonSet'), body });
    expect(message).toMatch(refusal('prod-a', 'bank'));
  });

  test('the taint keeps off pods that select no label of the pool', async () => {
    await world.create(
      podsPath('bank'),
      pod({ nodeSelector: { 'kubernetes.io/hostname': 'prod-a-0' } }, { name: 'by-host' }),
    );
    await world.kubectl(
      'wait',
      '--for=condition=PodScheduled=False',
      'pod/by-host',
      '--namespace=bank',
      '--timeout=60s',
    );
    expect(await world.nodesOf('bank', 'by-host')).toEqual([]);
  });
});

describe('a DaemonSet has its pods', () => {
  const GENERAL = ['general-0', 'general-1'];
  const EVERYWHERE = ['canary-vms', 'general', 'prod-a', 'prod-b', 'prod-c'].flatMap((name) => [
    `${name}-0`,
    `${name}-1`,
  ]);

  test.each<[where: string, namespace: string, spec: Fields, nodes: string[], name?: string]>([
    ['everywhere, in kube-system', 'kube-system', { tolerations: [EVERY_TAINT] }, EVERYWHERE],
    ['on all VMs but the pools’, in another namespace', 'bank', {}, GENERAL],
    ['on the pool’s VMs, in a tenant’s namespace', 'shop', onto('prod-a'), ['prod-a-0', 'prod-a-1']],
    [
      'on other VMs by nodeSelector, although it tolerates every taint',
      'bank',
      { nodeSelector: { [POOL]: 'prod-b' }, tolerations: [EVERY_TAINT] },
      ['prod-b-0', 'prod-b-1'],
      'tolerant',
    ],
  ])('%s', async (_where, namespace, spec, nodes, name = 'agent') => {
    await world.create(workloadsOf(namespace, 'DaemonSet'), workload('DaemonSet', name, spec));
    await until(async () => {
      expect(await world.nodesOf(namespace, name)).toEqual(nodes);
    });
  });
});

describe('a pool that gets tenants while other pods run on it', () => {
  const resident = () => `${podsPath('bank')}/resident`;
  const web = () => `${releasesOf('bank')}/web`;
  const watcher = () => `${workloadsOf('bank', 'DaemonSet')}/watcher`;

  beforeAll(async () => {
    await world.create(podsPath('bank'), pod(onto('prod-c'), { name: 'resident' }));
    await world.create(workloadsOf('bank', 'DaemonSet'), workload('DaemonSet', 'watcher', onto('prod-c')));
    await world.create(releasesOf('bank'), appRelease(['prod-c', 'general']));
    await until(async () => {
      expect(await world.nodesOf('bank', 'watcher')).toEqual(['prod-c-0', 'prod-c-1']);
      expect(await world.nodesOf('bank', 'resident')).toHaveLength(1);
    });
    await world.pools({ 'prod-c': poolOf('prod-c', { namespaces: ['shop'] }) });
    expect((await world.ask(tryPod('bank', onto('prod-c')))).message).toMatch(refusal('prod-c', 'bank'));
  });

  test.each<[string, () => string, object]>([
    ['labels of a pod', resident, { metadata: { labels: { tier: 'web' } } }],
    ['finalizers of a pod', resident, { metadata: { finalizers: ['example.com/hold'] } }],
    ['no finalizers of a pod', resident, { metadata: { finalizers: [] } }],
    ['a deadline of a pod', resident, { spec: { activeDeadlineSeconds: 100_000 } }],
    ['annotations of a DaemonSet', watcher, { metadata: { annotations: { note: 'x' } } }],
    ['another spec of a DaemonSet', watcher, { spec: { minReadySeconds: 1 } }],
    ['finalizers of an AppRelease', web, { metadata: { finalizers: ['example.com/hold'] } }],
    ['no finalizers of an AppRelease', web, { metadata: { finalizers: [] } }],
    ['another version of an AppRelease', web, { spec: { version: '2.0' } }],
  ])('lets them change: %s', async (_what, path, body) => {
    expect(await world.ask(change(path(), body))).toMatchObject({ status: 200, message: '' });
  });

  test('does not admit a deleted pod again', async () => {
    await world.kubectl('delete', 'pods', '--namespace=bank', '--selector=app=watcher', '--now');
    await until(async () => {
      expect(await eventsOf('DaemonSet', 'watcher')).toMatch(refusal('prod-c', 'bank'));
    });
    expect(await world.nodesOf('bank', 'watcher')).toEqual([]);
  });

  test('lets an AppRelease leave, but not return', async () => {
    expect(await world.ask(change(web(), appRelease(['general'])))).toMatchObject({ status: 200 });
    const { message } = await world.ask(change(web(), appRelease(['prod-c', 'general'])));
    expect(message).toMatch(refusal('prod-c', 'bank'));
  });
});

describe('tenants by the labels of their namespaces', () => {
  type Selector = NonNullable<Tenants['namespaceSelector']>;
  const expression = (key: string, operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist', ...values: string[]) => ({
    matchExpressions: [{ key, operator, ...(values.length > 0 && { values }) }],
  });
  const rows: [string, Tenants, string[]][] = [
    ['labels', selector({ matchLabels: { team: 'pay', tier: 'gold' } }), ['payments']],
    ['labels-in-part', selector({ matchLabels: { team: 'bank', tier: 'gold' } }), []],
    ['in', selector(expression('team', 'In', 'bank', 'pay')), ['bank', 'payments']],
    ['not-in', selector(expression('team', 'NotIn', 'bank', 'pay')), ['shop', 'loans']],
    ['exists', selector(expression('tier', 'Exists')), ['payments', 'loans']],
    ['does-not-exist', selector(expression('tier', 'DoesNotExist')), ['shop', 'bank']],
    ['in-nothing', selector(expression('team', 'In')), []],
    ['not-in-nothing', selector(expression('team', 'NotIn')), []],
    ['both', selector({ matchLabels: { tier: 'gold' }, ...expression('team', 'NotIn', 'pay') }), []],
    ['everybody', selector({}), ['shop', 'bank', 'payments', 'loans']],
    ['or-by-name', { ...selector({ matchLabels: { tier: 'gold' } }), namespaces: ['bank'] }, ['bank', 'payments']],
    ['nobody', { namespaces: [] }, []],
  ];

  function selector(namespaceSelector: Selector): Tenants {
    return { namespaceSelector };
  }

  beforeAll(() => world.pools(Object.fromEntries(rows.map(([name, tenants]) => [name, poolOf(name, tenants)]))));

  test.each(rows)('%s', async (name, _tenants, expected) => {
    const answers = await Promise.all(
      Object.keys(NAMESPACES).map(async (namespace) => {
        const { message } = await world.ask(tryPod(namespace, onto(name)));
        if (message !== '') expect(message).toMatch(refusal(name, namespace));
        return { namespace, isIn: message === '' };
      }),
    );
    expect(answers.filter(({ isIn }) => isIn).map(({ namespace }) => namespace)).toEqual(expected);
  });
});

test.each<[string, VmPoolSpec, boolean]>([
  ['of tenants without a taint', { tenants: { namespaces: ['shop'] } }, true],
  ['of tenants, whose tolerations name no taint', { tenants: { namespaces: [] }, tolerations: [EVERY_TAINT] }, true],
  ['of tenants with a taint', poolOf('prod-a', { namespaces: ['shop'] }), false],
  ['of everybody', {}, false],
])('who makes a pool %s is warned where others may get onto it', async (_whose, spec, isWarned) => {
  const body: Manifest = { apiVersion: API_VERSION, kind: 'VMPool', metadata: { name: 'warned' }, spec };
  const answer = await world.ask({ method: 'POST', path: `/apis/${API_VERSION}/vmpools?dryRun=All`, body });
  expect(answer.message).toBe('');
  expect(answer.warnings.includes('taint the VMs, and tolerate that taint')).toBe(isWarned);
});

test('objects of maximum size are checked', async () => {
  const many = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n));
  const labels = (count: number, value: string) =>
    Object.fromEntries(many(count, (n) => [`example.com/label-${n}`, value]));
  const tenants: Tenants = {
    namespaces: many(256, (n) => `tenant-${n}`),
    namespaceSelector: {
      matchLabels: labels(16, 'x'),
      matchExpressions: many(16, (n) => ({ key: `k${n}`, operator: 'NotIn', values: many(64, (v) => `v${v}`) })),
    },
  };
  const tolerations = many(32, (n) => ({
    key: `example.com/taint-${n}`,
    value: 'large',
    effect: 'NoSchedule' as const,
  }));
  await world.pools({ large: { nodeSelector: labels(32, 'large'), tolerations, tenants } });
  const spec = {
    ...required(
      ...many(20, () =>
        many(32, (n) => ({ key: `example.com/label-${n}`, operator: 'In', values: many(20, (v) => `v${v}`) })),
      ),
    ),
    tolerations: many(500, (n) => ({
      key: `example.com/other-${n}`,
      operator: 'Equal',
      value: 'v',
      effect: 'NoSchedule',
    })),
  };
  expect(await world.ask(tryPod('bank', spec))).toMatchObject({ message: '' });
  const tolerating = { ...spec, tolerations: [...spec.tolerations, tolerations[31]] };
  // Pods that require other values of the pool's labels cannot get there, whatever they tolerate.
  expect(await world.ask(tryPod('bank', tolerating))).toMatchObject({ message: '' });
  const { message } = await world.ask(tryPod('bank', { tolerations: tolerating.tolerations }));
  expect(message).toMatch(refusal('large', 'bank'));
  const stages = many(16, (s) => ({ name: `s${s}`, pools: many(16, (p) => ({ name: `pool-${s}-${p}` })) }));
  const full = appRelease([], 'full');
  const body = { ...full, spec: { ...(full['spec'] as object), stages } };
  expect(await world.ask({ method: 'POST', path: releasesOf('bank'), body })).toMatchObject({ message: '' });
});

test('a namespace admin cannot open a pool', async () => {
  await world.kubectl('apply', '-k', join(import.meta.dirname, '../../manifests/access'));
  const own = ['mallory', '--namespace=bank'];
  await world.kubectl('delete', 'rolebinding', ...own, '--ignore-not-found');
  await world.kubectl('create', 'rolebinding', ...own, '--clusterrole=admin', '--user=mallory');
  const can = (...args: string[]) =>
    world.kubectl('auth', 'can-i', ...args, '--namespace=bank', '--as=mallory').then(
      () => true,
      () => false,
    );
  await until(async () => {
    expect(await can('create', 'pods')).toBe(true);
    expect(await can('create', 'appreleases.apprelease.dev')).toBe(true);
  });
  const opens = [
    ...['create', 'update', 'patch', 'delete'].map((verb) => [verb, 'vmpools.apprelease.dev']),
    ['patch', 'vmpools.apprelease.dev', '--subresource=status'],
    ...['create', 'update', 'patch'].map((verb) => [verb, 'nodes']),
    ['update', 'namespaces'],
    ['patch', 'namespaces'],
    ['create', 'pods', '--subresource=binding'],
    ['create', 'bindings'],
    ['create', 'runtimeclasses.node.k8s.io'],
    ['delete', 'validatingadmissionpolicies.admissionregistration.k8s.io'],
    ['delete', 'validatingadmissionpolicybindings.admissionregistration.k8s.io'],
  ];
  const allowed = await Promise.all(opens.map(async (args) => ((await can(...args)) ? [args.join(' ')] : [])));
  expect(allowed.flat()).toEqual([]);
});

test('an API server that has just started admits only system pods until it knows the VMPools', async () => {
  await world.cluster.restartApiServer();
  const answers: string[] = [];
  await until(async () => {
    const { message } = await world.ask(tryPod('bank', onto('prod-a')));
    answers.push(message);
    expect((await world.ask(tryPod('kube-system', { tolerations: [EVERY_TAINT] }))).message).toBe('');
    expect(message).toMatch(refusal('prod-a', 'bank'));
  });
  expect(answers).not.toContain('');
}, 200_000);

test('without the CRD of VMPool no pool is closed', async () => {
  await world.kubectl('delete', 'crd', 'vmpools.apprelease.dev', '--timeout=60s');
  await until(async () => {
    expect((await world.ask(tryPod('bank', onto('prod-a')))).message).toBe('');
  });
}, 200_000);
