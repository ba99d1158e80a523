/** What is seen of a release, put in order once for all rules: pools with their workloads, groups with their Service, holds. */
import type { AppReleaseSpec, Pool, Stage } from '../../api/app-release.ts';
import type { Reason } from '../../api/reasons.ts';
import type { RollbackPoolStatus, ReleaseRollback } from '../../api/release-rollback.ts';
import type { LostRevision } from './lost.ts';
import type { Autoscaler, ControllerRevision, Deployment, Pod, Service } from '../record/kube-objects.ts';
import type { Drained } from './drained-since.ts';
import type { MovedTag, Observed } from './observed.ts';
import type { Owner, StrategyType } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import type { LedgerRecord, Placement, Topology } from '../record/recorded-data.ts';
import type { InvalidSpec, Wanted } from './wanted.ts';

/** One Deployment of ours and its pods. */
export interface Workload {
  deployment: Deployment;
  name: string;
  pool: string;
  revision: number;
  track: string;
  strategy: StrategyType;
  placement: Placement;
  key: string;
  /** Pods that are not on their way out. */
  pods: readonly Pod[];
  ready: number;
  /** Those of them that the Deployment counts as its own: a namesake that was just deleted has pods ready for a while. */
  ownReady: number;
}

export interface Hold {
  rollback: ReleaseRollback;
  pool: RollbackPoolStatus;
}

/** What a pool has and is asked for. */
export interface PoolState {
  name: string;
  stage: Stage;
  spec: Pool;
  placement: Placement;
  workloads: readonly Workload[];
  /** Deployments of ours that others scribbled over: all that can be done with them is to remove them. */
  strays: readonly Workload[];
  /** Whether its Service leads to `current`; without a Service it needs none. */
  selected: boolean;
  /** The revision that the pool's Service selects; with no Service, the one of its Deployment. */
  served?: Revision;
  /** It serves, and no record tells what: nothing of the pool is changed but for another version, or a rollback. */
  lost?: LostRevision;
  current?: Workload;
  autoscaler?: Autoscaler;
  hold?: Hold;
  /** The revision that was last let in. */
  entered?: Revision;
}

/**
 * Return goes back to what was good here: no gate, no soak, and it may switch as soon as it is no worse. Move takes the
 * revision that serves to the VMs that the spec names now.
 */
export type Mode = 'Promote' | 'Return' | 'Move';

export interface PoolTarget {
  revision: Revision;
  mode: Mode;
  placement: Placement;
  strategy: StrategyType;
  key: string;
  /** What its Service selects to get there. */
  track: string;
  /** The Deployment's, also while there is none. */
  name: string;
  /** The Deployment that runs it, once there is one. */
  workload?: Workload;
}

/** How far what serves in a pool is on its way to other VMs. `Entering`: nothing keeps it from being let go there. */
export interface PoolMove {
  state: 'Waiting' | 'Entering' | 'Moving' | 'Late';
  reason: 'Moving' | 'NoCapacity' | 'MoveNotReady';
  message: string;
  /** When this may change by itself (ms since the epoch). */
  until?: number;
}

/** A pool, with what follows from its state. */
export interface PoolView extends PoolState {
  /** The pools that share its Service. */
  group: Group;
  /** What it rolls with: a change of the strategy waits until the wanted revision is everywhere. */
  strategy: StrategyType;
  /** The placement that the spec asks for, and a strategy, as a key. */
  keyUnder: (strategy: StrategyType) => string;
  /** How many pods should serve. */
  replicas: number;
  /** Where the pool is going; undefined while nothing was let in. */
  readonly target: PoolTarget | undefined;
  /** The move of what serves; undefined where it is on the VMs that the spec names. */
  readonly move: PoolMove | undefined;
}

/** Pools behind one Service, or one pool without a Service: what switches in one write. */
export interface Group {
  serviceName?: string;
  service?: Service;
  /** The Service is somebody else's, who let us take over its selector. */
  adopted: boolean;
  /** The Service's name is somebody else's: why. */
  taken?: string;
  track?: string;
  pools: readonly PoolView[];
}

/** Why the wanted revision does not enter a stage. */
export interface Wait {
  reason: Reason &
    (
      | 'Paused'
      | 'Failed'
      | 'HeldByRollback'
      | 'NameTaken'
      | 'StageBefore'
      | 'Soaking'
      | 'WaitingForApproval'
      | 'ProvesNothing'
      | 'PullingImages'
      | 'VMsUnavailable'
      | 'NoCapacity'
    );
  message: string;
  /** When this may change by itself (ms since the epoch). */
  until?: number;
}

/** What is seen of every release. */
export interface Seen {
  now: number;
  observed: Observed;
  owner: Owner;
  revisions: readonly Revision[];
  ledgerObject?: ControllerRevision;
  record: LedgerRecord;
  /** The wanted revision, or, while the spec's is not recorded, the one that was wanted last. */
  lastWanted?: Revision;
  paused?: string;
  workloads: readonly Workload[];
  /** For the process to remember. Computed when first asked for: a release may have thousands of pods. */
  drained: () => Drained;
}

/** No spec was ever valid, or the record of it is lost: nobody knows which pools there are. */
export interface Unknown extends Seen {
  kind: 'Unknown';
  spec?: never;
  wanted: InvalidSpec;
  groups: readonly never[];
  pools: readonly never[];
}

/** There is a valid spec, or the record of one. */
export interface Rollout extends Seen {
  kind: 'Rollout';
  /** With its defaults and the VMs of its pools, where it is valid. */
  spec?: AppReleaseSpec;
  /** Pinned tags of the spec that name another digest now. */
  movedTags: readonly MovedTag[];
  /** Of the spec, and else of the last valid one. */
  topology: Topology;
  wanted: Wanted;
  groups: readonly Group[];
  pools: readonly PoolView[];
  /** What keeps the wanted revision out of a stage; undefined where it may enter. */
  gate: (stage: Stage) => Wait | undefined;
}

export type View = Unknown | Rollout;

/** Whether a rollback was accepted for this release and keeps at least one pool. */
export function inForce(rollback: ReleaseRollback, releaseUID: string): boolean {
  const { status } = rollback;
  return (
    status?.acceptedAt !== undefined &&
    status.releaseUID === releaseUID &&
    status.endedAt === undefined &&
    (status.pools ?? []).some(({ supersededBy }) => supersededBy === undefined)
  );
}
