/** Decides when a Service selects another track, and what the Service selects until then. Pure. */
import type { ServiceTemplate } from '../../api/app-release.ts';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Action } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import { makeAdoptedService, makeService } from '../record/desired.ts';
import type { DesiredService } from '../record/kube-objects.ts';
import type { Revision } from '../record/revision.ts';
import { putRight } from '../state/drift.ts';
import { contradictingImage, isAvailable, mayShrink, readyOf, wantedReplicas } from '../state/target.ts';
import { mayLead } from '../state/track.ts';
import type { Group, PoolView, Rollout } from '../state/view.ts';
import type { Move } from './pool-move.ts';
import { hasteOf } from './pool-move.ts';

/** Switches the Service to the target's track once enough pods are ready; until then keeps it on the served track. */
export function reconcileService(
  view: Rollout,
  group: Group,
  moves: readonly Move[],
  track: string,
  frozen: boolean,
): Action[] {
  const { serviceName, service } = group;
  const template = view.topology.service;
  const [first] = moves;
  if (serviceName === undefined || !template || !first) return [];
  const named = { ...group, serviceName, template };
  const may = !frozen && moves.every((move) => maySwitch(view, group, move));
  const standing = moves.flatMap(({ pool }) => pool.current ?? []).at(0);
  const served = view.revisions.find(({ number }) => number === standing?.revision);
  const leads = standing !== undefined && mayLead(view, group, standing.track);
  if (service === undefined) {
    // A new Service has no clients yet, so it may be made before its pods. A Service that was deleted is made again for
    // the served revision, unless that revision was released without a Service and so has no ports.
    const works = leads && served !== undefined && served.data.input.ports.length > 0;
    const working = may || !works ? undefined : standing;
    if (frozen && !working) return [];
    const revision = working && served ? served : first.target.revision;
    const desired = desiredService(view, named, revision, working?.track ?? track, false);
    return [applyService(group, desired, `create Service ${serviceName} for revision ${revision.number}`)];
  }
  if (group.track === track || !may) {
    // An adopted Service without a track of this release still serves somebody else's pods.
    if (group.track !== track && (!standing || !served || (group.adopted && group.track === undefined))) return [];
    if (group.track !== track && standing && moves.some(({ pool }) => leadsToMore(view, group, pool, standing.track)))
      return [];
    const desired =
      group.track === track || !leads
        ? desiredService(view, named, (frozen ? served : undefined) ?? first.target.revision, track, false)
        : desiredService(view, named, served ?? first.target.revision, standing.track, false);
    const write = applyService(group, desired, `keep Service ${serviceName}`);
    const [noted, wanted] = [service, desired].map(({ metadata }) => metadata.annotations?.[ANNOTATION.revision]);
    return putRight(view.observed.memory, desired, service, write, hasteOf(moves, noted !== wanted));
  }
  const { revision } = first.target;
  const what = `Service ${serviceName} of ${moves.map(({ pool }) => pool.name).join(', ')} to revision ${revision.number} (${revision.data.input.version})`;
  const action = applyService(group, desiredService(view, named, revision, track, true), `switch ${what}`);
  const returns = moves.every(({ target }) => target.mode === 'Return');
  const metricOnly = isWholeRollback(moves) && { metricOnly: true as const };
  const notices = [{ type: 'Normal' as const, reason: 'Switched', note: `switched ${what}`, ...metricOnly }];
  // A return does not wait for the reads.
  const leadsTo = moves.flatMap(({ target: { workload } }) => (workload ? [targetOf(workload.deployment)] : []));
  return [{ ...action, notices, ...(returns ? { takesTrafficBack: true as const } : { leadsTo }) }];
}

/**
 * A promotion needs all pods ready. A return needs as many as serve now, and at least one; it does not count pods that a
 * scale-down is about to remove. A move needs all, or at least one if no pod serves.
 */
function maySwitch(view: Rollout, group: Group, { pool, target }: Move): boolean {
  const { workload, revision, mode } = target;
  if (!workload) return false;
  const replicas = wantedReplicas(pool, workload);
  const serving = servingPods(view, group, pool);
  if (mode === 'Promote' || (mode === 'Move' && serving > 0)) {
    return isAvailable(workload, revision, replicas) && contradictingImage(workload, revision) === undefined;
  }
  if (serving > 0 && mayShrink(workload)) return false;
  const ready = Math.min(readyOf(workload, revision), workload.ownReady);
  return replicas === 0 || ready >= Math.max(1, Math.min(replicas, serving));
}

/** Number of ready pods of the pool that its Service selects now. */
function servingPods(view: Rollout, group: Group, pool: PoolView): number {
  return pool.current ? pool.current.ready : readyPods(view, pool, group.service?.spec.selector ?? {});
}

function readyPods({ observed }: Rollout, { name }: PoolView, selector: Record<string, string>): number {
  return observed.pods.filter(
    ({ ready, metadata }) =>
      ready &&
      metadata.labels?.[LABEL.pool] === name &&
      Object.entries(selector).every(([key, value]) => metadata.labels?.[key] === value),
  ).length;
}

/** Whether the Service selects more ready pods of the pool now than it would with this track. */
function leadsToMore(view: Rollout, group: Group, pool: PoolView, track: string): boolean {
  const selector = group.service?.spec.selector ?? {};
  if (selector[LABEL.track] === undefined) return false;
  const own = { [LABEL.release]: view.owner.name };
  return readyPods(view, pool, { ...selector, ...own }) > readyPods(view, pool, { [LABEL.track]: track, ...own });
}

interface NamedGroup extends Group {
  serviceName: string;
  /** The Service's template in the spec. */
  template: ServiceTemplate;
}

function desiredService(
  view: Rollout,
  group: NamedGroup,
  revision: Revision,
  track: string,
  switched: boolean,
): DesiredService {
  const { service, template } = group;
  const live = service?.metadata.annotations ?? {};
  const annotations: Record<string, string> = {};
  const switchedAt = switched ? new Date(view.now).toISOString() : live[ANNOTATION.switchedAt];
  const previous = switched ? group.track : live[ANNOTATION.previousTrack];
  if (switchedAt !== undefined) annotations[ANNOTATION.switchedAt] = switchedAt;
  if (previous !== undefined) annotations[ANNOTATION.previousTrack] = previous;
  const options = {
    owner: view.owner,
    name: group.serviceName,
    pools: group.pools.map(({ name }) => name),
    track,
    byTrackAlone: keepsSelector(group, revision, track),
    revision,
    annotations,
    ...(service && { resourceVersion: service.metadata.resourceVersion }),
  };
  return group.adopted ? makeAdoptedService(options) : makeService({ ...options, template });
}

/** Whether all pools of the rollback are behind this Service: the event of its completion then also tells of the switch. */
function isWholeRollback(moves: readonly Move[]): boolean {
  const rollback = moves[0]?.pool.hold?.rollback;
  const back = (rollback?.status?.pools ?? []).filter(({ message }) => message === undefined);
  return (
    rollback !== undefined &&
    back.length === moves.length &&
    moves.every(({ pool }) => pool.hold?.rollback === rollback)
  );
}

/**
 * Whether the Service keeps a selector with the track alone. Older operators made such Services; they are not changed before
 * the next switch, so that an upgrade of the operator writes to no Service. A selector that somebody else wrote is not kept.
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
