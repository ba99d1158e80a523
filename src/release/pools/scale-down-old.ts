/** The Deployments that are no longer served: they drain, stand by for a rollback, and are removed. Pure. */
import { parseDuration } from '../../api/common.ts';
import type { Action } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import { quotaFailure } from '../health/failure.ts';
import { runBy } from '../record/kept-pods.ts';
import type { Revision } from '../record/revision.ts';
import { isBadIn, isGood } from '../record/revision.ts';
import { keepsOldPods } from '../state/exposure.ts';
import { describeAgain, scaleTo } from '../state/scale.ts';
import { isAutoscaled, standbyReplicas, wantedReplicas } from '../state/pool-size.ts';
import type { Group, PoolTarget, PoolView, Rollout, Workload } from '../state/view.ts';
import type { GroupPlan, Move } from '../state/pool-move.ts';
import { drainedAt, guardOf, isReachedByAnother, leftAt, switchedAt } from '../traffic/reach.ts';

/** Handles every Deployment that is not the target: still served, a standby, or to be removed. */
export function cleanUp(view: Rollout, group: Group, moves: readonly Move[], frozen: boolean): GroupPlan {
  const plan: GroupPlan = { actions: [], due: [] };
  for (const { pool, target } of moves) {
    const strays = pool.strays.filter(({ track }) => track !== group.track && pool.current === target.workload);
    for (const workload of [...pool.workloads, ...strays]) {
      if (workload === target.workload || workload === pool.current) continue;
      const step = scaleDownOld(view, group, { pool, target }, workload, frozen);
      if (step.action) plan.actions.push(step.action);
      if (step.due !== undefined) plan.due.push(step.due);
    }
    const { current } = pool;
    if (current && current !== target.workload && target.mode === 'Return') {
      plan.actions.push(...giveWay(view, pool, current, target));
    }
  }
  return plan;
}

function scaleDownOld(
  view: Rollout,
  group: Group,
  { pool, target }: Move,
  workload: Workload,
  frozen: boolean,
): { action?: Action; due?: number } {
  if (!mayGo(pool, workload) || isReachedByAnother(view, group, workload)) return {};
  if (leftAt(group, workload.track) !== undefined && keepsOldPods(view, pool)) return {};
  const arrived = target.workload !== undefined && target.workload === pool.current;
  const unsettled = view.wanted.state !== 'Recorded' && !pool.hold && target.mode !== 'Move';
  if ((unsettled || frozen) && !arrived) return {};
  const guard = guardOf(group, workload);
  const drained = drainedAt(view, group, workload);
  if (drained > view.now) return Number.isFinite(drained) ? { due: drained } : {};
  const revisions = runBy(view.revisions, workload);
  const revision = revisions.at(-1);
  const standby = standbyUntil(view, group, pool, revisions, workload.track);
  const until = Math.min(standby, neededAt(pool), uselessAt(workload), yieldsAt(view, workload));
  if (revision && arrived && until > view.now && !pool.strays.includes(workload)) {
    const replicas = standbyReplicas(view, pool);
    if (workload.deployment.metadata.generation === undefined || isAsWarm(pool, workload, replicas)) {
      const action = describeAgain(view, workload, revision);
      return { due: until, ...(action && { action }) };
    }
    return {
      due: until,
      action: {
        ...scaleTo(view, workload, revision, replicas, `keep ${replicas} pods of ${workload.name} warm`),
        ...guard,
      },
    };
  }
  return {
    action: {
      kind: 'DeleteDeployment',
      message: `remove revision ${workload.revision} from pool ${pool.name}`,
      target: targetOf(workload.deployment),
      ...guard,
    },
  };
}

/** A standby with too many replicas is scaled down; the standby of an autoscaled pool is also scaled up. */
function isAsWarm(pool: PoolView, workload: Workload, replicas: number): boolean {
  const live = workload.deployment.spec.replicas ?? 0;
  if (!pool.spec.autoscaling) return live <= replicas;
  return live === replicas || isAutoscaled(pool, workload);
}

/** How long a pod may be unschedulable before a standby is given up: the scheduler may be busy, or other pods terminate. */
const PATIENCE_MS = 10_000;

/** When the served Deployment needs the room of a standby, for example after the loss of a VM (ms since the epoch). */
function neededAt({ current }: PoolView): number {
  return current ? outOfPatienceAt(current) : Number.POSITIVE_INFINITY;
}

