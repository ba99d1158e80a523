/** The view of a release that all rules share: pools with their workloads, groups with their Service, and holds. */
import type { AppReleaseSpec, Pool, Stage } from '../../api/app-release.ts';
import type { GateReason } from '../../api/reasons.ts';
import type { RollbackPoolStatus, ReleaseRollback } from '../../api/release-rollback.ts';
import type { HeldNames } from './held-names.ts';
import type { LostRevision } from './lost.ts';
import type { Autoscaler, ControllerRevision, Deployment, Pod } from '../record/kube-objects.ts';
import type { Drained } from '../traffic/drained-since.ts';
import type { Traffic } from '../traffic/service.ts';
import type { MovedTag, Observed } from './observed.ts';
import type { Owner, StrategyType } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import type { ForeignScale, LedgerRecord, Placement, Topology } from '../record/recorded-data.ts';
import type { Evacuation, RouteNotes } from '../record/route-notes.ts';
import type { InvalidSpec, Wanted } from './wanted-states.ts';

/** A Deployment of the release and its pods. */
export interface Workload {
  deployment: Deployment;
  name: string;
  pool: string;
  revision: number;
  track: string;
  strategy: StrategyType;
  placement: Placement;
  key: string;
  /** Pods that are not being deleted. */
  pods: readonly Pod[];
  ready: number;
  /** At most the Deployment's status.readyReplicas: pods of a deleted Deployment of the same name may still be ready. */
  ownReady: number;
}

/** `on`: the Deployment that has the size. */
export interface PoolScale extends ForeignScale {
  on: Workload;
}

/** A size that a pool keeps, because another one came in one edit with a revision that does not serve yet. */
export interface KeptSize {
  size: number;
  /** That revision, once it is recorded. */
  until?: Revision;
}

export interface Hold {
  rollback: ReleaseRollback;
  pool: RollbackPoolStatus;
}

/** The observed state of a pool and its spec. */
export interface PoolState {
  name: string;
  stage: Stage;
  spec: Pool;
  placement: Placement;
  workloads: readonly Workload[];
  /** Deployments of the release with an unreadable identity. They can only be deleted. */
  strays: readonly Workload[];
  /** Whether the Service selects `current`; true for a release without Services. */
  selected: boolean;
  /** The revision that the pool's Service selects; with no Service, the one of its Deployment. */
  served?: Revision;
  /** The pool serves a revision without a record. The pool changes only for another version or a rollback. */
  lost?: LostRevision;
  current?: Workload;
  /** `replicas` of the pool in the last recorded spec. */
  recordedReplicas?: number;
  /** The size that another manager set, if it differs from what the spec says. */
  scaled?: PoolScale;
  /** The size that the pool keeps until the wanted revision serves. */
  keptSize?: KeptSize;
  autoscaler?: Autoscaler;
  hold?: Hold;
  /** The revision that entered the pool last. */
  entered?: Revision;
  /** The least size of an autoscaled pool, because of an exposure. */
  floor?: number;
}

/**
 * - `Return`: the pool goes back to a revision that was good here, without gates and soak, and switches when the target is
 *   not worse than the serving pods.
 * - `Move`: the serving revision moves to the VMs that the spec names.
 */
export type Mode = 'Promote' | 'Return' | 'Move';

export interface PoolTarget {
  revision: Revision;
  mode: Mode;
  placement: Placement;
  strategy: StrategyType;
  key: string;
  /** The track that the Service selects for the target. */
  track: string;
  /** The name of the Deployment, which may not exist yet. */
  name: string;
  /** The Deployment that runs the target, if it exists. */
  workload?: Workload;
}

/** The progress of a move of the serving revision to other VMs. `Entering`: the move starts in this pass. */
export interface PoolMove {
  state: 'Waiting' | 'Entering' | 'Moving' | 'Late';
  reason: 'Moving' | 'NoCapacity' | 'MoveNotReady';
  message: string;
  /** When this may change by itself (ms since the epoch). */
  until?: number;
}

/** A pool with the values that are derived from its state. */
export interface PoolView extends PoolState {
  /** The pools that share its Service. */
  group: Group;
  /**
   * The strategy that the pool rolls out with. A change of the strategy waits until every pool serves the wanted revision.
   */
  strategy: StrategyType;
  /** The key of the placement in the spec and a strategy. */
  keyUnder: (strategy: StrategyType) => string;
  /** The number of pods that should serve. */
  replicas: number;
  /** The target of the pool; undefined if no revision has entered it. */
  readonly target: PoolTarget | undefined;
  /** The move of the serving revision; undefined if it is on the VMs that the spec names. */
  readonly move: PoolMove | undefined;
}

/** The pools behind one Service, which switch in one write, or one pool without a Service. */
export interface Group extends Traffic {
  pools: readonly PoolView[];
}

/** A Service that the route of the release leads to. */
export interface Share {
  group: Group;
  service: string;
  /** It is the second Service of the group. */
  isNext?: true;
  weight: number;
  /** Why the weight is not that of the spec. */
  message?: string;
  /** Its traffic leaves, or comes back, because of maintenance. */
  evacuation?: Evacuation;
}

/** `sizes`: those of the pools, if these are the weights. */
export interface Shares extends RouteNotes {
  shares: readonly Share[];
  /** Where requests with the headers of a stage's match go: the second Services of its pools. */
  matched: readonly { stage: Stage; shares: readonly Share[] }[];
  /** When the weights may change without another change (ms since the epoch). */
  due: readonly number[];
}

/** The reason why the wanted revision does not enter a stage. */
export interface Wait {
  reason: GateReason;
  message: string;
  /** When this may change by itself (ms since the epoch). */
  until?: number;
}

/** The part of the view that every release has. */
export interface Seen {
  now: number;
  observed: Observed;
  owner: Owner;
  revisions: readonly Revision[];
  ledgerObject?: ControllerRevision;
  record: LedgerRecord;
  /** The wanted revision, or the last wanted one while the revision of the spec is not recorded. */
  lastWanted?: Revision;
  paused?: string;
  workloads: readonly Workload[];
  heldNames: HeldNames;
  /** The process remembers it for the next plan. Lazy, because a release may have thousands of pods. */
  drained: () => Drained;
}

/** No spec was ever valid, or its record is lost, so the pools are not known. */
export interface Unknown extends Seen {
  kind: 'Unknown';
  spec?: never;
  wanted: InvalidSpec;
  groups: readonly never[];
  pools: readonly never[];
}

/** The spec is valid, or a valid spec is recorded. */
export interface Rollout extends Seen {
  kind: 'Rollout';
  /** The spec with its defaults and the VMs of its pools; absent if it is not valid. */
  spec?: AppReleaseSpec;
  /** Pinned tags of the spec that name another digest now. */
  movedTags: readonly MovedTag[];
  /** The topology of the spec, or of the last valid spec. */
  topology: Topology;
  wanted: Wanted;
  groups: readonly Group[];
  pools: readonly PoolView[];
  /** The reason why the wanted revision does not enter a stage; undefined if it may enter. */
  gate: (stage: Stage) => Wait | undefined;
  /** The Services of the route with their weights; undefined without a route. */
  readonly routed: Shares | undefined;
}

export type View = Unknown | Rollout;

/** Whether a rollback was accepted for this release and holds at least one pool. */
export function inForce(rollback: ReleaseRollback, releaseUID: string): boolean {
  const { status } = rollback;
  return (
    status?.acceptedAt !== undefined &&
    status.releaseUID === releaseUID &&
    status.endedAt === undefined &&
    (status.pools ?? []).some(({ supersededBy }) => supersededBy === undefined)
  );
}
