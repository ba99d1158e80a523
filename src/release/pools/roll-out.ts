/** What moves the pools behind one Service: make the target, switch, drain, keep a standby, clean up. Pure. */
import { parseDuration } from '../../api/common.ts';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import type { Action, Guard } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import { reconcileAutoscalers } from './autoscaler.ts';
import type { Haste } from '../state/drift.ts';
import { putRight } from '../state/drift.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { DesiredService } from '../record/kube-objects.ts';
import { makeAdoptedService, makeDeployment, makeService } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import { isBadIn, isGood } from '../record/revision.ts';
import { scaleTo } from '../state/scale.ts';
import type { PoolTarget } from '../state/target.ts';
import {
  contradictingImage,
  hasFailed,
  isAutoscaled,
  isAvailable,
  podsOf,
  poolTarget,
  scaleOf,
  servedTarget,
  standbyReplicas,
  wantedReplicas,
  withTrack,
} from '../state/target.ts';
import { mayLead } from '../state/track.ts';
import type { Group, PoolView, View, Workload } from '../state/view.ts';

interface Move {
  pool: PoolView;
  target: PoolTarget;
}

/** The actions of one pass for one group, and when the next is due (ms since the epoch). */
export interface GroupPlan {
  actions: Action[];
  due: number[];
}

