// Waits for what the API server's watches show, with the time at which they showed it.
import { createReflector } from '../../src/kube/reflector.ts';
import type { Stored } from '../../src/kube/store.ts';
import type { KubeClient, KubeObject, Live, Resource, Selection } from '../../src/kube/types.ts';

/** The objects of one kind in one namespace, as the API server's watch tells them. */
export interface Watched<S> {
  get: (name: string) => S | undefined;
  list: () => readonly S[];
  /**
   * Resolves once the condition held for every name at least once, with `performance.now()` of the last one.
   * @throws Error naming those that are missing, once none has come for `patienceSeconds`
   */
  every: (
    what: string,
    names: readonly string[],
    holds: (object: S) => boolean,
    patienceSeconds?: number,
  ) => Promise<number>;
  stop: () => Promise<void>;
}

interface Wait<S> {
  left: Set<string>;
  /** One more has come. */
  onProgress: () => void;
  holds: (object: S) => boolean;
  done: (at: number) => void;
}

/** Lists and watches; `keep` says what of an object is kept. */
export async function watchObjects<T extends KubeObject, S extends Stored>(
  client: KubeClient,
  resource: Resource<T>,
  keep: (object: Live<T>) => S,
  selection: Selection,
): Promise<Watched<S>> {
  const waits = new Set<Wait<S>>();
  const reflector = createReflector({ client, resource, transform: keep, ...selection });
  reflector.onChange((change) => {
    if (change.type === 'deleted') return;
    for (const wait of waits) look(wait, change.object);
  });
  reflector.start();
  await reflector.synced;

  function look(wait: Wait<S>, object: S): void {
    const { name } = object.metadata;
    if (!wait.left.has(name) || !wait.holds(object)) return;
    wait.left.delete(name);
    wait.onProgress();
    if (wait.left.size === 0) wait.done(performance.now());
  }

  async function every(
    what: string,
    names: readonly string[],
    holds: (object: S) => boolean,
    patienceSeconds = 180,
  ): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const timer = setTimeout(() => {
      const missing = [...wait.left].slice(0, 3).join(', ');
      const why = `none has come for ${patienceSeconds} s`;
      reject(new Error(`${what}: ${wait.left.size} of ${names.length} missing, ${why}: ${missing}`));
    }, patienceSeconds * 1000);
    const wait: Wait<S> = { left: new Set(names), holds, done: resolve, onProgress: () => timer.refresh() };
    waits.add(wait);
    for (const object of reflector.store.list()) look(wait, object);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      waits.delete(wait);
    }
  }

  return {
    get: (name) => reflector.store.get(selection.namespace, name),
    list: reflector.store.list,
    every,
    stop: reflector.stop,
  };
}
