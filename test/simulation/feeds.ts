/** The operator's caches: the real stores and transforms. The simulation feeds them with the world's events. */
import type { AppRelease } from '../../src/api/app-release.ts';
import type { ReleaseRollback } from '../../src/api/release-rollback.ts';
import type { Cache, Caches } from '../../src/controller/kinds/caches.ts';
import { cachedForm, cachesOfKinds, indexesOf } from '../../src/controller/kinds/caches.ts';
import type { KindRow } from '../../src/controller/kinds/row.ts';
import type { Change, Stored } from '../../src/kube/store.ts';
import { createStore } from '../../src/kube/store.ts';
import type { KubeObject, Live } from '../../src/kube/types.ts';
import type { ControllerRevision, Pod } from '../../src/release/record/kube-objects.ts';
import type { World, WorldObject } from './world.ts';

/** The cache of one kind, and its position in the stream. */
export interface Feed {
  behind: () => boolean;
  /** Applies one change. */
  deliver: () => void;
  relist: () => void;
}

/** The caches that a pass used, by the release's key, because rules check a write against the knowledge of its author. */
export interface Knowledge {
  release: Map<string, AppRelease>;
  pods: Map<string, Map<string, Pod>>;
  rollbacks: Map<string, readonly ReleaseRollback[]>;
  revisions: Map<string, readonly ControllerRevision[]>;
}

export interface Feeds {
  caches: Caches;
  list: Feed[];
  knowledge: Knowledge;
}

/** `onVmChange`: VMs, pools or pods on the VMs changed; with the name of a pool, its spec changed. */
export function createFeeds(
  world: World,
  notify: (key: string, isUrgent?: boolean) => void,
  onVmChange: (pool?: string) => void,
): Feeds {
  const list: Feed[] = [];
  const knowledge: Knowledge = { release: new Map(), pods: new Map(), rollbacks: new Map(), revisions: new Map() };

  function tell<T extends KubeObject, S extends Stored>(row: KindRow<T, S>, change: Change<S>): void {
    if (row.tells === 'pools') {
      const { kind, object } = row.toPoolChange(change);
      onVmChange(kind === 'VMPool' ? object.metadata.name : undefined);
      return;
    }
    const isUrgent = row.isUrgent?.(change.object);
    for (const key of row.releaseOf(change.object)) notify(key, isUrgent);
    if (change.type === 'modified') for (const key of row.releaseOf(change.old)) notify(key, isUrgent);
  }

  function cacheOf<T extends KubeObject, S extends Stored>(row: KindRow<T, S>): Cache<S> {
    const { kind } = row.resource;
    const store = createStore<S>({
      indexes: indexesOf(row),
      onChange: (change) => {
        tell(row, change);
      },
    });
    const changes = world.changes(kind);
    let position = 0;

    function isIn(object: WorldObject | undefined): object is WorldObject {
      return object !== undefined && (row.selection?.matches(object) ?? true);
    }

    /** The answer to a write is no event, and the object may no longer match the selector. */
    function toCached(object: WorldObject): S {
      return cachedForm(row, store, object as unknown as Live<T>);
    }

    list.push({
      behind: () => position < changes.length,
      deliver: () => {
        const change = changes[position];
        position += 1;
        if (!change) return;
        if (change.type !== 'DELETED' && isIn(change.object)) store.put(toCached(change.object), 'stream');
        else if (isIn(change.type === 'DELETED' ? change.object : change.old)) store.remove(toCached(change.object));
      },
      relist: () => {
        position = changes.length;
        store.replace(world.list(kind).filter(isIn).map(toCached), world.version(), false);
      },
    });
    return {
      get: store.get,
      list: store.list,
      byIndex: store.byIndex,
      observeWrite: (object) => {
        store.put(cachedForm(row, store, object as Live<T>), 'write');
      },
      observeDelete: store.forget,
    };
  }

  return { caches: noting(cachesOfKinds(cacheOf), knowledge), list, knowledge };
}

/** Records the reads of a pass. */
function noting(caches: Caches, knowledge: Knowledge): Caches {
  return {
    ...caches,
    releases: {
      ...caches.releases,
      get: (namespace, name) => {
        const release = caches.releases.get(namespace, name);
        if (release) knowledge.release.set(`${namespace ?? ''}/${name}`, release);
        return release;
      },
    },
    pods: {
      ...caches.pods,
      byIndex: (index, key) => {
        const pods = caches.pods.byIndex(index, key);
        knowledge.pods.set(key, new Map(pods.map((pod) => [pod.metadata.name, pod])));
        return pods;
      },
    },
    revisions: {
      ...caches.revisions,
      byIndex: (index, key) => {
        const revisions = caches.revisions.byIndex(index, key);
        knowledge.revisions.set(key, revisions);
        return revisions;
      },
    },
    rollbacks: {
      ...caches.rollbacks,
      byIndex: (index, key) => {
        const rollbacks = caches.rollbacks.byIndex(index, key);
        knowledge.rollbacks.set(key, rollbacks);
        return rollbacks;
      },
    },
  };
}
