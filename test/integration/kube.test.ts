// The Kubernetes client against a real API server that is restarted, frozen and under load.
import { randomBytes } from 'node:crypto';
import { KubeConfig } from '@kubernetes/client-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createClient, listAll } from '../../src/kube/client.ts';
import {
  isAlreadyExists,
  isConflict,
  isInvalid,
  isKubeError,
  isNamespaceTerminating,
  isNotFound,
  isTransient,
} from '../../src/kube/errors.ts';
import { createEventRecorder } from '../../src/kube/events.ts';
import { createLeaderElection, type LeaderElection } from '../../src/kube/leader-election.ts';
import { LEASES } from '../../src/kube/lease.ts';
import { createReflector, type Reflector } from '../../src/kube/reflector.ts';
import {
  scaleResourceOf,
  type KubeClient,
  type KubeObject,
  type Live,
  type RequestRecord,
  type Resource,
} from '../../src/kube/types.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/types.ts';

interface Service extends KubeObject {
  spec?: { selector?: Record<string, string>; ports?: { name?: string; port: number }[] };
}

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

const SERVICES: Resource<Service> = { apiVersion: 'v1', kind: 'Service', plural: 'services', namespaced: true };
const CONFIG_MAPS: Resource<ConfigMap> = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
};
const NAMESPACES: Resource = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false };
const DEPLOYMENTS: Resource = { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments', namespaced: true };
const EVENTS: Resource<KubeObject & { series?: { count: number } }> = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
};
const namespace = 'kube-test';

let plane: ControlPlane;
let client: KubeClient;
const requests: RequestRecord[] = [];
const cleanups: (() => Promise<void>)[] = [];

function newClient(options?: Parameters<typeof createClient>[1]): KubeClient {
  const config = new KubeConfig();
  config.loadFromFile(plane.kubeconfigPath);
  // 200 concurrent requests may queue for a long time on a busy machine.
  return createClient(config, { timeoutMs: 60_000, ...options });
}

beforeAll(async () => {
  plane = await startControlPlane();
  client = newClient({ onRequest: (record) => requests.push(record) });
  await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

afterAll(async () => {
  await client.close();
  await plane.stop();
});

function configMap(name: string, data: Record<string, string>) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels: { test: 'kube' } }, data };
}

function service(name: string, track: string) {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels: { track } },
    spec: { selector: { app: name, track }, ports: [{ name: 'http', port: 80 }] },
  };
}

