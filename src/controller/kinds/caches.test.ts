import { afterEach, expect, test } from 'vitest';
import { API_VERSION, LABEL } from '../../api/meta.ts';
import { KubeError } from '../../kube/errors.ts';
import type { KubeClient, ListOptions, Live, ObjectList, Resource, WatchOptions } from '../../kube/types.ts';
import type { CachesOptions, RunningCaches } from './caches.ts';
import { createCaches } from './caches.ts';
import { RELEASE_INDEX } from './indexes.ts';
import { KIND_ROWS } from './kinds.ts';

/** `plural` or `plural in namespace` of every list and of every watch. */
interface Asked {
  lists: string[];
  watches: string[];
}

const rows: { resource: Resource; needsAllNamespaces?: true }[] = Object.values(KIND_ROWS);

const running: RunningCaches[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((caches) => caches.stop()));
});

function rollback(namespace: string, name: string, resourceVersion = '1'): Live<object> {
  return {
    apiVersion: API_VERSION,
    kind: 'ReleaseRollback',
    metadata: {
      namespace,
      name,
      uid: `${namespace}/${name}`,
      resourceVersion,
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: { release: 'web' },
  } as never;
}

/** A client that lists one rollback `first` in every namespace; its watches stay open without events. */
function fakeClient(asked: Asked): KubeClient {
  const name = ({ plural }: Resource, namespace?: string) =>
    namespace === undefined ? plural : `${plural} in ${namespace}`;

  function list(resource: Resource, { namespace }: ListOptions): Promise<ObjectList<object>> {
    asked.lists.push(name(resource, namespace));
    const isWanted = resource.plural === 'releaserollbacks' && namespace !== undefined;
    return Promise.resolve({ resourceVersion: '1', items: isWanted ? [rollback(namespace, 'first')] : [] });
  }

  function watch(resource: Resource, { namespace, signal }: WatchOptions): AsyncIterable<never> {
    asked.watches.push(name(resource, namespace));
    const aborted = new KubeError({ code: 0, reason: 'Aborted', message: 'Aborted', verb: 'watch', path: '/' });
    const next = () =>
      new Promise<never>((_, reject) => {
        signal?.addEventListener('abort', () => {
          reject(aborted);
        });
      });
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  return { list, watch } as unknown as KubeClient;
}

async function start(namespaces?: string[], more: Partial<CachesOptions> = {}) {
  const asked: Asked = { lists: [], watches: [] };
  const keys: string[] = [];
  const enqueue = (key: string) => keys.push(key);
  const all = createCaches({
    client: fakeClient(asked),
    enqueue,
    enqueueFirst: enqueue,
    onError: (error) => {
      throw error;
    },
    ...(namespaces && { namespaces }),
    ...more,
  });
  running.push(all);
  all.start();
  await all.synced;
  return { ...all, asked, keys };
}

test('without a list of namespaces, each kind is listed and watched once for all namespaces', async () => {
  const { asked, hasSynced } = await start();
  expect(asked.lists.toSorted()).toEqual(rows.map(({ resource }) => resource.plural).toSorted());
  expect(asked.lists.filter((list) => list.includes(' in '))).toEqual([]);
  expect(hasSynced()).toBe(true);
});

test('with a list, each kind is listed and watched once for each namespace, nodes and VMPools once', async () => {
  const { asked } = await start(['shop', 'bank']);
  const expected = rows
    .filter(({ resource, needsAllNamespaces }) => resource.namespaced && !needsAllNamespaces)
    .flatMap(({ resource: { plural } }) => [`${plural} in shop`, `${plural} in bank`]);
  expect(asked.lists.toSorted()).toEqual([...expected, 'nodes', 'vmpools'].toSorted());
  expect(asked.watches.toSorted()).toEqual(asked.lists.toSorted());
});

test('several namespaces read like one cache', async () => {
  const { caches, keys } = await start(['shop', 'bank']);
  const { rollbacks } = caches;
  expect(keys.toSorted()).toEqual(['bank/web', 'shop/web']);
  expect(rollbacks.list().map(({ metadata }) => metadata.namespace)).toEqual(['shop', 'bank']);
  expect(rollbacks.byIndex(RELEASE_INDEX, 'bank/web').map(({ metadata }) => metadata.namespace)).toEqual(['bank']);
  expect(rollbacks.get('bank', 'first')?.metadata.uid).toBe('bank/first');
  expect(rollbacks.get('elsewhere', 'first')).toBeUndefined();
});

test('the answer of a write is stored in the cache of its namespace, if there is one', async () => {
  const { caches } = await start(['shop', 'bank']);
  const { rollbacks } = caches;
  for (const namespace of ['bank', 'elsewhere']) rollbacks.observeWrite(rollback(namespace, 'second', '2'));
  expect(rollbacks.get('bank', 'second')).toBeDefined();
  expect(rollbacks.get('shop', 'second')).toBeUndefined();
  expect(rollbacks.get('elsewhere', 'second')).toBeUndefined();
  rollbacks.observeDelete(rollback('bank', 'first'));
  expect(rollbacks.get('bank', 'first')).toBeUndefined();
  expect(rollbacks.get('shop', 'first')).toBeDefined();
});

test('a stop before the caches are filled is no failure', async () => {
  const { promise: never } = Promise.withResolvers<never>();
  const client = { ...fakeClient({ lists: [], watches: [] }), list: () => never };
  const onError = () => undefined;
  const caches = createCaches({ client, enqueue: onError, enqueueFirst: onError, onError });
  await caches.stop();
  // A standby does not await `synced`: an unhandled rejection would have ended the process by now.
  await new Promise(setImmediate);
  await expect(caches.synced).rejects.toThrow('stopped before its first list');
});

function labelled(kind: string, name: string, more: { generation?: number; resourceVersion: string; spec: object }) {
  const { spec, ...versions } = more;
  const labels = { [LABEL.release]: 'web' };
  const metadata = { namespace: 'shop', name, uid: name, creationTimestamp: '', labels, ...versions };
  return { apiVersion: API_VERSION, kind, metadata, spec } as Live<object>;
}

test('a spec stays the same object until its generation changes', async () => {
  const { caches } = await start();
  function put(generation: number, resourceVersion: string) {
    caches.releases.observeWrite(labelled('AppRelease', 'web', { generation, resourceVersion, spec: {} }));
    return caches.releases.get('shop', 'web')?.spec;
  }
  const first = put(1, '2');
  expect(put(1, '3')).toBe(first);
  expect(put(2, '4')).not.toBe(first);
});

test('changes that come in swarms are enqueued soon, others at once, and those of the pass itself not at all', async () => {
  const [soon, passing] = [[] as string[], new Set<string>()];
  const { caches, keys } = await start(undefined, {
    enqueueSoon: (key) => soon.push(key),
    isInPass: (key) => passing.has(key),
  });
  caches.releases.observeWrite(labelled('AppRelease', 'web', { resourceVersion: '2', spec: {} }));
  caches.services.observeWrite(labelled('Service', 'web', { resourceVersion: '2', spec: {} }));
  expect([keys, soon]).toEqual([['shop/web'], ['shop/web']]);
  passing.add('shop/web');
  caches.services.observeWrite(labelled('Service', 'web', { resourceVersion: '3', spec: {} }));
  expect([keys, soon]).toEqual([['shop/web'], ['shop/web']]);
});
