/** Decides when the traffic of a group goes to another track, and where it goes until then. Pure. */
import type { Action } from '../record/actions.ts';
import type { Revision } from '../record/revision.ts';
import type { Move } from '../state/pool-move.ts';
import { wantedReplicas } from '../state/pool-size.ts';
import { contradictingImage, isAvailable, mayShrink, readyOf } from '../state/target.ts';
import type { Group, Rollout } from '../state/view.ts';
import { portMissing } from './adopted-ports.ts';
import { reachedPods, reachesMoreThan } from './reach.ts';
import { lastSwitch, selectedTrack } from './service.ts';
import { maySwitchAfterExposure } from '../state/exposure.ts';
import { mayLead } from './track.ts';
import type { Lead, NamedGroup } from './write-service.ts';
import { createService, keepService, switchService } from './write-service.ts';

export interface TrafficPlan {
  actions: Action[];
  /** The track that the traffic goes to after the actions; undefined while the API server is asked first. */
  track: string | undefined;
}

/** Switches the traffic to the target's track once enough pods are ready; until then keeps it on the served track. */
export function reconcileTraffic(view: Rollout, group: Group, moves: readonly Move[], frozen: boolean): TrafficPlan {
  const actions = trafficActions(view, group, moves, frozen);
  const [write] = actions;
  if (!write) return { actions, track: group.track };
  return { actions, track: write.kind === 'ApplyService' ? selectedTrack(write.desired) : undefined };
}

function trafficActions(view: Rollout, group: Group, moves: readonly Move[], frozen: boolean): Action[] {
  const { serviceName, service } = group;
  const template = view.topology.service;
  const [first] = moves;
  if (serviceName === undefined || !template || !first) return [];
  const named: NamedGroup = { ...group, serviceName, template };
  const { track, revision } = first.target;
  const target: Lead = { track, revision };
  const may =
    !frozen &&
    moves.every(
      (move) => maySwitch(view, group, move) && !leadsNowhere(group, move) && maySwitchAfterExposure(view, move.pool),
    );
  const standing = standingLead(moves);
  if (!service) {
    const lead = leadOfNew(view, group, target, standing, { may, frozen });
    return lead ? createService(view, named, lead) : [];
  }
  const seen = { ...named, service };
  if (group.track !== track && may) {
    return isTakenAway(group, moves)
      ? keepService(view, seen, moves, target)
      : switchService(view, seen, moves, target);
  }
  const lead = leadUntilSwitch(view, group, target, standing, frozen);
  return lead ? keepService(view, seen, moves, lead) : [];
}

/**
 * Whether the target serves already, and somebody has changed the selector of its Service: to put that back is no switch. An
 * adopted Service that was never switched leads to the pods that somebody else runs.
 */
function isTakenAway({ adopted, service }: Group, moves: readonly Move[]): boolean {
  const serves = moves.every(({ pool, target }) => pool.current === target.workload && pool.served === target.revision);
  return serves && (!adopted || (service !== undefined && lastSwitch(service).at !== undefined));
}

/** The track of the served Deployment, and its revision if that is recorded. */
type Standing = { track: string; revision?: Revision } | undefined;

function standingLead(moves: readonly Move[]): Standing {
  const [standing] = moves.flatMap(({ pool: { current, served } }) => (current ? [{ current, served }] : []));
  if (!standing) return undefined;
  const { current, served } = standing;
  return { track: current.track, ...(served && { revision: served }) };
}

/**
 * A new Service has no clients yet, so it may be made before its pods. A Service that was deleted is made again for the
 * served revision, unless that revision was released without a Service and so has no ports.
 */
function leadOfNew(
  view: Rollout,
  group: Group,
  target: Lead,
  standing: Standing,
  { may, frozen }: { may: boolean; frozen: boolean },
): Lead | undefined {
  const { track, revision } = standing ?? {};
  const works = track !== undefined && mayLead(view, group, track) && (revision?.data.input.ports ?? []).length > 0;
  if (!may && works && revision) return { track, revision };
  return frozen ? undefined : target;
}

function leadUntilSwitch(
  view: Rollout,
  group: Group,
  target: Lead,
  standing: Standing,
  frozen: boolean,
): Lead | undefined {
  const { track, revision } = standing ?? {};
  const own = { track: target.track, revision: (frozen ? revision : undefined) ?? target.revision };
  if (group.track === target.track) return own;
  // An adopted Service without a track of this release still serves somebody else's pods.
  if (track === undefined || !revision || (group.adopted && group.track === undefined)) return undefined;
  if (group.pools.some((pool) => reachesMoreThan(view, group, pool, track))) return undefined;
  return mayLead(view, group, track) ? { track, revision } : own;
}

/** An adopted Service does not switch to pods without its ports. A return does not wait for the owner of the Service. */
function leadsNowhere(group: Group, { target: { mode, revision } }: Move): boolean {
  return mode !== 'Return' && portMissing(group, revision) !== undefined;
}

/**
 * A promotion needs all pods ready. A return needs as many as serve now, and at least one; it does not count pods that a
 * scale-down is about to remove. A move needs all, or at least one if no pod serves.
 */
function maySwitch(view: Rollout, group: Group, { pool, target }: Move): boolean {
  const { workload, revision, mode } = target;
  if (!workload) return false;
  const replicas = wantedReplicas(pool, workload);
  const serving = reachedPods(view, group, pool);
  if (mode === 'Promote' || (mode === 'Move' && serving > 0)) {
    return isAvailable(workload, revision, replicas) && contradictingImage(workload, revision) === undefined;
  }
  if (serving > 0 && mayShrink(workload)) return false;
  const ready = Math.min(readyOf(workload, revision), workload.ownReady);
  return replicas === 0 || ready >= Math.max(1, Math.min(replicas, serving));
}