async function refusal(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('requests', () => {
  test('200 applies at once, then a list in pages', async () => {
    const names = Array.from({ length: 200 }, (_, index) => `many-${index}`);
    const apply = (track: string) =>
      Promise.all(
        names.map((name) => client.apply(SERVICES, service(name, track), { fieldManager: 'kube-test', force: true })),
      );
    await apply('one');
    const switched = await apply('two');
    expect(switched.every(({ spec }) => spec?.selector?.track === 'two')).toBe(true);
    const list = await listAll(client, SERVICES, { namespace, labelSelector: 'track=two', limit: 30 });
    expect(list.items.map(({ metadata, kind }) => `${kind} ${metadata.name}`).sort()).toEqual(
      names.map((name) => `Service ${name}`).sort(),
    );
    const pages = requests.filter(({ verb, resource }) => verb === 'list' && resource === 'services');
    expect(pages).toHaveLength(7);
  });

  test('refusals have a reason', async () => {
    const key = { namespace, name: 'refused' };
    const object = configMap('refused', { a: '1' });
    expect(isNotFound(await refusal(client.get(CONFIG_MAPS, key)))).toBe(true);
    const created = await client.apply(CONFIG_MAPS, object, { fieldManager: 'one' });
    expect(isAlreadyExists(await refusal(client.create(CONFIG_MAPS, object)))).toBe(true);
    const contested = client.apply(CONFIG_MAPS, configMap('refused', { a: '2' }), { fieldManager: 'two' });
    const conflict = await refusal(contested);
    expect(isConflict(conflict)).toBe(true);
    expect(isKubeError(conflict) && conflict.causes).toEqual([
      { reason: 'FieldManagerConflict', field: '.data.a', message: 'conflict with "one"' },
    ]);
    const merge = { type: 'merge' as const, body: { metadata: { resourceVersion: '1' }, data: { a: '3' } } };
    expect(isConflict(await refusal(client.patch(CONFIG_MAPS, key, merge)))).toBe(true);
    const preconditions = { uid: created.metadata.uid, resourceVersion: '1' };
    expect(isConflict(await refusal(client.delete(CONFIG_MAPS, key, { preconditions })))).toBe(true);
    const invalid = { ...service('refused', 'x'), spec: { ports: [{ port: 99_999 }] } };
    const error = await refusal(client.create(SERVICES, invalid));
    expect(isInvalid(error) && error.causes[0]).toMatchObject({ field: 'spec.ports[0].port' });
  });

  test('refusals in a namespace that is being deleted', async () => {
    const name = 'kube-test-going';
    const held = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, finalizers: ['test.dev/hold'] } };
    await client.create(NAMESPACES, held);
    cleanups.push(async () => {
      const operations = [{ op: 'remove' as const, path: '/metadata/finalizers' }];
      await client.patch(NAMESPACES, { name }, { type: 'json', operations });
    });
    await client.delete(NAMESPACES, { name });
    const object = { ...configMap('late', {}), metadata: { name: 'late', namespace: name } };
    expect(isNamespaceTerminating(await refusal(client.create(CONFIG_MAPS, object)))).toBe(true);
    expect(isNamespaceTerminating(await refusal(client.get(CONFIG_MAPS, { namespace, name: 'late' })))).toBe(false);
  });

  test('a delete distinguishes objects that wait for a finalizer from deleted ones', async () => {
    const object = { ...configMap('going', {}), metadata: { namespace, name: 'going', finalizers: ['test.dev/hold'] } };
    await client.create(CONFIG_MAPS, object);
    const going = await client.delete(CONFIG_MAPS, { namespace, name: 'going' });
    expect(going?.metadata.name).toBe('going');
    const operations = [{ op: 'remove' as const, path: '/metadata/finalizers' }];
    await client.patch(CONFIG_MAPS, { namespace, name: 'going' }, { type: 'json', operations });
    await client.create(CONFIG_MAPS, configMap('gone', {}));
    await expect(client.delete(CONFIG_MAPS, { namespace, name: 'gone' })).resolves.toBeUndefined();
  });

  test('the scale of a Deployment', async () => {
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'scaled', namespace },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: 'scaled' } },
        template: { metadata: { labels: { app: 'scaled' } }, spec: { containers: [{ name: 'main', image: 'x:1' }] } },
      },
    };
    const key = { namespace, name: 'scaled' };
    await client.apply(DEPLOYMENTS, deployment, { fieldManager: 'kube-test' });
    const scale = await client.patch(scaleResourceOf(DEPLOYMENTS), key, {
      type: 'merge',
      body: { spec: { replicas: 2 } },
    });
    expect(scale).toMatchObject({ kind: 'Scale', spec: { replicas: 2 } });
    await client.delete(DEPLOYMENTS, key);
  });

  test('the version', async () => {
    expect((await client.version()).gitVersion).toMatch(/^v1\.\d+/);
  });

  test('requests to a hanging server time out, and work again when it resumes', async () => {
    const pid = plane.pids()['kube-apiserver'];
    if (pid === undefined) throw new Error('the API server does not run');
    process.kill(pid, 'SIGSTOP');
    try {
      const hanging = Array.from({ length: 20 }, () => refusal(client.version({ timeoutMs: 500 })));
      const errors = await Promise.all(hanging);
      expect(errors.every((error) => isKubeError(error) && error.reason === 'ClientTimeout')).toBe(true);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await vi.waitFor(() => client.version(), 30_000);
  });
});

test('events are stored, repetitions counted', async () => {
  const recorder = createEventRecorder({ client, controller: 'apprelease.dev/test', instance: 'test-1' });
  const { metadata } = await client.get(NAMESPACES, { name: namespace });
  const regarding = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'noted', uid: metadata.uid };
  for (let time = 0; time < 3; time++) {
    recorder.record({ regarding, type: 'Warning', reason: 'Tested', action: 'Test', note: 'ü'.repeat(2000) });
  }
  await recorder.stop();
  const { items } = await client.list(EVENTS, { namespace, fieldSelector: 'reason=Tested' });
  expect(items).toMatchObject([{ series: { count: 3 }, regarding: { name: 'noted' } }]);
});

