/** A local copy of a collection of objects, updated by list and watch, modelled on client-go's Reflector. */

import { createBackoff, sleep } from './backoff.ts';
import { listAll } from './client.ts';
import { isAborted, isGone, isKubeError, isTransient, isUnreachable } from './errors.ts';
import { createStore, isNewer, type Change, type Store, type Stored } from './store.ts';
import type { KubeClient, KubeObject, Live, Resource, Selection } from './types.ts';

export interface ReflectorOptions<T extends KubeObject, S extends Stored> extends Selection {
  client: Pick<KubeClient, 'list' | 'watch'>;
  resource: Resource<T>;
  /** Reduces an object to the fields that are stored. */
  transform: (object: Live<T>) => S;
  indexes?: Readonly<Record<string, (object: S) => readonly string[]>>;
  /** Receives the error of a failed list or watch, which is retried, or of a listener. */
  onError?: (error: unknown) => void;
  /**
   * The API server may not serve the resource, or not let us read it: the store is empty then, and counts as synced. It is
   * tried again every `ABSENT_MS`.
   */
  isOptional?: true;
  /** Objects per page of a list. Default 500. */
  pageSize?: number;
  /** Milliseconds of silence after which a watch counts as dead. Default 90 000: bookmarks come about once a minute. */
  idleTimeoutMs?: number;
  /** For tests. */
  random?: () => number;
}

export interface ReflectorStore<T, S> extends Store<S> {
  /**
   * Read your writes: stores the answer to a write, unless the store already has a newer version, or the stream has
   * passed that version and the object is gone. The object must match the reflector's selectors.
   */
  observeWrite: (object: Live<T>) => void;
  /** The answer to a delete says that the object is gone; a lagging watch does not restore it. For an object with finalizers, use `observeWrite`. */
  observeDelete: (object: Stored) => void;
}

export interface Reflector<T, S> {
  store: ReflectorStore<T, S>;
  /**
   * Receives every change of the store from the first list on, including observed writes, once and in order. An object that
   * disappeared while the watch was down is a deletion; a replacement with the same name is a modification.
   */
  onChange: (listener: (change: Change<S>) => void) => void;
  start: () => void;
  /** Resolves after the first complete list; rejects if the reflector is stopped before. */
  synced: Promise<void>;
  hasSynced: () => boolean;
  /** Why an optional resource has no objects: the answer to the last list. */
  absence: () => 'NotFound' | 'Forbidden' | undefined;
  /** Resolves when everything has ended. */
  stop: () => Promise<void>;
}

/** client-go's numbers. */
const BACKOFF_BASE_MS = 800;
const BACKOFF_MAX_MS = 30_000;
/** Retries faster while the server is not reachable: there is no load to spare, and the cache gets stale. */
const UNREACHABLE_MAX_MS = 5_000;
const WATCH_MIN_SECONDS = 300;
/** A watch that ends sooner, without an event, counts as failed. */
const HEALTHY_AFTER_MS = 5_000;
/** How often the list of an optional resource that is absent is tried again. */
const ABSENT_MS = 15_000;
/** After this many failures in a row the version may be wrong: another server, a restored etcd. */
const DOUBT_AFTER = 5;

