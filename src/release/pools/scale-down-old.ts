/** What a switch leaves behind: it drains, stands by for a rollback, and goes. Pure. */
import { parseDuration } from '../../api/common.ts';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import type { Action, Guard } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import type { Revision } from '../record/revision.ts';
import { isBadIn, isGood } from '../record/revision.ts';
import { scaleTo } from '../state/scale.ts';
import { isAutoscaled, standbyReplicas, wantedReplicas } from '../state/target.ts';
import type { Group, PoolTarget, PoolView, Rollout, Workload } from '../state/view.ts';
import type { GroupPlan, Move } from './pool-move.ts';

/** What is not the target: served still, standby, on its way out. */
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
  if (!mayGo(pool, workload) || isServedElsewhere(view, group, workload)) return {};
  const arrived = target.workload !== undefined && target.workload === pool.current;
  const unsettled = view.wanted.state !== 'Recorded' && !pool.hold && target.mode !== 'Move';
  if ((unsettled || frozen) && !arrived) return {};
  const guard = guardOf(group, workload);
  const drainedAt = drained(view, group, workload);
  if (drainedAt > view.now) return Number.isFinite(drainedAt) ? { due: drainedAt } : {};
  const revision = view.revisions.find(({ number }) => number === workload.revision);
  const standby = revision ? standbyUntil(view, group, pool, revision, workload.track) : 0;
  const until = Math.min(standby, neededAt(pool), uselessAt(workload));
  if (revision && arrived && until > view.now && !pool.strays.includes(workload)) {
    const replicas = standbyReplicas(view, pool);
    if (workload.deployment.metadata.generation === undefined || isAsWarm(pool, workload, replicas))
      return { due: until };
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

/** By a Service that the pool had before, and that still has its clients, until it goes too. */
function isServedElsewhere({ observed, groups }: Rollout, { serviceName }: Group, { track }: Workload): boolean {
  return [...observed.services, ...observed.foreignServices].some(
    ({ metadata, spec }) =>
      metadata.name !== serviceName &&
      spec.selector?.[LABEL.track] === track &&
      (metadata.labels?.[LABEL.managedBy] === 'apprelease' ||
        groups.some((other) => other.serviceName === metadata.name)),
  );
}

/** A standby that has more than it needs is made smaller; one of an autoscaled pool follows the size both ways. */
function isAsWarm(pool: PoolView, workload: Workload, replicas: number): boolean {
  const live = workload.deployment.spec.replicas ?? 0;
  if (!pool.spec.autoscaling) return live <= replicas;
  return live === replicas || isAutoscaled(pool, workload);
}

function guardOf({ serviceName, service }: Group, { track }: Workload): { guard?: Guard } {
  if (serviceName === undefined) return {};
  return {
    guard: { service: serviceName, track, ...(service && { resourceVersion: service.metadata.resourceVersion }) },
  };
}

/** When the pods of a revision that was served may stop: no endpoint names them, and clients had time to leave. */
function drained(view: Rollout, group: Group, workload: Workload): number {
  const { service, serviceName } = group;
  // One that somebody deleted is made anew first.
  if (serviceName !== undefined && !service && workload.ready > 0) return Number.POSITIVE_INFINITY;
  // Not only what was served last: two switches may follow each other within one drain.
  if (!service || (workload.ready === 0 && service.metadata.annotations?.[ANNOTATION.previousTrack] !== workload.track))
    return 0;
  const { services, tracks } = view.drained();
  const clean = services.get(service.metadata.name);
  if (clean === undefined || clean.track !== group.track) return Number.POSITIVE_INFINITY;
  const since = Math.max(clean.since, tracks.get(workload.track) ?? 0);
  return since + (parseDuration(view.topology.rollback.drain) ?? 0);
}

/** A scheduler that is busy, or pods of others that are on their way out, are no reason to give up a standby. */
const PATIENCE_MS = 10_000;

/** When what is served needs the room of a standby, as after a VM was lost (ms since the epoch). */
function neededAt({ current }: PoolView): number {
  return current ? outOfPatienceAt(current) : Number.POSITIVE_INFINITY;
}

/** When a standby goes that no VM takes, as where its VMs were removed (ms since the epoch). */
function uselessAt(standby: Workload): number {
  return standby.ready > 0 ? Number.POSITIVE_INFINITY : outOfPatienceAt(standby);
}

function outOfPatienceAt({ pods }: Workload): number {
  const waiting = pods.filter(({ unschedulable }) => unschedulable !== undefined);
  const since = waiting.map(({ metadata }) => Date.parse(metadata.creationTimestamp) + PATIENCE_MS);
  return Math.min(Number.POSITIVE_INFINITY, ...since);
}

/** Until when a revision stays as the pool's standby (ms since the epoch); 0 where it is none. */
function standbyUntil(view: Rollout, group: Group, pool: PoolView, revision: Revision, track: string): number {
  const annotations = group.service?.metadata.annotations ?? {};
  if (annotations[ANNOTATION.previousTrack] !== track) return 0;
  if (!isGood(revision, pool.name) || isBadIn(revision, pool.name) || revision === pool.served) return 0;
  return (
    (Date.parse(annotations[ANNOTATION.switchedAt] ?? '') || 0) + (parseDuration(view.topology.rollback.warmFor) ?? 0)
  );
}

/**
 * A return never waits for room: where the target's pods find none, pods of the revision that is left go, those that
 * are not ready first, and, when a person forces it, ready ones too, but never the last.
 */
function giveWay(view: Rollout, pool: PoolView, current: Workload, target: PoolTarget): Action[] {
  const waiting = target.workload?.pods.filter(({ unschedulable }) => unschedulable !== undefined).length ?? 0;
  const live = current.deployment.spec.replicas ?? 0;
  if (waiting === 0) return [];
  // Without its record it cannot be rendered, whatever somebody made of its label.
  const revision = view.revisions.find(({ number }) => number === current.revision);
  if (!revision) return [];
  const floor = pool.hold?.rollback.spec.force === true ? Math.max(1, current.ready - 1) : Math.max(1, current.ready);
  if (live <= floor) return [];
  return [scaleTo(view, current, revision, floor, `give way: ${live} → ${floor} pods of ${current.name}`)];
}

/** The last version that works is never removed: not while what is served has no ready pod, though it should. */
export function mayGo(pool: PoolView, workload: Workload): boolean {
  return (
    workload.ready === 0 || (pool.current?.ownReady ?? 0) > 0 || wantedReplicas(pool, pool.current ?? workload) === 0
  );
}
