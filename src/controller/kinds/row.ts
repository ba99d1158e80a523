/** What is said of a kind, or of a part of its objects, once: its row in `kinds.ts`. */
import type { AppRelease } from '../../api/app-release.ts';
import type { VmPool } from '../../api/vm-pool.ts';
import type { Stored } from '../../kube/store.ts';
import type { KubeObject, Live, Resource } from '../../kube/types.ts';
import type { Node, PlacedPod } from '../../scheduling/objects.ts';

export type KindRow<T extends KubeObject, S extends Stored> = CachedKind<T, S> & (ReleaseNews<S> | PoolNews<S>);

interface CachedKind<T extends KubeObject, S extends Stored> {
  resource: Resource<T>;
  /** The fields that rules read. */
  toCached: (object: Live<T>) => S;
  /** Left out: all objects of the kind. */
  selection?: Selection;
  /** Indexes besides `release`. */
  indexes?: Readonly<Record<string, (object: S) => string[]>>;
  /** Of no use but for all namespaces at once: an operator of some namespaces does not watch it. */
  needsAllNamespaces?: true;
  /** The rights that the operator needs: see manifests/operator/rbac.yaml. */
  verbs: readonly RbacVerb[];
  /** The same for the kind's status. */
  statusVerbs?: readonly RbacVerb[];
}

export type RbacVerb = 'get' | 'list' | 'watch' | 'create' | 'patch' | 'delete';

/** The same selection, as the API server is asked for it and as a function of an object. */
interface Selection {
  labelSelector?: string;
  fieldSelector?: string;
  matches: (object: Live<KubeObject>) => boolean;
}

/** A change enqueues AppReleases. */
interface ReleaseNews<S> {
  tells: 'releases';
  /** `namespace/name` of the releases that the object belongs to: also the index `release`. */
  releaseOf: (object: S) => string[];
  /** Other releases to enqueue when the object changes. */
  alsoTells?: (object: S, releases: readonly AppRelease[]) => string[];
  /** What is handled before everything else. */
  isUrgent?: (object: S) => boolean;
  /** Whether a change is worth a pass. Left out: each is. */
  isNews?: (object: S, old: S) => boolean;
}

/** A change is about VMs, their pools or the pods on them. */
interface PoolNews<S> {
  tells: 'pools';
  toPoolChange: (change: { object: S; old?: S }) => PoolChange;
}

/** What changed; with `old` where it was there before. */
export type PoolChange =
  | { kind: 'VMPool'; object: VmPool; old?: VmPool }
  | { kind: 'Node'; object: Node; old?: Node }
  | { kind: 'Pod'; object: PlacedPod; old?: PlacedPod };
