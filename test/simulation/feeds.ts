/** The operator's caches: the real stores and transforms. The simulation feeds them with the world's events. */
import type { AppRelease } from '../../src/api/app-release.ts';
import { LABEL } from '../../src/api/meta.ts';
import type { ReleaseRollback } from '../../src/api/release-rollback.ts';
import type { Cache, Caches } from '../../src/controller/kinds/caches.ts';
import {
  FORMER_INDEX,
  formerIn,
  NAMESPACE_INDEX,
  NODE_INDEX,
  RELEASE_INDEX,
} from '../../src/controller/kinds/caches.ts';
import {
  APP_RELEASES,
  AUTOSCALERS,
  BUDGETS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  toCachedAutoscaler,
  toCachedBudget,
  toCachedDeployment,
  toCachedNode,
  toCachedPlacedPod,
  toCachedPod,
  toCachedPromotion,
  toCachedRelease,
  toCachedRevision,
  toCachedRollback,
  toCachedService,
  toCachedSlice,
  toCachedVmPool,
  NODES,
  PODS,
  PROMOTIONS,
  releaseOfLabel,
  releaseOfSpec,
  REVISIONS,
  ROLLBACKS,
  SERVICES,
  VM_POOLS,
} from '../../src/controller/kinds/resources.ts';
import type { Stored } from '../../src/kube/store.ts';
import { createStore } from '../../src/kube/store.ts';
import type { KubeObject, Live, Resource } from '../../src/kube/types.ts';
import type { PlacedPod } from '../../src/scheduling/objects.ts';
import type { ControllerRevision, Pod, Service } from '../../src/release/record/kube-objects.ts';
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
export function createFeeds(world: World, notify: (key: string) => void, onVmChange: (pool?: string) => void): Feeds {
  const list: Feed[] = [];
  const knowledge: Knowledge = { release: new Map(), pods: new Map(), rollbacks: new Map(), revisions: new Map() };

  function cache<T extends KubeObject, S extends Stored>(
    { kind }: Resource<T>,
    transform: (object: Live<T>) => S,
    releaseOf: (object: S) => string[] = () => [],
    isSelected: (object: WorldObject) => boolean = () => true,
    onChange?: (object: S) => void,
  ): Cache<S> {
    const store = createStore<S>({
      indexes: {
        [RELEASE_INDEX]: releaseOf,
        [NODE_INDEX]: nodeOf,
        [NAMESPACE_INDEX]: namespaceOf,
        [FORMER_INDEX]: formerOf,
      },
      onChange: (change) => {
        for (const key of releaseOf(change.object)) notify(key);
        if (onChange) onChange(change.object);
        if (change.type === 'modified') for (const key of releaseOf(change.old)) notify(key);
      },
    });
    const changes = world.changes(kind);
    let position = 0;

    function isIn(object: WorldObject | undefined): object is WorldObject {
      return object !== undefined && isSelected(object);
    }

    /** The answer to a write is no event, and the object may no longer match the selector. */
    function keep(object: WorldObject): S {
      return transform(object as unknown as Live<T>);
    }

    list.push({
      behind: () => position < changes.length,
      deliver: () => {
        const change = changes[position];
        position += 1;
        if (!change) return;
        if (change.type !== 'DELETED' && isIn(change.object)) store.put(keep(change.object), 'stream');
        else if (isIn(change.type === 'DELETED' ? change.object : change.old)) store.remove(keep(change.object));
      },
      relist: () => {
        position = changes.length;
        store.replace(world.list(kind).filter(isIn).map(keep), world.version(), false);
      },
    });
    return {
      get: store.get,
      list: store.list,
      byIndex: store.byIndex,
      observeWrite: (object) => {
        store.put(transform(object as Live<T>), 'write');
      },
      observeDelete: store.forget,
    };
  }

  const caches: Caches = {
    releases: cache(APP_RELEASES, toCachedRelease, ({ metadata }) => [`${metadata.namespace}/${metadata.name}`]),
    rollbacks: cache(ROLLBACKS, toCachedRollback, releaseOfSpec),
    promotions: cache(PROMOTIONS, toCachedPromotion, releaseOfSpec),
    revisions: cache(REVISIONS, toCachedRevision, releaseOfLabel, isOurs),
    deployments: cache(DEPLOYMENTS, toCachedDeployment, releaseOfLabel, isOurs),
    services: cache(SERVICES, toCachedService, releaseOfLabel, isOurs),
    autoscalers: cache(AUTOSCALERS, toCachedAutoscaler, releaseOfLabel, isOurs),
    budgets: cache(BUDGETS, toCachedBudget, releaseOfLabel),
    pods: cache(PODS, toCachedPod, releaseOfLabel, isOurs),
    slices: cache(ENDPOINT_SLICES, toCachedSlice, releaseOfLabel, isOurs),
    nodes: cache(NODES, toCachedNode, undefined, undefined, () => {
      onVmChange();
    }),
    vmPools: cache(VM_POOLS, toCachedVmPool, undefined, undefined, ({ metadata }) => {
      onVmChange(metadata.name);
    }),
    placed: cache(PODS, toCachedPlacedPod, undefined, isPlaced, () => {
      onVmChange();
    }),
  };
  return { caches: noting(caches, knowledge), list, knowledge };
}

function nodeOf(object: Stored | PlacedPod): string[] {
  return 'nodeName' in object ? [object.nodeName] : [];
}

/** Only for Services. */
function formerOf(object: Stored | Service): string[] {
  return 'spec' in object && 'selector' in object.spec ? formerIn(object) : [];
}

function namespaceOf({ metadata }: Stored): string[] {
  return metadata.namespace === undefined ? [] : [metadata.namespace];
}

function isOurs({ metadata }: WorldObject): boolean {
  return metadata.labels?.[LABEL.release] !== undefined;
}

function isPlaced({ spec }: WorldObject): boolean {
  return (spec as { nodeName?: string } | undefined)?.nodeName !== undefined;
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
