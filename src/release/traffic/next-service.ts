/**
 * Keeps the second Service of a group, `<service>-next`: it leads to the revision that entered last, once its pods are ready,
 * and else where the first Service leads. It always exists, so that no route refers to nothing. Pure.
 */
import { ANNOTATION } from '../../api/meta.ts';
import type { Action } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import { makeNextService } from '../record/desired.ts';
import { putRight } from '../state/drift.ts';
import type { Move } from '../state/pool-move.ts';
import { hasteOf } from '../state/pool-move.ts';
import { wantedReplicas } from '../state/pool-size.ts';
import { contradictingImage, isAvailable, mayShrink } from '../state/target.ts';
import type { Group, Rollout, Workload } from '../state/view.ts';
import { readyOn } from './reach.ts';
import type { Lead } from './write-service.ts';
import { applyService, notesOf } from './write-service.ts';

export function reconcileNext(view: Rollout, group: Group, moves: readonly Move[], frozen: boolean): Action[] {
  const { next, service, track } = group;
  const [first] = moves;
  // The pool's own Service comes first.
  if (!next || !service || next.taken !== undefined || !first) return [];
  const target: Lead = { track: first.target.track, revision: first.target.revision };
  const { served } = first.pool;
  const standing: Lead | undefined = track !== undefined && served ? { track, revision: served } : undefined;
  if (!next.service) return write(view, group, moves, standing ?? target);
  const lead =
    [target, standing].find((one) => one !== undefined && mayLeadTo(view, group, moves, one, frozen)) ??
    [target, standing].find((one) => one?.track === next.track);
  return lead ? write(view, group, moves, lead) : [];
}

/**
 * Forward only with all pods ready: header matches may lead here at any time. In all other cases it must not get worse: back to
 * the served revision, to the target of a return, or away from a revision without ready pods.
 */
function mayLeadTo(view: Rollout, group: Group, moves: readonly Move[], to: Lead, frozen: boolean): boolean {
  const { next, track } = group;
  const isForward = to.track !== track && moves.some(({ target }) => target.mode === 'Promote');
  if (isForward && next?.track === to.track)
    return moves.some(({ pool }) => readyOn(view, pool, to.track) > 0) || moves.every(isWithoutPods);
  if (isForward) return !frozen && moves.every(isComplete);
  return moves.every((move) => isNoWorse(view, group, move, to));
}

function isComplete({ pool, target: { workload, revision } }: Move): boolean {
  return (
    workload !== undefined &&
    isAvailable(workload, revision, wantedReplicas(pool, workload)) &&
    contradictingImage(workload, revision) === undefined
  );
}

/** Whether the pool wants no pods, so that none is missing. */
function isWithoutPods({ pool, target: { workload } }: Move): boolean {
  return wantedReplicas(pool, workload) === 0;
}

function isNoWorse(view: Rollout, { next }: Group, { pool, target }: Move, to: Lead): boolean {
  if (next?.track === to.track) return true;
  const reached = next?.track === undefined ? 0 : readyOn(view, pool, next.track);
  const workload = to.track === target.track ? target.workload : pool.current;
  const replicas = wantedReplicas(pool, workload);
  // Pods that a scale-down is about to remove do not count.
  if (reached > 0 && (!workload || mayShrink(workload))) return false;
  const ready = Math.min(readyOn(view, pool, to.track), workload?.ownReady ?? 0);
  return replicas === 0 || ready >= Math.min(replicas, reached);
}

function write(view: Rollout, group: Group, moves: readonly Move[], lead: Lead): Action[] {
  const { next } = group;
  const { route, service: template } = view.topology;
  if (!next || !route || !template || lead.revision.data.input.ports.length === 0) return [];
  const { service } = next;
  const isSwitched = service !== undefined && next.track !== lead.track;
  const desired = makeNextService({
    owner: view.owner,
    name: next.serviceName,
    track: lead.track,
    revision: lead.revision,
    template,
    metadata: route.nextMetadata,
    annotations: isSwitched ? { [ANNOTATION.switchedAt]: new Date(view.now).toISOString() } : notesOf(service),
    ...(service && { resourceVersion: service.metadata.resourceVersion }),
  });
  const what = `Service ${next.serviceName}`;
  if (!service) return [applyService(next, desired, `create ${what} for revision ${lead.revision.number}`)];
  if (!isSwitched)
    return putRight(
      view.observed.memory,
      desired,
      service,
      applyService(next, desired, `keep ${what}`),
      hasteOf(moves, false),
    );
  const returns = moves.every(({ target }) => target.mode === 'Return');
  const leadsTo = moves.flatMap((move) => leadOf(move, lead));
  return [
    {
      ...applyService(
        next,
        desired,
        `lead ${what} to revision ${lead.revision.number} (${lead.revision.data.input.version})`,
      ),
      leadsTo: leadsTo.map(({ deployment }) => targetOf(deployment)),
      ...(returns && { takesTrafficBack: true as const }),
    },
  ];
}

function leadOf({ pool, target }: Move, { track }: Lead): Workload[] {
  return [target.workload, pool.current].filter((workload) => workload?.track === track).slice(0, 1) as Workload[];
}