export function createReflector<T extends KubeObject, S extends Stored>(
  options: ReflectorOptions<T, S>,
): Reflector<T, S> {
  const { client, resource, transform, pageSize = 500, idleTimeoutMs = 90_000, random = Math.random } = options;
  const selection = pickSelection(options);
  const listeners: ((change: Change<S>) => void)[] = [];
  const store = createStore<S>({ ...(options.indexes ? { indexes: options.indexes } : {}), onChange: notify });
  const stopping = new AbortController();
  const backoff = createBackoff(BACKOFF_BASE_MS, BACKOFF_MAX_MS, random);
  const first = Promise.withResolvers<undefined>();
  first.promise.catch(() => undefined);
  let synced = false;
  /** The version from which the next watch starts; undefined if a list is due. */
  let version: string | undefined;
  let watchFailures = 0;
  /** Whether the last attempt ended because its version was too old. */
  let expired = false;
  let staleLists = 0;
  let absent: 'NotFound' | 'Forbidden' | undefined;
  let loop: Promise<void> | undefined;

  function notify(change: Change<S>): void {
    for (const listener of listeners) {
      try {
        listener(change);
      } catch (error) {
        report(error);
      }
    }
  }

  function report(error: unknown): void {
    try {
      options.onError?.(error);
    } catch {
      // A failing reporter must not end the loop.
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      let pause = 0;
      try {
        version ??= await relist();
        if (!(await watch(version))) pause = backoff.next();
      } catch (error) {
        if (isAborted(error)) return;
        pause = pauseAfter(error);
        if (noteAbsence(error)) pause = ABSENT_MS;
        else report(error);
      }
      if (pause > 0) await sleep(pause, stopping.signal);
    }
  }

  /** Whether the error is an answer to the list of an optional resource that says why there is none. */
  function noteAbsence(error: unknown): boolean {
    const code = options.isOptional && version === undefined && isKubeError(error) ? error.code : undefined;
    if (code !== 404 && code !== 403) return false;
    absent = code === 404 ? 'NotFound' : 'Forbidden';
    const known = store.version();
    if (known !== undefined) store.replace([], known, false);
    synced = true;
    first.resolve(undefined);
    return true;
  }

  function pauseAfter(error: unknown): number {
    // A list is due, not a repetition of the failed watch.
    const isNew = isGone(error) && !expired;
    expired = isGone(error);
    if (isNew) return 0;
    const pause = backoff.next();
    return isUnreachable(error) ? Math.min(pause, UNREACHABLE_MAX_MS) : Math.max(pause, retryAfterMs(error));
  }

  /**
   * Lists without a resourceVersion, which is a consistent read. An answer that is older than the stream comes from a server
   * that lags behind, and is refused. If this repeats, etcd was restored to an older state, and the answer is accepted.
   */
  async function relist(): Promise<string> {
    const list = await listAll(client, resource, { ...selection, limit: pageSize, signal: stopping.signal });
    const known = store.version();
    const older = synced && known !== undefined && isNewer(known, list.resourceVersion);
    if (older && ++staleLists < DOUBT_AFTER) {
      throw new Error(`the list of ${resource.plural} at ${list.resourceVersion} is older than ${known}`);
    }
    staleLists = 0;
    store.replace(list.items.map(transform), list.resourceVersion, older);
    synced = true;
    absent = undefined;
    first.resolve(undefined);
    return list.resourceVersion;
  }

  /** Whether the watch worked: it delivered an event, or stayed open for a while. */
  async function watch(from: string): Promise<boolean> {
    const began = performance.now();
    const health = { lived: false };
    try {
      await follow(from, () => {
        health.lived = true;
        expired = false;
        watchFailures = 0;
        backoff.reset();
      });
    } catch (error) {
      if (!isTransient(error) || error.code === 500) version = undefined;
      throw error;
    } finally {
      health.lived ||= performance.now() - began >= HEALTHY_AFTER_MS;
      if (health.lived) backoff.reset();
      else if (++watchFailures % DOUBT_AFTER === 0) version = undefined;
    }
    return health.lived;
  }

  async function follow(from: string, alive: () => void): Promise<void> {
    const events = client.watch(resource, {
      ...selection,
      resourceVersion: from,
      // Watches that started together must not end together.
      timeoutSeconds: Math.round(WATCH_MIN_SECONDS * (1 + random())),
      idleTimeoutMs,
      signal: stopping.signal,
    });
    for await (const event of events) {
      alive();
      if (event.type === 'BOOKMARK') {
        store.advance(event.resourceVersion);
        version = event.resourceVersion;
      } else {
        const object = transform(event.object);
        if (event.type === 'DELETED') store.remove(object);
        else store.put(object, 'stream');
        version = event.object.metadata.resourceVersion;
      }
    }
  }

  function start(): void {
    loop ??= run();
  }

  async function stop(): Promise<void> {
    stopping.abort();
    await loop;
    first.reject(new Error(`the reflector of ${resource.plural} was stopped before its first list`));
  }

  return {
    store: {
      get: store.get,
      list: store.list,
      byIndex: store.byIndex,
      observeWrite: (object) => {
        store.put(transform(object), 'write');
      },
      observeDelete: store.forget,
    },
    onChange: (listener) => listeners.push(listener),
    start,
    synced: first.promise,
    hasSynced: () => synced,
    absence: () => absent,
    stop,
  };
}

function pickSelection({ namespace, labelSelector, fieldSelector }: Selection): Selection {
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
}

function retryAfterMs(error: unknown): number {
  return isKubeError(error) ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
}