export function rollOutGroup(view: View, group: Group): GroupPlan {
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
function movesOf(view: View, group: Group): Move[] {
  const moves = group.pools.flatMap((pool) => {
    const target = poolTarget(view, pool);
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
function isFrozen(view: View, { pool, target }: Move): boolean {
  if (pool.hold || target.mode === 'Move') return false;
  if (hasFailed(target.revision, pool.name)) return true;
  const arrived = pool.served === target.revision && pool.current === target.workload;
  return view.paused !== undefined && target.mode === 'Promote' && !arrived;
}

/** Makes the targets' Deployments, and puts back what drifted. */
function reconcileTargets(view: View, group: Group, moves: readonly Move[], frozen: boolean): Action[] {
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
function reconcileServed(view: View, group: Group, { pool, target }: Move): Action[] {
  const standing = servedTarget(view, pool);
  if (!standing || target.mode === 'Return' || standing.workload !== pool.current) return [];
  if (pool.current ? pool.current === target.workload : standing.revision === target.revision) return [];
  // Made with another placement than the one that went, it would not be what the Service selects.
  if (!pool.current && standing.track !== group.track) return [];
  return reconcileDeployment(view, group, pool, standing);
}

function reconcileDeployment(view: View, group: Group, pool: PoolView, target: PoolTarget): Action[] {
  const { workload, revision } = target;
  // No pod runs for a Service whose name may be somebody else's.
  if (!workload && group.serviceName !== undefined && !group.service) return [];
  const replicas = scaleOf(pool, target);
  const deployment = makeDeployment({
    owner: view.owner,
    identity: { pool: pool.name, ...target },
    track: target.track,
    replicas,
    topology: view.topology ?? impossible(),
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

/** Another version waits for no answer, and the way back gives way to nobody, until its rollback is complete. */
function hasteOf(moves: readonly Move[], isAnother: boolean): Haste {
  const isReturn = moves.some(
    ({ pool, target }) => target.mode === 'Return' && pool.hold?.pool.completedAt === undefined,
  );
  if (isReturn) return 'WhateverOthersDo';
  return isAnother ? 'AtOnce' : 'AskFirst';
}

function impossible(): never {
  throw new Error('a pool without a topology');
}

function yieldsFirst(pool: PoolView): Workload[] {
  return pool.workloads.filter((workload) => workload !== pool.current && mayGo(pool, workload));
}

/** The last version that works is never removed: not while what is served has no ready pod, though it should. */
function mayGo(pool: PoolView, workload: Workload): boolean {
  return (
    workload.ready === 0 || (pool.current?.ownReady ?? 0) > 0 || wantedReplicas(pool, pool.current ?? workload) === 0
  );
}

/** The Service selects the target's track as soon as that loses nothing; until then it is kept for what it serves. */
function reconcileService(view: View, group: Group, moves: readonly Move[], track: string, frozen: boolean): Action[] {
  const { serviceName, service } = group;
  const template = view.topology?.service;
  const [first] = moves;
  if (serviceName === undefined || !template || !first) return [];
  const may = !frozen && moves.every((move) => maySwitch(view, group, move));
  const standing = moves.flatMap(({ pool }) => pool.current ?? []).at(0);
  const served = view.revisions.find(({ number }) => number === standing?.revision);
  const leads = standing !== undefined && mayLead(view, group, standing.track);
  if (service === undefined) {
    // Nobody is served by a new Service yet, so it may come before its pods; one that was deleted serves what works.
    // One that was released without a Service has no ports to lead to it.
    const works = leads && served !== undefined && served.data.input.ports.length > 0;
    const working = may || !works ? undefined : standing;
    if (frozen && !working) return [];
    const revision = working && served ? served : first.target.revision;
    const desired = desiredService(view, group, revision, working?.track ?? track, false);
    return [applyService(group, desired, `make Service ${serviceName} for revision ${revision.number}`)];
  }
  if (group.track === track || !may) {
    // An adopted Service that selects nothing of ours serves somebody else's pods.
    if (group.track !== track && (!standing || !served || (group.adopted && group.track === undefined))) return [];
    if (group.track !== track && standing && moves.some(({ pool }) => leadsToMore(view, group, pool, standing.track)))
      return [];
    const desired =
      group.track === track || !leads
        ? desiredService(view, group, (frozen ? served : undefined) ?? first.target.revision, track, false)
        : desiredService(view, group, served ?? first.target.revision, standing.track, false);
    const write = applyService(group, desired, `keep Service ${serviceName}`);
    const [noted, wanted] = [service, desired].map(({ metadata }) => metadata.annotations?.[ANNOTATION.revision]);
    return putRight(view.observed.memory, desired, service, write, hasteOf(moves, noted !== wanted));
  }
  const { revision } = first.target;
  const what = `Service ${serviceName} of ${moves.map(({ pool }) => pool.name).join(', ')} to revision ${revision.number} (${revision.data.input.version})`;
  const action = applyService(group, desiredService(view, group, revision, track, true), `switch ${what}`);
  const returns = moves.every(({ target }) => target.mode === 'Return');
  const notices = [{ type: 'Normal' as const, reason: 'Switched', note: `switched ${what}` }];
  return [{ ...action, notices, ...(returns && { takesTrafficBack: true as const }) }];
}

/** A promotion or a move needs all its pods, or any where none serves; a return as many as serve now, and at least one. */
function maySwitch(view: View, group: Group, { pool, target }: Move): boolean {
  const { workload, revision, mode } = target;
  if (!workload) return false;
  const replicas = wantedReplicas(pool, workload);
  const serving = servingPods(view, group, pool);
  if (mode === 'Promote' || (mode === 'Move' && serving > 0)) {
    return isAvailable(workload, revision, replicas) && contradictingImage(workload, revision) === undefined;
  }
  const ready = Math.min(podsOf(workload, revision).filter((pod) => pod.ready).length, workload.ownReady);
  return replicas === 0 || ready >= Math.max(1, Math.min(replicas, serving));
}

/** Ready pods of the pool behind its Service now. */
function servingPods(view: View, group: Group, pool: PoolView): number {
  return pool.current ? pool.current.ready : readyPods(view, pool, group.service?.spec.selector ?? {});
}

function readyPods({ observed }: View, { name }: PoolView, selector: Record<string, string>): number {
  return observed.pods.filter(
    ({ ready, metadata }) =>
      ready &&
      metadata.labels?.[LABEL.pool] === name &&
      Object.entries(selector).every(([key, value]) => metadata.labels?.[key] === value),
  ).length;
}

/** The Service leads to more ready pods of the pool than it would by this track. */
function leadsToMore(view: View, group: Group, pool: PoolView, track: string): boolean {
  const selector = group.service?.spec.selector ?? {};
  if (selector[LABEL.track] === undefined) return false;
  const own = { [LABEL.release]: view.owner.name };
  return readyPods(view, pool, { ...selector, ...own }) > readyPods(view, pool, { [LABEL.track]: track, ...own });
}

function desiredService(
  view: View,
  group: Group,
  revision: Revision,
  track: string,
  switched: boolean,
): DesiredService {
  const { service } = group;
  const live = service?.metadata.annotations ?? {};
  const annotations: Record<string, string> = {};
  const switchedAt = switched ? new Date(view.now).toISOString() : live[ANNOTATION.switchedAt];
  const previous = switched ? group.track : live[ANNOTATION.previousTrack];
  if (switchedAt !== undefined) annotations[ANNOTATION.switchedAt] = switchedAt;
  if (previous !== undefined) annotations[ANNOTATION.previousTrack] = previous;
  const options = {
    owner: view.owner,
    name: group.serviceName ?? '',
    pools: group.pools.map(({ name }) => name),
    track,
    byTrackAlone: keepsSelector(group, revision, track),
    revision,
    annotations,
    ...(service && { resourceVersion: service.metadata.resourceVersion }),
  };
  if (group.adopted) return makeAdoptedService(options);
  return makeService({ ...options, template: view.topology?.service ?? impossible() });
}

/**
 * One that was made before Services selected their release alone keeps its selector for what it serves already, so that an
 * upgrade of the operator writes to none. Not one whose selector somebody else wrote.
 */
function keepsSelector({ service, pools }: Group, { number }: Revision, track: string): boolean {
  const { metadata, spec, selectorOwner } = service ?? {};
  if (selectorOwner !== undefined || canonicalJson(spec?.selector) !== canonicalJson({ [LABEL.track]: track }))
    return false;
  const noted = metadata?.annotations?.[ANNOTATION.revision] ?? String(number);
  return noted === String(number) && pools.every(({ current }) => !current || current.revision === number);
}

function applyService(group: Group, service: DesiredService, message: string): Action & { kind: 'ApplyService' } {
  return { kind: 'ApplyService', message, service, force: group.service !== undefined };
}

/** What is not the target: served still, standby, on its way out. */
function cleanUp(view: View, group: Group, moves: readonly Move[], frozen: boolean): GroupPlan {
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
  view: View,
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
  const until = Math.min(standbyUntil(view, group, pool, workload), neededAt(pool), uselessAt(workload));
  if (arrived && until > view.now && !pool.strays.includes(workload)) {
    const replicas = standbyReplicas(view, pool);
    if (workload.deployment.metadata.generation === undefined || isAsWarm(pool, workload, replicas))
      return { due: until };
    return {
      due: until,
      action: {
        ...scaleTo(view, workload, replicas, `keep ${replicas} pods of ${workload.name} warm`),
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
function isServedElsewhere({ observed, groups }: View, { serviceName }: Group, { track }: Workload): boolean {
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
function drained(view: View, group: Group, workload: Workload): number {
  const { service, serviceName } = group;
  // One that somebody deleted is made anew first.
  if (serviceName !== undefined && !service && workload.ready > 0) return Number.POSITIVE_INFINITY;
  // Not only what was served last: two switches may follow each other within one drain.
  if (!service || (workload.ready === 0 && service.metadata.annotations?.[ANNOTATION.previousTrack] !== workload.track))
    return 0;
  const clean = view.observed.memory.drainedSince.get(service.metadata.name);
  if (clean === undefined || clean.track !== group.track) return Number.POSITIVE_INFINITY;
  const since = Math.max(clean.since, view.observed.memory.leftSince.get(workload.track) ?? 0);
  return since + (parseDuration(view.topology?.rollback.drain ?? '30s') ?? 0);
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
function standbyUntil(view: View, group: Group, pool: PoolView, workload: Workload): number {
  const annotations = group.service?.metadata.annotations ?? {};
  const revision = view.revisions.find(({ number }) => number === workload.revision);
  if (!revision || annotations[ANNOTATION.previousTrack] !== workload.track) return 0;
  if (!isGood(revision, pool.name) || isBadIn(revision, pool.name) || revision === pool.served) return 0;
  return (
    (Date.parse(annotations[ANNOTATION.switchedAt] ?? '') || 0) +
    (parseDuration(view.topology?.rollback.warmFor ?? '0s') ?? 0)
  );
}

/**
 * A return never waits for room: where the target's pods find none, pods of the revision that is left go, those that
 * are not ready first, and, when a person forces it, ready ones too, but never the last.
 */
function giveWay(view: View, pool: PoolView, current: Workload, target: PoolTarget): Action[] {
  const waiting = target.workload?.pods.filter(({ unschedulable }) => unschedulable !== undefined).length ?? 0;
  const live = current.deployment.spec.replicas ?? 0;
  if (waiting === 0) return [];
  // Without its record it cannot be rendered, whatever somebody made of its label.
  if (view.revisions.every(({ number }) => number !== current.revision)) return [];
  const floor = pool.hold?.rollback.spec.force === true ? Math.max(1, current.ready - 1) : Math.max(1, current.ready);
  if (live <= floor) return [];
  return [scaleTo(view, current, floor, `give way: ${live} → ${floor} pods of ${current.name}`)];
}
