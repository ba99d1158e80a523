/** What moves the pools behind one Service, step by step: the target, the switch, what is left behind. Pure. */
import { LABEL } from '../../api/meta.ts';
import type { Action } from '../record/actions.ts';
import { makeDeployment } from '../record/desired.ts';
import { putRight } from '../state/drift.ts';
import { hasFailed, scaleOf, servedTarget, withTrack } from '../state/target.ts';
import type { Group, PoolTarget, PoolView, Rollout, Workload } from '../state/view.ts';
import { reconcileAutoscalers } from './autoscaler.ts';
import type { GroupPlan, Move } from './pool-move.ts';
import { hasteOf } from './pool-move.ts';
import { cleanUp, mayGo } from './scale-down-old.ts';
import { reconcileService } from './service-switch.ts';

export function rollOutGroup(view: Rollout, group: Group): GroupPlan {
  const moves = movesOf(view, group);
  const [first] = moves;
  // Pools behind one Service go together; an added one joins once it was let in.
  const together =
    moves.length === group.pools.length && moves.every(({ target }) => target.revision === first?.target.revision);
  if (!first || !together || group.taken !== undefined) return { actions: [], due: [] };
  const { track } = first.target;
  const frozen = moves.some((move) => isFrozen(view, move));
  const kept = reconcileTargets(view, group, moves, frozen);
  const service = reconcileService(view, group, moves, track, frozen);
  // What a switch leaves behind drains, however small its pool is to be.
  const stays = service.every((action) => selectedBy(action) === group.track);
  const served = stays ? moves.flatMap((move) => reconcileServed(view, group, move)) : [];
  const autoscalers = reconcileAutoscalers(view, moves, {
    switches: !stays && selectedBy(service[0]) === track,
    first: service.some(({ takesTrafficBack }) => takesTrafficBack),
  });
  const cleaned = cleanUp(view, group, moves, frozen);
  return { actions: [...served, ...kept, ...service, ...autoscalers, ...cleaned.actions], due: cleaned.due };
}

/** Where the pools go: behind one Service by one track, whatever each of them ran with. */
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

function selectedBy(action: Action | undefined): string | undefined {
  return action?.kind === 'ApplyService' ? action.service.spec.selector?.[LABEL.track] : undefined;
}

/** No step forward: the revision failed here, or the release is paused. What is served is kept all the same. */
function isFrozen(view: Rollout, { pool, target }: Move): boolean {
  if (pool.hold || target.mode === 'Move') return false;
  if (hasFailed(target.revision, pool.name)) return true;
  const arrived = pool.served === target.revision && pool.current === target.workload;
  return view.paused !== undefined && target.mode === 'Promote' && !arrived;
}

/** Makes the targets' Deployments, and puts back what drifted. */
function reconcileTargets(view: Rollout, group: Group, moves: readonly Move[], frozen: boolean): Action[] {
  return moves.flatMap(({ pool, target }) => {
    const { workload, revision, mode } = target;
    if (frozen && (workload !== pool.current || pool.served !== revision)) return [];
    // The standby gives its room before other pods start; in a return it is the room that matters least.
    if (!workload && mode !== 'Return' && yieldsFirst(pool).length > 0) return [];
    return reconcileDeployment(view, group, pool, target);
  });
}

/**
 * What is served while something else gets ready, or does not: put back, scaled, and made anew where somebody removed it.
 * Not in a return, where it gives way.
 */
function reconcileServed(view: Rollout, group: Group, { pool, target }: Move): Action[] {
  const standing = servedTarget(view, pool);
  if (!standing || target.mode === 'Return' || standing.workload !== pool.current) return [];
  if (pool.current ? pool.current === target.workload : standing.revision === target.revision) return [];
  // Made with another placement than the one that went, it would not be what the Service selects.
  if (!pool.current && standing.track !== group.track) return [];
  return reconcileDeployment(view, group, pool, standing);
}

function reconcileDeployment(view: Rollout, group: Group, pool: PoolView, target: PoolTarget): Action[] {
  const { workload, revision } = target;
  // No pod runs for a Service whose name may be somebody else's.
  if (!workload && group.serviceName !== undefined && !group.service) return [];
  const replicas = scaleOf(pool, target);
  const deployment = makeDeployment({
    owner: view.owner,
    identity: { pool: pool.name, ...target },
    track: target.track,
    replicas,
    topology: view.topology,
    ...(workload && { resourceVersion: workload.deployment.metadata.resourceVersion }),
  });
  if (view.observed.memory.nameConflicts.has(`Deployment/${deployment.metadata.name}`)) return [];
  const verb = workload ? (workload === pool.current ? 'keep' : 'change') : 'start';
  const message = `${verb} revision ${revision.number} in pool ${pool.name}`;
  const write: Action = { kind: 'ApplyDeployment', message, deployment, force: workload !== undefined };
  if (!workload) return [write];
  const haste = hasteOf([{ pool, target }], workload.revision !== revision.number);
  return putRight(view.observed.memory, deployment, workload.deployment, write, haste);
}

function yieldsFirst(pool: PoolView): Workload[] {
  return pool.workloads.filter((workload) => workload !== pool.current && mayGo(pool, workload));
}