describe('a reflector', () => {
  let changes: string[];

  function reflect(): Reflector<ConfigMap, Live<ConfigMap>> {
    changes = [];
    const reflector = createReflector<ConfigMap, Live<ConfigMap>>({
      client,
      resource: CONFIG_MAPS,
      namespace,
      labelSelector: 'test=kube',
      transform: (object) => object,
    });
    reflector.onChange(({ type, object }) => changes.push(`${type} ${object.metadata.name}`));
    reflector.start();
    cleanups.push(reflector.stop);
    return reflector;
  }

  test('reads its own writes, and reports them once', async () => {
    const reflector = reflect();
    await reflector.synced;
    for (let round = 0; round < 50; round++) {
      const applied = await client.apply(CONFIG_MAPS, configMap('own', { round: String(round) }), {
        fieldManager: 'kube-test',
      });
      reflector.store.observeWrite(applied);
      expect(reflector.store.get(namespace, 'own')?.data).toEqual({ round: String(round) });
    }
    await client.delete(CONFIG_MAPS, { namespace, name: 'own' });
    await vi.waitFor(() => {
      expect(changes.filter((change) => change.endsWith(' own'))).toEqual([
        'added own',
        ...Array.from({ length: 49 }, () => 'modified own'),
        'deleted own',
      ]);
    }, 30_000);
  });

  test('resumes after a restart of the API server, and misses nothing', async () => {
    const reflector = reflect();
    await reflector.synced;
    await client.apply(CONFIG_MAPS, configMap('leaves', {}), { fieldManager: 'kube-test' });
    await vi.waitFor(() => {
      expect(changes).toContain('added leaves');
    }, 30_000);
    await plane.killApiServer();
    expect(isTransient(await refusal(client.version()))).toBe(true);
    await plane.startApiServer();
    // A write of another client, most likely before the watch is open again.
    const other = newClient();
    cleanups.push(other.close);
    await other.delete(CONFIG_MAPS, { namespace, name: 'leaves' });
    await other.apply(CONFIG_MAPS, configMap('comes', { a: '1' }), { fieldManager: 'kube-test' });
    await vi.waitFor(() => {
      expect(changes).toContain('deleted leaves');
      expect(changes).toContain('added comes');
    }, 60_000);
    const listed = await listAll(client, CONFIG_MAPS, { namespace, labelSelector: 'test=kube', limit: 500 });
    expect(
      reflector.store
        .list()
        .map(({ metadata }) => metadata.uid)
        .sort(),
    ).toEqual(listed.items.map(({ metadata }) => metadata.uid).sort());
  });
});

describe('leader election', () => {
  const times = { leaseDurationMs: 4000, renewDeadlineMs: 3000, retryPeriodMs: 500 };
  let lease = { namespace, name: '' };

  beforeEach(() => {
    lease = { namespace, name: `operator-${randomBytes(3).toString('hex')}` };
  });

  function candidate(identity: string): LeaderElection {
    const own = newClient();
    const election = createLeaderElection({
      client: own,
      lease,
      identity,
      ...times,
      onStartedLeading: () => undefined,
      onStoppedLeading: () => undefined,
    });
    election.start();
    cleanups.push(async () => {
      await election.stop();
      await own.close();
    });
    return election;
  }

  test('hands over the lease, and keeps it during a short outage', async () => {
    const one = candidate('one');
    await vi.waitFor(() => {
      expect(one.isLeader()).toBe(true);
    }, 30_000);
    const two = candidate('two');
    await vi.waitFor(() => {
      expect(two.leader()).toBe('one');
    }, 30_000);
    await one.stop();
    await vi.waitFor(() => {
      expect(two.isLeader()).toBe(true);
    }, 30_000);
    const stored = await client.get(LEASES, lease);
    expect(stored.spec).toMatchObject({ holderIdentity: 'two', leaseTransitions: 1, leaseDurationSeconds: 4 });
  });

  test('a disconnected leader gives up, and leads again when the server is back', async () => {
    const one = candidate('three');
    await vi.waitFor(() => {
      expect(one.isLeader()).toBe(true);
    }, 20_000);
    await plane.killApiServer();
    await vi.waitFor(() => {
      expect(one.isLeader()).toBe(false);
    }, 10_000);
    await plane.startApiServer();
    await vi.waitFor(() => {
      expect(one.isLeader()).toBe(true);
    }, 30_000);
  });

  test('only one of the candidates may write', async () => {
    const elections = ['a', 'b', 'c'].map((identity) => candidate(identity));
    await vi.waitFor(() => {
      expect(elections.filter((election) => election.isLeader())).toHaveLength(1);
    }, 20_000);
    const results = await Promise.all(
      elections.map(async (election, index) => {
        const guarded = newClient({ mayWrite: election.isLeader });
        cleanups.push(guarded.close);
        return refusal(
          guarded.apply(CONFIG_MAPS, configMap(`by-${index}`, {}), { fieldManager: 'kube-test', dryRun: true }),
        );
      }),
    );
    const refused = results.filter((result) => isKubeError(result) && result.reason === 'NotLeader');
    expect(refused).toHaveLength(2);
  });
});
