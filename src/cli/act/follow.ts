/** Follows objects that a command created until each is done, by a watch, or by reads where the user may not watch. */
import { setTimeout as pause } from 'node:timers/promises';
import { getIfThere } from '../../kube/client.ts';
import { isForbidden, isGone, isKubeError, isTransient } from '../../kube/errors.ts';
import { createReflector } from '../../kube/reflector.ts';
import type { KubeObject, Live, Resource } from '../../kube/types.ts';
import type { Session } from '../session.ts';

/** Settles: done unless it changes within the next seconds. */
export type Progress = 'More' | 'Settles' | 'Done';

export interface FollowOptions<T extends KubeObject> {
  readonly resource: Resource<T>;
  /** The objects as they were created. */
  readonly objects: readonly Live<T>[];
  readonly timeoutMs: number;
  /** Receives each state of an object that is not done; `undefined`: it was deleted. */
  readonly onState: (name: string, object: Live<T> | undefined) => Progress;
}

/** Done: all of them are. NotAllowed: the user may not read them. */
export type FollowEnd = 'Done' | 'TimedOut' | 'NotAllowed';

const SETTLE_MS = 3000;
/** How often the objects are read without the right to watch them (ms). */
const POLL_MS = 1000;

export async function followObjects<T extends KubeObject>(
  { client, namespace, io }: Pick<Session, 'client' | 'namespace' | 'io'>,
  { resource, objects, timeoutMs, onState }: FollowOptions<T>,
): Promise<FollowEnd> {
  const open = new Set(objects.map(({ metadata }) => metadata.name));
  const settling = new Map<string, NodeJS.Timeout>();
  const ended = Promise.withResolvers<FollowEnd>();
  function finish(name: string): void {
    open.delete(name);
    if (open.size === 0) ended.resolve('Done');
  }
  function seen(name: string, object: Live<T> | undefined): void {
    if (!open.has(name)) return;
    const progress = onState(name, object);
    if (progress === 'Done') finish(name);
    if (progress === 'Settles' && !settling.has(name))
      settling.set(
        name,
        setTimeout(() => {
          finish(name);
        }, SETTLE_MS),
      );
    if (progress === 'More') {
      clearTimeout(settling.get(name));
      settling.delete(name);
    }
  }

  const [only, ...others] = open;
  const watching = Promise.withResolvers<undefined>();
  const reflector = createReflector({
    client,
    resource,
    namespace,
    ...(only !== undefined && others.length === 0 && { fieldSelector: `metadata.name=${only}` }),
    transform: (object: Live<T>) => object,
    onError: (error) => {
      if (isKubeError(error) && !isTransient(error) && !isGone(error)) watching.reject(error);
    },
  });
  reflector.onChange(({ object, type }) => {
    seen(object.metadata.name, type === 'deleted' ? undefined : object);
  });

  const over = new AbortController();
  async function poll(): Promise<FollowEnd> {
    while (!over.signal.aborted) {
      try {
        for (const name of open) seen(name, await getIfThere(client, resource, { namespace, name }));
      } catch (error) {
        if (isForbidden(error)) return 'NotAllowed';
        if (!isTransient(error)) throw error;
      }
      await pause(POLL_MS, undefined, { signal: over.signal }).catch(() => undefined);
    }
    return ended.promise;
  }
  const timer = setTimeout(() => {
    ended.resolve('TimedOut');
  }, timeoutMs);
  function interrupt(): void {
    ended.reject(new Error('interrupted'));
  }
  io.interrupted.addEventListener('abort', interrupt);
  try {
    reflector.start();
    void reflector.synced.then(
      () => {
        for (const name of [...open]) if (!reflector.store.get(namespace, name)) seen(name, undefined);
      },
      () => undefined,
    );
    return await Promise.race([ended.promise, watching.promise.then(() => ended.promise, poll)]);
  } finally {
    over.abort();
    clearTimeout(timer);
    for (const settle of settling.values()) clearTimeout(settle);
    io.interrupted.removeEventListener('abort', interrupt);
    await reflector.stop();
  }
}
