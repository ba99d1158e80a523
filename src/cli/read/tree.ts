/** A release as a tree: stage → pool → revision → pods. Pure. */
import type { AppReleaseStatus, PoolStatus } from '../../api/app-release-status.ts';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import type { DEPLOYMENTS } from '../../controller/kinds/deployments.ts';
import type { PODS } from '../../controller/kinds/pods.ts';
import type { Live } from '../../kube/types.ts';
import type { LiveRelease } from './releases.ts';
import { versionOf } from './releases.ts';

export type LiveDeployment = Live<NonNullable<(typeof DEPLOYMENTS)['type']>>;
export type LivePod = Live<NonNullable<(typeof PODS)['type']>>;

export interface PodNode {
  readonly name: string;
  /** As the column STATUS of kubectl: Running, Pending, CrashLoopBackOff, Terminating, … */
  readonly state: string;
  readonly ready: boolean;
  readonly restarts: number;
  readonly nodeName: string;
  readonly createdAt: string;
}

export interface RevisionNode {
  readonly revision: number;
  readonly version: string;
  /** serves: the Service leads to it. next: the pool's target. standby: kept for a rollback. old: on its way out. */
  readonly role: 'serves' | 'next' | 'standby' | 'old';
  readonly ready: number;
  readonly wanted: number;
  /** undefined: pods are not shown. */
  readonly pods: readonly PodNode[] | undefined;
}

export interface PoolNode {
  readonly name: string;
  readonly status: PoolStatus | undefined;
  /** The wanted number of pods by the spec, for a pool without a status. */
  readonly replicas: number;
  /** undefined: Deployments are not shown. */
  readonly revisions: readonly RevisionNode[] | undefined;
}

export interface StageNode {
  readonly name: string;
  readonly approval: 'Automatic' | 'Manual';
  readonly soak: string;
  readonly pools: readonly PoolNode[];
}

export interface ReleaseTree {
  readonly namespace: string;
  readonly name: string;
  /** The version of the spec. */
  readonly version: string;
  readonly status: AppReleaseStatus;
  readonly stages: readonly StageNode[];
  /** The operator has not seen the newest spec yet. */
  readonly isOutdated: boolean;
}

export interface Workloads {
  readonly deployments: readonly LiveDeployment[] | undefined;
  readonly pods: readonly LivePod[] | undefined;
}

export function treeOf(release: LiveRelease, workloads: Workloads): ReleaseTree {
  const { metadata, spec, status = {} } = release;
  const pools = new Map((status.pools ?? []).map((pool) => [pool.name, pool]));
  const stages = spec.stages.map(({ name, approval, soak, pools: ofStage }): StageNode => {
    const nodes = ofStage.map((pool): PoolNode => {
      const own = pools.get(pool.name);
      return {
        name: pool.name,
        status: own,
        replicas: pool.replicas,
        revisions: revisionsOf(pool.name, own, workloads),
      };
    });
    return { name, approval, soak, pools: nodes };
  });
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    version: versionOf(release),
    status,
    stages,
    isOutdated: status.observedGeneration !== metadata.generation,
  };
}

function revisionsOf(pool: string, status: PoolStatus | undefined, workloads: Workloads): RevisionNode[] | undefined {
  return workloads.deployments
    ?.filter(({ metadata }) => metadata.labels?.[LABEL.pool] === pool)
    .map((deployment) => revisionOf(deployment, status, workloads.pods))
    .sort((one, other) => other.revision - one.revision);
}

function revisionOf(
  { metadata, spec, status }: LiveDeployment,
  pool: PoolStatus | undefined,
  pods: readonly LivePod[] | undefined,
): RevisionNode {
  const revision = Number(metadata.labels?.[LABEL.revision] ?? Number.NaN);
  const workload = metadata.labels?.[LABEL.workload];
  const wanted = spec.replicas ?? 1;
  return {
    revision,
    version: metadata.annotations?.[ANNOTATION.version] ?? metadata.labels?.[LABEL.version] ?? '',
    role: roleOf(revision, wanted, pool),
    ready: status?.readyReplicas ?? 0,
    wanted,
    pods: pods?.filter(({ metadata: own }) => own.labels?.[LABEL.workload] === workload).map(podOf),
  };
}

function roleOf(revision: number, wanted: number, pool: PoolStatus | undefined): RevisionNode['role'] {
  if (revision === pool?.revision) return 'serves';
  if (revision === pool?.wantedRevision) return 'next';
  return revision === pool?.rollback?.revision && wanted > 0 ? 'standby' : 'old';
}

function podOf({ metadata, spec, status }: LivePod): PodNode {
  const containers = status?.containerStatuses ?? [];
  return {
    name: metadata.name,
    state: podState({ metadata, status }),
    ready: status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true,
    restarts: containers.reduce((sum, { restartCount = 0 }) => sum + restartCount, 0),
    nodeName: spec?.nodeName ?? '',
    createdAt: metadata.creationTimestamp,
  };
}

/** The most telling of its states, as kubectl's printer chooses it. */
function podState({ metadata, status }: Pick<LivePod, 'metadata' | 'status'>): string {
  if (metadata.deletionTimestamp !== undefined) return 'Terminating';
  const init = (status?.initContainerStatuses ?? []).find(({ state }) => state?.waiting?.reason);
  if (init?.state?.waiting?.reason) return `Init:${init.state.waiting.reason}`;
  for (const { state } of status?.containerStatuses ?? []) {
    const reason = state?.waiting?.reason ?? state?.terminated?.reason;
    if (reason) return reason;
  }
  return status?.reason ?? status?.phase ?? 'Unknown';
}
