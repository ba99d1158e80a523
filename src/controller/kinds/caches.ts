/** The operator's caches: one list and watch for each row of the table of kinds. */
import type { Reflector, ReflectorStore } from '../../kube/reflector.ts';
import { createReflector } from '../../kube/reflector.ts';
import type { Change, Store, Stored } from '../../kube/store.ts';
import type { KubeClient, KubeObject, Live } from '../../kube/types.ts';
import type { Absence } from '../../release/state/observed.ts';
import { RELEASE_INDEX } from './indexes.ts';
import { KIND_ROWS } from './kinds.ts';
import type { KindRow, PoolChange } from './row.ts';

/** A cache that also stores the answers of writes, so that the next pass reads what the last pass wrote. */
export type Cache<S> = Pick<ReflectorStore<KubeObject, S>, 'get' | 'list' | 'byIndex'> & {
  observeWrite: (object: Live<KubeObject>) => void;
  observeDelete: (object: Stored) => void;
  /** Why an optional kind has no objects; undefined if the API server serves the kind. */
  absence?: () => Absence | undefined;
};

type Kinds = typeof KIND_ROWS;

/** What a pass reads: one cache for each row. */
export type Caches = { [Name in keyof Kinds]: Cache<ReturnType<Kinds[Name]['toCached']>> };

/** Makes one cache for each row of the table. */
export function cachesOfKinds(
  makeCache: <T extends KubeObject, S extends Stored>(row: KindRow<T, S>) => Cache<S>,
): Caches {
  // The compiler does not know the type of each row in a loop.
  const rows = Object.entries(KIND_ROWS) as unknown as [string, KindRow<KubeObject, Stored>][];
  return Object.fromEntries(rows.map(([name, row]) => [name, makeCache(row)])) as unknown as Caches;
}

export interface RunningCaches {
  caches: Caches;
  start: () => void;
  synced: Promise<unknown>;
  hasSynced: () => boolean;
  stop: () => Promise<void>;
}

export interface CachesOptions {
  client: KubeClient;
  /** Called with the key (namespace/name) of a release after a change. */
  enqueue: (key: string) => void;
  /** The same, for an urgent change: a rollback. */
  enqueueFirst: (key: string) => void;
  /** Called for changes that come in swarms. Left out: `enqueue`. */
  enqueueSoon?: (key: string) => void;
  /** Whether this code runs in a pass over that release: a pass observes again after each of its writes. */
  isInPass?: (key: string) => boolean;
  /** Called with a change of a VM, a VMPool or a pod on a VM. */
  onPoolChange?: (change: PoolChange) => void;
  onError: (error: unknown) => void;
  /** Left out or empty: all namespaces. */
  namespaces?: readonly string[];
  /** Optional kinds are not read. */
  withoutOptional?: true;
}

export function createCaches(options: CachesOptions): RunningCaches {
  const { client, enqueue, enqueueFirst, enqueueSoon = enqueue, isInPass, onPoolChange, onError } = options;
  const { namespaces = [] } = options;
  const reflectors: Pick<Reflector<KubeObject, Stored>, 'start' | 'synced' | 'hasSynced' | 'stop'>[] = [];

  function cacheOf<T extends KubeObject, S extends Stored>(row: KindRow<T, S>): Cache<S> {
    if (row.needsAllNamespaces && namespaces.length > 0) return emptyCache();
    if (row.isOptional && options.withoutOptional) return { ...emptyCache<S>(), absence: () => 'Forbidden' };
    // One list and watch for each namespace needs no rights in the other namespaces.
    if (!row.resource.namespaced || namespaces.length === 0) return reflect(row);
    return joinCaches(new Map(namespaces.map((namespace) => [namespace, reflect(row, namespace)])));
  }

  function reflect<T extends KubeObject, S extends Stored>(row: KindRow<T, S>, namespace?: string): Cache<S> {
    const { labelSelector, fieldSelector } = row.selection ?? {};
    const reflector: Reflector<T, S> = createReflector({
      client,
      resource: row.resource,
      transform: (object: Live<T>) => cachedForm(row, reflector.store, object),
      onError,
      indexes: indexesOf(row),
      ...(row.isOptional && { isOptional: true as const }),
      ...(labelSelector !== undefined && { labelSelector }),
      ...(fieldSelector !== undefined && { fieldSelector }),
      ...(namespace !== undefined && { namespace }),
    });
    reflector.onChange((change) => {
      tell(row, change);
    });
    reflectors.push(reflector);
    return { ...reflector.store, absence: reflector.absence } as Cache<S>;
  }

  function tell<T extends KubeObject, S extends Stored>(row: KindRow<T, S>, change: Change<S>): void {
    const { object } = change;
    const old = change.type === 'modified' ? change.old : undefined;
    if (row.tells === 'pools') {
      onPoolChange?.(row.toPoolChange({ object, ...(old && { old }) }));
      return;
    }
    if (old && row.isNews?.(object, old) === false) return;
    const add = row.isUrgent?.(object) ? enqueueFirst : row.settles ? enqueueSoon : enqueue;
    const told = (old ? [object, old] : [object]).flatMap((one) => [
      ...row.releaseOf(one),
      ...(row.alsoTells?.(one, caches) ?? []),
    ]);
    for (const key of new Set(told)) if (!isInPass?.(key)) add(key);
  }

  const caches = cachesOfKinds(cacheOf);
  const synced = Promise.all(reflectors.map(({ synced }) => synced));
  // A standby that never leads does not await it: an unhandled rejection would end the process.
  synced.catch(() => undefined);
  return {
    caches,
    start: () => {
      for (const reflector of reflectors) reflector.start();
    },
    synced,
    hasSynced: () => reflectors.every((reflector) => reflector.hasSynced()),
    stop: async () => {
      await Promise.all(reflectors.map((reflector) => reflector.stop()));
    },
  };
}

/** The form of an object that a row's cache stores next. */
export function cachedForm<T extends KubeObject, S extends Stored>(
  { toCached, reuse }: KindRow<T, S>,
  store: Pick<Store<S>, 'get'>,
  object: Live<T>,
): S {
  const next = toCached(object);
  const old = reuse && store.get(next.metadata.namespace, next.metadata.name);
  return old?.metadata.uid === next.metadata.uid && reuse ? reuse(old, next) : next;
}

/** The indexes of a row's cache. */
export function indexesOf<T extends KubeObject, S extends Stored>(
  row: KindRow<T, S>,
): Readonly<Record<string, (object: S) => string[]>> {
  return { ...row.indexes, ...(row.tells === 'releases' && { [RELEASE_INDEX]: row.releaseOf }) };
}

function emptyCache<S>(): Cache<S> {
  return {
    get: () => undefined,
    list: () => [],
    byIndex: () => [],
    observeWrite: () => undefined,
    observeDelete: () => undefined,
  };
}

/** The caches of several namespaces as one. */
function joinCaches<S>(byNamespace: ReadonlyMap<string | undefined, Cache<S>>): Cache<S> {
  const caches = [...byNamespace.values()];
  return {
    get: (namespace, name) => byNamespace.get(namespace)?.get(namespace, name),
    list: () => caches.flatMap((cache) => cache.list()),
    byIndex: (index, value) => caches.flatMap((cache) => cache.byIndex(index, value)),
    observeWrite: (object) => byNamespace.get(object.metadata.namespace)?.observeWrite(object),
    observeDelete: (object) => byNamespace.get(object.metadata.namespace)?.observeDelete(object),
    absence: () => caches.map((cache) => cache.absence?.()).find((absence) => absence !== undefined),
  };
}
