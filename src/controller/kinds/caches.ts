import type { AppRelease } from '../../api/app-release.ts';
import { LABEL } from '../../api/meta.ts';
import type { ReleasePromotion } from '../../api/release-promotion.ts';
import type { ReleaseRollback } from '../../api/release-rollback.ts';
import type { Reflector, ReflectorOptions, ReflectorStore } from '../../kube/reflector.ts';
import { createReflector } from '../../kube/reflector.ts';
import type { Stored } from '../../kube/store.ts';
import type { KubeClient, KubeObject, Live, Resource } from '../../kube/types.ts';
import { findCondition } from '../../api/conditions.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { VmPool } from '../../api/vm-pool.ts';
import type { Node, PlacedPod } from '../../scheduling/objects.ts';
import type {
  Autoscaler,
  Budget,
  ControllerRevision,
  Deployment,
  EndpointSlice,
  Pod,
  Service,
} from '../../release/record/kube-objects.ts';
import { BUDGET_INDEX, bindingOf, indexBudget } from './budget-index.ts';
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
} from './resources.ts';

/** A cache that also takes the answers of writes, so that the next pass reads what the last one wrote. */
export type Cache<S> = Pick<ReflectorStore<KubeObject, S>, 'get' | 'list' | 'byIndex'> & {
  observeWrite: (object: Live<KubeObject>) => void;
  observeDelete: (object: Stored) => void;
};

/** What a pass reads. Every cache but the nodes' has the index `release` (namespace/name). */
export interface Caches {
  /** Index `namespace` besides. */
  releases: Cache<AppRelease>;
  rollbacks: Cache<ReleaseRollback>;
  promotions: Cache<ReleasePromotion>;
  revisions: Cache<ControllerRevision>;
  deployments: Cache<Deployment>;
  /** Index `former` besides: by namespace/track, those that select by their track alone. */
  services: Cache<Service>;
  autoscalers: Cache<Autoscaler>;
  /** Everybody’s; index `budget` besides. */
  budgets: Cache<Budget>;
  pods: Cache<Pod>;
  slices: Cache<EndpointSlice>;
  nodes: Cache<Node>;
  vmPools: Cache<VmPool>;
  /** Everybody's pods that take room on a node; index `node`. Empty for an operator of some namespaces only. */
  placed: Cache<PlacedPod>;
}

export const RELEASE_INDEX = 'release';
export const NODE_INDEX = 'node';
const NAMESPACE_INDEX = 'namespace';
export const FORMER_INDEX = 'former';

/** The track of a Service that was made before Services selected their release alone: they get ever fewer. */
export function formerOn({ metadata, spec: { selector = {} } }: Service): string[] {
  const track = selector[LABEL.track];
  return track === undefined || selector[LABEL.release] !== undefined ? [] : [`${metadata.namespace}/${track}`];
}

/** What changed; with `old` where it was there before. */
export type PoolChange =
  | { kind: 'VMPool'; object: VmPool; old?: VmPool }
  | { kind: 'Node'; object: Node; old?: Node }
  | { kind: 'Pod'; object: PlacedPod; old?: PlacedPod };

interface CacheOptions<S> {
  labelSelector?: string;
  /** What must not wait. */
  isUrgent?: (object: S) => boolean;
  /** Whether a change tells a release anything. Left out: each does. */
  isNews?: (object: S, old: S) => boolean;
  indexes?: Readonly<Record<string, (object: S) => string[]>>;
  /** Releases that it tells something besides those that it belongs to. */
  concerns?: (object: S) => string[];
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
  /** A release's key (namespace/name): something about it changed. */
  enqueue: (key: string) => void;
  /** The same, for what must not wait: a rollback. */
  enqueueFirst: (key: string) => void;
  /** A VM, a pool of them, or what takes room on them changed. */
  onPoolChange?: (change: PoolChange) => void;
  onError: (error: unknown) => void;
  /** Left out or empty: all of them. */
  namespaces?: readonly string[];
}