/** When a standby without a ready pod is removed because no VM takes its pods (ms since the epoch). */
function uselessAt(standby: Workload): number {
  return standby.ready > 0 ? Number.POSITIVE_INFINITY : outOfPatienceAt(standby);
}

/** When a standby gives up its place in a quota that keeps other pods of the release from starting (ms since the epoch). */
function yieldsAt(view: Rollout, standby: Workload): number {
  const missing = missingInQuota(view);
  return missing > 0 && standbys(view).slice(0, missing).includes(standby) ? 0 : Number.POSITIVE_INFINITY;
}

/** The number of places that a quota lacks: of Deployments, or of pods, where one more place is tried at a time. */
function missingInQuota({ observed: { memory }, pools }: Rollout): number {
  if (memory.overQuota.size > 0) return memory.overQuota.size;
  if ([...memory.lost].some((object) => object.startsWith('Deployment/'))) return 0;
  const starting = pools.flatMap(({ current, target }) => [current, target?.workload].flatMap((one) => one ?? []));
  return starting.some(({ deployment }) => quotaFailure(deployment) !== undefined) ? 1 : 0;
}

/** The standbys of all pools. The pool that was switched first comes first. */
function standbys({ pools }: Rollout): Workload[] {
  return pools
    .filter(({ current, target }) => current !== undefined && current === target?.workload)
    .toSorted((a, b) => (switchedAt(a.group) || 0) - (switchedAt(b.group) || 0))
    .flatMap(({ workloads, current }) => workloads.filter((workload) => workload !== current));
}

function outOfPatienceAt({ pods }: Workload): number {
  const waiting = pods.filter(({ unschedulable }) => unschedulable !== undefined);
  const since = waiting.map(({ metadata }) => Date.parse(metadata.creationTimestamp) + PATIENCE_MS);
  return Math.min(Number.POSITIVE_INFINITY, ...since);
}

/**
 * Until when a Deployment is the pool's standby (ms since the epoch); 0 if it is not the standby. `revisions`: those whose pods
 * it runs.
 */
function standbyUntil(
  view: Rollout,
  group: Group,
  pool: PoolView,
  revisions: readonly Revision[],
  track: string,
): number {
  const left = leftAt(group, track);
  if (left === undefined) return 0;
  const isProven = revisions.some((revision) => isGood(revision, pool.name));
  if (!isProven || revisions.some((revision) => isBadIn(revision, pool.name) || revision === pool.served)) return 0;
  return left + (parseDuration(view.topology.rollback.warmFor) ?? 0);
}

/**
 * A return does not wait for room. If pods of the target find no room or no quota, the served Deployment is scaled down: by its
 * pods that are not ready, and with `spec.force` of the rollback by one ready pod at a time, but never to 0.
 */
function giveWay(view: Rollout, pool: PoolView, current: Workload, target: PoolTarget): Action[] {
  const waiting = waitingForRoom(target);
  const live = current.deployment.spec.replicas ?? 0;
  if (waiting === 0) return [];
  // The Deployment cannot be rendered without a recorded revision.
  const revision = runBy(view.revisions, current).at(-1);
  if (!revision) return [];
  const floor = pool.hold?.rollback.spec.force === true ? Math.max(1, current.ready - 1) : Math.max(1, current.ready);
  if (live <= floor) return [];
  const message = `make room for the rollback: ${live} → ${floor} pods of ${current.name}`;
  return [scaleTo(view, current, revision, floor, message, pool.scaled)];
}

/** The number of pods that are unschedulable, or that a quota keeps from being created. */
function waitingForRoom({ workload }: PoolTarget): number {
  if (!workload) return 0;
  const { pods, deployment } = workload;
  const missing = quotaFailure(deployment) === undefined ? 0 : (deployment.spec.replicas ?? 0) - pods.length;
  return pods.filter(({ unschedulable }) => unschedulable !== undefined).length + Math.max(0, missing);
}

/** A Deployment with ready pods is not removed while the served Deployment should have ready pods and has none. */
export function mayGo(pool: PoolView, workload: Workload): boolean {
  return (
    workload.ready === 0 || (pool.current?.ownReady ?? 0) > 0 || wantedReplicas(pool, pool.current ?? workload) === 0
  );
}
