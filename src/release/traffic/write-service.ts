/** Writes the Service of a group: creates it, keeps it, or switches it to another track. Pure. */
import type { ServiceTemplate } from '../../api/app-release.ts';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Action } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import { makeAdoptedService, makeService } from '../record/desired.ts';
import type { DesiredService, Service } from '../record/kube-objects.ts';
import type { Revision } from '../record/revision.ts';
import { putRight } from '../state/drift.ts';
import type { Move } from '../state/pool-move.ts';
import { hasteOf } from '../state/pool-move.ts';
import type { Group, Rollout } from '../state/view.ts';
import { lastSwitch, notedRevision } from './service.ts';

/** A group with a Service. */
export interface NamedGroup extends Group {
  serviceName: string;
  /** The Service's template in the spec. */
  template: ServiceTemplate;
}

/** Where the traffic is to go. */
export interface Lead {
  track: string;
  revision: Revision;
}

/** Whether an action of this file changes which pods the traffic reaches. */
export function movesTraffic({ kind }: Pick<Action, 'kind'>): boolean {
  return kind === 'ApplyService';
}

export function createService(view: Rollout, group: NamedGroup, lead: Lead): Action[] {
  const message = `create Service ${group.serviceName} for revision ${lead.revision.number}`;
  return [applyService(group, desiredService(view, group, lead), message)];
}

/** Puts back the drift of the Service. */
export function keepService(
  view: Rollout,
  group: NamedGroup & { service: Service },
  moves: readonly Move[],
  lead: Lead,
): Action[] {
  const { service } = group;
  const desired = desiredService(view, group, lead);
  const write = applyService(group, desired, `keep Service ${group.serviceName}`);
  const [noted, wanted] = [service, desired].map(({ metadata }) => metadata.annotations?.[ANNOTATION.revision]);
  return putRight(view.observed.memory, desired, service, write, hasteOf(moves, noted !== wanted));
}

export function switchService(
  view: Rollout,
  group: NamedGroup & { service: Service },
  moves: readonly Move[],
  lead: Lead,
): Action[] {
  const { number, data } = lead.revision;
  const pools = moves.map(({ pool }) => pool.name).join(', ');
  const what = `Service ${group.serviceName} of ${pools} to revision ${number} (${data.input.version})`;
  const switched: Record<string, string> = {
    [ANNOTATION.switchedAt]: new Date(view.now).toISOString(),
    ...(group.track !== undefined && { [ANNOTATION.previousTrack]: group.track }),
  };
  const action = applyService(group, desiredService(view, group, lead, switched), `switch ${what}`);
  const returns = moves.every(({ target }) => target.mode === 'Return');
  const metricOnly = isWholeRollback(moves) && { metricOnly: true as const };
  const notices = [{ type: 'Normal' as const, reason: 'Switched', note: `switched ${what}`, ...metricOnly }];
  const leadsTo = moves.flatMap(({ target: { workload } }) => (workload ? [targetOf(workload.deployment)] : []));
  return [{ ...action, notices, leadsTo, ...(returns && { takesTrafficBack: true as const }) }];
}

/** `switched`: the annotations of a switch. Default: those of the last switch. */
function desiredService(
  view: Rollout,
  group: NamedGroup,
  { revision, track }: Lead,
  switched = notesOf(group.service),
): DesiredService {
  const { service, template } = group;
  const options = {
    owner: view.owner,
    name: group.serviceName,
    pools: group.pools.map(({ name }) => name),
    track,
    byTrackAlone: keepsSelector(group, revision, track),
    keepsLabel: keepsLabel(group, revision),
    revision,
    annotations: switched,
    ...(service && { resourceVersion: service.metadata.resourceVersion }),
  };
  return group.adopted ? makeAdoptedService(options) : makeService({ ...options, template });
}

export function notesOf(service: Service | undefined): Record<string, string> {
  const { at, from } = service ? lastSwitch(service) : {};
  return {
    ...(at !== undefined && { [ANNOTATION.switchedAt]: at }),
    ...(from !== undefined && { [ANNOTATION.previousTrack]: from }),
  };
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

/**
 * Whether the Service keeps the operator's app.kubernetes.io/managed-by, which the user's label replaces with the next switch:
 * older operators gave it to every Service.
 */
function keepsLabel({ service }: Group, { number }: Revision): boolean {
  return service?.metadata.labels?.[LABEL.managedBy] === 'apprelease' && notedRevision(service) === number;
}

export function applyService(
  { service }: Pick<Group, 'service'>,
  desired: DesiredService,
  message: string,
): Action & { kind: 'ApplyService' } {
  return { kind: 'ApplyService', message, desired, force: service !== undefined };
}
