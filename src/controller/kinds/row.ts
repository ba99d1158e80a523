/** The type of a row in `kinds.ts`: the properties of a kind, or of a selection of its objects. */
import type { AppRelease } from '../../api/app-release.ts';
import type { VmPool } from '../../api/vm-pool.ts';
import type { Store, Stored } from '../../kube/store.ts';
import type { KubeObject, Live, Resource } from '../../kube/types.ts';
import type { Deployment } from '../../release/record/kube-objects.ts';
import type { Namespace, Node, PlacedPod } from '../../scheduling/objects.ts';

export type KindRow<T extends KubeObject, S extends Stored> = CachedKind<T, S> & (ReleaseNews<S> | PoolNews<S>);

interface CachedKind<T extends KubeObject, S extends Stored> {
  resource: Resource<T>;
  /** The fields that rules read. */
  toCached: (object: Live<T>) => S;
  /** The new object with those parts of the cached one that did not change, so that results kept by object are found again. */
  reuse?: (old: S, object: S) => S;
  /** Left out: all objects of the kind. */
  selection?: RowSelection;
  /** Indexes besides `release`. */
  indexes?: Readonly<Record<string, (object: S) => string[]>>;
  /** The cache must have the objects of all namespaces. An operator of some namespaces does not fill it. */
  needsAllNamespaces?: true;
  /** The cluster may lack the kind's CRD, or the operator the rights: the cache is empty then, and says why. */
  isOptional?: true;
  /** The rights that the operator needs: see manifests/operator/rbac.yaml. */
  verbs: readonly RbacVerb[];
  /** The same for the kind's status. */
  statusVerbs?: readonly RbacVerb[];
}

export type RbacVerb = 'get' | 'list' | 'watch' | 'create' | 'patch' | 'delete';

/** Selectors for the API server, and the same selection as a function. */
interface RowSelection {
  labelSelector?: string;
  fieldSelector?: string;
  matches: (object: Live<KubeObject>) => boolean;
}

/** Changes of the object enqueue AppReleases. */
interface ReleaseNews<S> {
  tells: 'releases';
  /** `namespace/name` of the releases that the object belongs to: also the index `release`. */
  releaseOf: (object: S) => string[];
  /** Other releases to enqueue when the object changes. */
  alsoTells?: (object: S, caches: NeighbourCaches) => string[];
  /** Whether the change is handled before all others. */
  isUrgent?: (object: S) => boolean;
  /** Whether changes come in swarms, as those of pods do: one pass is enough for all of a short time. */
  settles?: true;
  /** Whether a change needs a pass. Left out: every change does. */
  isNews?: (object: S, old: S) => boolean;
}

/** The caches in which `alsoTells` finds other releases. */
export interface NeighbourCaches {
  releases: Pick<Store<AppRelease>, 'byIndex'>;
  deployments: Pick<Store<Deployment>, 'get'>;
}

/** Changes of the object go to the controller of VMPools and to the releases that wait for VMs. */
interface PoolNews<S> {
  tells: 'pools';
  toPoolChange: (change: { object: S; old?: S }) => PoolChange;
}

/** An object that changed; `old` is the object before the change, if there was one. */
export type PoolChange =
  | { kind: 'VMPool'; object: VmPool; old?: VmPool }
  | { kind: 'Node'; object: Node; old?: Node }
  | { kind: 'Pod'; object: PlacedPod; old?: PlacedPod }
  | { kind: 'Namespace'; object: Namespace; old?: Namespace };
