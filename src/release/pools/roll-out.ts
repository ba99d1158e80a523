/** Rolls out the pools behind one Service: makes the targets, switches the Service, cleans up. Pure. */
import type { Action } from '../record/actions.ts';
import { makeDeployment } from '../record/desired.ts';
import { isRunBy } from '../record/kept-pods.ts';
import { putRight } from '../state/drift.ts';
import { targetScale } from '../state/pool-size.ts';
import { hasFailed, servedTarget, withTrack } from '../state/target.ts';
import type { Group, PoolTarget, PoolView, Rollout, Workload } from '../state/view.ts';
import { reconcileAutoscalers } from './autoscaler.ts';
import type { GroupPlan, Move } from '../state/pool-move.ts';
import { hasteOf } from '../state/pool-move.ts';
import { mayStartPods } from '../traffic/reach.ts';
import { isShared } from '../route/reconcile-route.ts';
import { reconcileNext } from '../traffic/next-service.ts';
import { reconcileTraffic } from '../traffic/switch.ts';
import { cleanUp, mayGo } from './scale-down-old.ts';

export function rollOutGroup(view: Rollout, group: Group): GroupPlan {
  const moves = movesOf(view, group);
  const [first] = moves;
  // Pools behind one Service move together; a pool that was added takes part once its stage admits the revision.
  const together =
    moves.length === group.pools.length && moves.every(({ target }) => target.revision === first?.target.revision);
  if (!first || !together || group.taken !== undefined) return { actions: [], due: [] };
  const { track } = first.target;
  const frozen = moves.some((move) => isFrozen(view, move));
  const kept = reconcileTargets(view, group, moves, frozen);
  const traffic = reconcileTraffic(view, group, moves, frozen);
  // After a switch the old Deployment drains with the replicas that it has.
  const stays = traffic.track === group.track;
  const served = stays ? moves.flatMap((move) => reconcileServed(view, group, move)) : [];
  const autoscalers = reconcileAutoscalers(view, moves, {
    switches: !stays && traffic.track === track,
    first: traffic.actions.some(({ takesTrafficBack }) => takesTrafficBack),
  });
  // No other revision gets the part of the traffic that an exposure before it left to the second Service.
  const next = reconcileNext(view, group, moves, frozen || isShared(view, group));
  const cleaned = cleanUp(view, group, moves, frozen);
  return {
    actions: [...served, ...kept, ...traffic.actions, ...next, ...autoscalers, ...cleaned.actions],
    due: cleaned.due,
  };
}

/** The targets of the pools, all with the track of the first: one Service selects one track. */
function movesOf(view: Rollout, group: Group): Move[] {
  const moves = group.pools.flatMap((pool) => {
    const { target } = pool;
    return target ? [{ pool, target }] : [];
  });
  const lead = moves[0]?.target;
  return moves.map(({ pool, target }) => {
    if (!lead || target.track === lead.track || target.revision !== lead.revision) return { pool, target };
    const { strategy, key } = lead;
    const { revision, mode, placement } = target;
    return { pool, target: withTrack(view, pool, { revision, mode, placement, strategy, key }) };
  });
}

/** Takes no step forward: the revision failed in this pool, or the release is paused. The served Deployment is kept. */
function isFrozen(view: Rollout, { pool, target }: Move): boolean {
  if (pool.hold || target.mode === 'Move') return false;
  if (hasFailed(target.revision, pool.name)) return true;
  const arrived = pool.served === target.revision && pool.current === target.workload;
  return view.paused !== undefined && target.mode === 'Promote' && !arrived;
}

/** Creates the targets' Deployments, and puts back their drift. */
function reconcileTargets(view: Rollout, group: Group, moves: readonly Move[], frozen: boolean): Action[] {
  return moves.flatMap(({ pool, target }) => {
    const { workload, revision, mode } = target;
    if (frozen && (workload !== pool.current || pool.served !== revision)) return [];
    // A standby gives up its room before pods of another revision start, except in a return, which must not wait.
    if (!workload && mode !== 'Return' && yieldsFirst(pool).length > 0) return [];
    return reconcileDeployment(view, group, pool, target);
  });
}

/**
 * Keeps the served Deployment while another target gets ready: puts back its drift, scales it, and creates it again if
 * somebody removed it. Not in a return, where the served Deployment gives way.
 */
function reconcileServed(view: Rollout, group: Group, { pool, target }: Move): Action[] {
  const standing = servedTarget(view, pool);
  if (!standing || target.mode === 'Return' || standing.workload !== pool.current) return [];
  if (pool.current ? pool.current === target.workload : standing.revision === target.revision) return [];
  // With another placement than the removed Deployment had, the Service would not select the new one.
  if (!pool.current && standing.track !== group.track) return [];
  return reconcileDeployment(view, group, pool, standing);
}

function reconcileDeployment(view: Rollout, group: Group, pool: PoolView, target: PoolTarget): Action[] {
  const { workload, revision } = target;
  if (!workload && !mayStartPods(group)) return [];
  const deployment = makeDeployment({
    owner: view.owner,
    identity: { pool: pool.name, ...target },
    track: target.track,
    ...targetScale(pool, target),
    topology: view.topology,
    live: workload?.deployment,
  });
  if (view.observed.memory.nameConflicts.has(`Deployment/${deployment.metadata.name}`)) return [];
  const verb = workload ? (workload === pool.current ? 'keep' : 'change') : 'start';
  const message = `${verb} revision ${revision.number} in pool ${pool.name}`;
  const write: Action = { kind: 'ApplyDeployment', message, desired: deployment, force: workload !== undefined };
  if (!workload) return [write];
  const haste = hasteOf([{ pool, target }], !isRunBy(revision, workload));
  return putRight(view.observed.memory, deployment, workload.deployment, write, haste);
}

function yieldsFirst(pool: PoolView): Workload[] {
  return pool.workloads.filter((workload) => workload !== pool.current && mayGo(pool, workload));
}