/** The operator's caches: what carries our label, the three kinds, and the nodes. */
export function createCaches(options: CachesOptions): RunningCaches {
  const { client, enqueue, enqueueFirst, onError, namespaces = [] } = options;
  const reflectors: Pick<Reflector<KubeObject, Stored>, 'start' | 'synced' | 'hasSynced' | 'stop'>[] = [];

  function cache<T extends KubeObject, S extends Stored>(
    resource: Resource<T>,
    transform: (object: Live<T>) => S,
    releaseOf?: (object: S) => string[],
    { labelSelector, isUrgent, isNews, indexes, concerns }: CacheOptions<S> = {},
  ): Cache<S> {
    function reflect(namespace?: string): Cache<S> {
      const reflector = createReflector({
        client,
        resource,
        transform,
        onError,
        indexes: { ...indexes, ...(releaseOf && { [RELEASE_INDEX]: releaseOf }) },
        ...(labelSelector !== undefined && { labelSelector }),
        ...(namespace !== undefined && { namespace }),
      });
      reflector.onChange((change) => {
        if (change.type === 'modified' && isNews?.(change.object, change.old) === false) return;
        const add = isUrgent?.(change.object) ? enqueueFirst : enqueue;
        for (const object of change.type === 'modified' ? [change.object, change.old] : [change.object])
          for (const key of [...(releaseOf?.(object) ?? []), ...(concerns?.(object) ?? [])]) add(key);
      });
      reflectors.push(reflector);
      return reflector.store as Cache<S>;
    }
    // One list and watch for each namespace: rights in all of them are not needed.
    if (!resource.namespaced || namespaces.length === 0) return reflect();
    return joinCaches(new Map(namespaces.map((namespace) => [namespace, reflect(namespace)])));
  }

  /** Of what belongs to VMs and not to a release. */
  function poolCache<T extends KubeObject, S extends VmPool | Node | PlacedPod>(
    resource: Resource<T>,
    transform: (object: Live<T>) => S,
    kind: PoolChange['kind'],
    selection: Pick<ReflectorOptions<T, S>, 'fieldSelector' | 'indexes'> = {},
  ): Cache<S> {
    const reflector = createReflector({ client, resource, transform, onError, ...selection });
    reflector.onChange((change) => {
      const old = change.type === 'modified' && { old: change.old };
      options.onPoolChange?.({ kind, object: change.object, ...old } as PoolChange);
    });
    reflectors.push(reflector);
    return reflector.store as Cache<S>;
  }

  /** The releases whose pods somebody else's budget may select. */
  function neighboursOf(budget: Budget): string[] {
    const { namespace } = budget.metadata;
    if (releaseOfLabel(budget).length > 0 || !budget.spec.selector) return [];
    const binding = bindingOf(budget);
    if (binding?.label === LABEL.release) return [`${namespace}/${binding.value}`];
    if (binding) {
      const deployment = caches.deployments.get(namespace, binding.value);
      return deployment ? releaseOfLabel(deployment) : [];
    }
    return caches.releases.byIndex(NAMESPACE_INDEX, namespace).map(({ metadata }) => `${namespace}/${metadata.name}`);
  }

  const ours = { labelSelector: LABEL.release };
  const caches: Caches = {
    releases: cache(APP_RELEASES, toCachedRelease, ({ metadata }) => [`${metadata.namespace}/${metadata.name}`], {
      indexes: { [NAMESPACE_INDEX]: ({ metadata }) => [metadata.namespace] },
    }),
    rollbacks: cache(ROLLBACKS, toCachedRollback, releaseOfSpec, { isUrgent: isUnanswered }),
    promotions: cache(PROMOTIONS, toCachedPromotion, releaseOfSpec),
    revisions: cache(REVISIONS, toCachedRevision, releaseOfLabel, ours),
    deployments: cache(DEPLOYMENTS, toCachedDeployment, releaseOfLabel, ours),
    services: cache(SERVICES, toCachedService, releaseOfLabel, {
      ...ours,
      indexes: { [FORMER_INDEX]: formerOn },
    }),
    autoscalers: cache(AUTOSCALERS, toCachedAutoscaler, releaseOfLabel, { ...ours, isNews: isNewsOfAutoscaler }),
    budgets: cache(BUDGETS, toCachedBudget, releaseOfLabel, {
      indexes: { [BUDGET_INDEX]: indexBudget },
      concerns: neighboursOf,
    }),
    pods: cache(PODS, toCachedPod, releaseOfLabel, ours),
    slices: cache(ENDPOINT_SLICES, toCachedSlice, releaseOfLabel, ours),
    nodes: poolCache(NODES, toCachedNode, 'Node'),
    vmPools: poolCache(VM_POOLS, toCachedVmPool, 'VMPool'),
    placed: namespaces.length === 0 ? poolCache(PODS, toCachedPlacedPod, 'Pod', PLACED) : EMPTY,
  };
  const synced = Promise.all(reflectors.map(({ synced }) => synced));
  // Who never waits for it, as a standby that never leads, must not end by its failure.
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

/** What the scheduler counts: bound, and not at its end. */
const PLACED = {
  fieldSelector: 'spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed',
  indexes: { [NODE_INDEX]: ({ nodeName }: PlacedPod) => [nodeName] },
};

const EMPTY: Cache<PlacedPod> = {
  get: () => undefined,
  list: () => [],
  byIndex: () => [],
  observeWrite: () => undefined,
  observeDelete: () => undefined,
};

/** The caches of several namespaces as one. */
function joinCaches<S>(byNamespace: ReadonlyMap<string | undefined, Cache<S>>): Cache<S> {
  const caches = [...byNamespace.values()];
  return {
    get: (namespace, name) => byNamespace.get(namespace)?.get(namespace, name),
    list: () => caches.flatMap((cache) => cache.list()),
    byIndex: (index, value) => caches.flatMap((cache) => cache.byIndex(index, value)),
    observeWrite: (object) => byNamespace.get(object.metadata.namespace)?.observeWrite(object),
    observeDelete: (object) => byNamespace.get(object.metadata.namespace)?.observeDelete(object),
  };
}

/** Its controller writes what it measured every few seconds: nothing follows from that. */
export function isNewsOfAutoscaler(object: Autoscaler, old: Autoscaler): boolean {
  const { resourceVersion } = object.metadata;
  return canonicalJson(object) !== canonicalJson({ ...old, metadata: { ...old.metadata, resourceVersion } });
}

/** Only the answer and the switch go before everything else: what follows from them has time. */
function isUnanswered({ status }: ReleaseRollback): boolean {
  return findCondition(status?.conditions, 'Accepted') === undefined;
}
