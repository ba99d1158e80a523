/** An indexed cache of objects of one kind. It never replaces an object with an older version. */

import type { ObjectKey } from './types.ts';

/** The minimum fields of a stored object. */
export interface Stored {
  metadata: { name: string; namespace?: string; uid: string; resourceVersion: string };
}

export type Change<S> =
  { type: 'added'; object: S } | { type: 'modified'; object: S; old: S } | { type: 'deleted'; object: S };

/** The interface for readers. Stored objects are shared and must not be modified. */
export interface Store<S> {
  get: (namespace: string | undefined, name: string) => S | undefined;
  /** Returns the same array as long as nothing in it changes. */
  list: () => readonly S[];
  /** Objects whose index function returned `value`; also the same array. Throws for an unknown index. */
  byIndex: (index: string, value: string) => readonly S[];
}

export interface StoreOptions<S> {
  indexes?: Readonly<Record<string, (object: S) => readonly string[]>>;
  onChange: (change: Change<S>) => void;
}

/** The interface for the server's stream. */
export interface FedStore<S extends Stored> extends Store<S> {
  /** Stores an object from the stream, or from the answer to a write. */
  put: (object: S, source: 'stream' | 'write') => void;
  /** The stream reports a deletion; the resourceVersion is that of the deletion. */
  remove: (object: Stored) => void;
  /** The answer to a write says that the object is gone. */
  forget: (object: Stored) => void;
  /** Replaces the collection with its state at `resourceVersion`. `rewound`: the stored objects belong to a history that no longer exists. */
  replace: (objects: readonly S[], resourceVersion: string, rewound: boolean) => void;
  /** The stream has reached this version. */
  advance: (resourceVersion: string) => void;
  /** The newest version of the stream. */
  version: () => string | undefined;
}

/** The objects of one index value, and the cached array for readers. */
interface Bucket<S> {
  entries: Map<string, S>;
  listed?: readonly S[];
}

const NOTHING: readonly never[] = [];

/** An observed deletion is remembered longer than a watch can lag behind. */
const TOMBSTONE_MS = 15 * 60_000;

export function createStore<S extends Stored>({ indexes = {}, onChange }: StoreOptions<S>): FedStore<S> {
  const objects = new Map<string, S>();
  const buckets = new Map(Object.keys(indexes).map((name) => [name, new Map<string, Bucket<S>>()]));
  let listed: readonly S[] | undefined;
  /** By uid: a uid is never reused. */
  const tombstones = new Map<string, number>();
  let streamVersion: string | undefined;

  function get(namespace: string | undefined, name: string): S | undefined {
    return objects.get(objectKey({ ...(namespace === undefined ? {} : { namespace }), name }));
  }

  function list(): readonly S[] {
    listed ??= [...objects.values()];
    return listed;
  }

  function byIndex(index: string, value: string): readonly S[] {
    const byValue = buckets.get(index);
    if (!byValue) throw new Error(`there is no index ${index}`);
    const bucket = byValue.get(value);
    if (!bucket) return NOTHING;
    bucket.listed ??= [...bucket.entries.values()];
    return bucket.listed;
  }

  function set(object: S): void {
    const key = objectKey(object.metadata);
    const old = objects.get(key);
    if (old) unindex(key, old);
    objects.set(key, object);
    listed = undefined;
    for (const [name, byValue] of buckets) {
      for (const value of indexes[name]?.(object) ?? []) {
        const entries = byValue.get(value)?.entries ?? new Map<string, S>();
        byValue.set(value, { entries: entries.set(key, object) });
      }
    }
    onChange(old ? { type: 'modified', object, old } : { type: 'added', object });
  }

  function drop(old: S): void {
    const key = objectKey(old.metadata);
    objects.delete(key);
    listed = undefined;
    unindex(key, old);
    onChange({ type: 'deleted', object: old });
  }

  function unindex(key: string, old: S): void {
    for (const [name, byValue] of buckets) {
      for (const value of indexes[name]?.(old) ?? []) {
        const { entries } = byValue.get(value) ?? {};
        entries?.delete(key);
        if (entries?.size === 0) byValue.delete(value);
        else if (entries) byValue.set(value, { entries });
      }
    }
  }

  function put(object: S, source: 'stream' | 'write'): void {
    const { uid, resourceVersion } = object.metadata;
    if (!tombstones.has(uid)) {
      const stored = objects.get(objectKey(object.metadata));
      // Absent and older than the stream: the object was deleted since.
      const known = stored?.metadata.resourceVersion ?? (source === 'write' ? streamVersion : undefined);
      if (known === undefined || isNewer(resourceVersion, known)) set(object);
    }
    if (source === 'stream') advance(resourceVersion);
  }

  function remove(object: Stored): void {
    const { uid, resourceVersion } = object.metadata;
    const stored = objects.get(objectKey(object.metadata));
    if (stored && (stored.metadata.uid === uid || isNewer(resourceVersion, stored.metadata.resourceVersion)))
      drop(stored);
    tombstones.delete(uid);
    advance(resourceVersion);
  }

  function forget(object: Stored): void {
    const { uid } = object.metadata;
    buryOld();
    tombstones.set(uid, performance.now());
    const stored = objects.get(objectKey(object.metadata));
    if (stored?.metadata.uid === uid) drop(stored);
  }

  function buryOld(): void {
    for (const [uid, since] of tombstones) {
      if (performance.now() - since < TOMBSTONE_MS) return;
      tombstones.delete(uid);
    }
  }

  function replace(listed: readonly S[], resourceVersion: string, rewound: boolean): void {
    if (rewound) streamVersion = undefined;
    const keys = new Set(listed.map((object) => objectKey(object.metadata)));
    for (const [key, stored] of objects) {
      // Newer than the list: the answer to a write, which the watch will confirm.
      if (!keys.has(key) && (rewound || !isNewer(stored.metadata.resourceVersion, resourceVersion))) drop(stored);
    }
    for (const object of listed) {
      if (rewound) set(object);
      else put(object, 'stream');
    }
    advance(resourceVersion);
  }

  function advance(resourceVersion: string): void {
    if (streamVersion === undefined || isNewer(resourceVersion, streamVersion)) streamVersion = resourceVersion;
  }

  return {
    get,
    list,
    byIndex,
    put,
    remove,
    forget,
    replace,
    advance,
    version: () => streamVersion,
  };
}

/** `namespace/name`, or only the name for cluster-scoped kinds. */
function objectKey({ namespace, name }: ObjectKey): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** Resource versions of one kind are comparable integers (KEP-5504) that may exceed the exact range of a double. */
export function isNewer(resourceVersion: string, than: string): boolean {
  return BigInt(resourceVersion) > BigInt(than);
}
