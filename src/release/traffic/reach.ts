/** Which pods the traffic of a group reaches, and when pods that it no longer reaches may stop. Pure. */
import { LABEL } from '../../api/meta.ts';
import type { Action, Guard } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import type { Pod } from '../record/kube-objects.ts';
import { isMade } from '../record/ownership.ts';
import { drainMs } from '../record/revision.ts';
import type { Group, PoolView, Rollout, Workload } from '../state/view.ts';
import { lastSwitch, selectedTrack } from './service.ts';

/** Whether pods may start: not before the Service exists, since its name may belong to somebody else. */
export function mayStartPods({ serviceName, service }: Group): boolean {
  return serviceName === undefined || service !== undefined;
}

/** The name of the group's Service, once it exists. */
export function existingService({ serviceName, service }: Group): string | undefined {
  return service && serviceName;
}

/** Whether the traffic goes to another track. */
export function leadsElsewhere({ service, track: led }: Pick<Group, 'service' | 'track'>, track: string): boolean {
  return service !== undefined && led !== track;
}

/** Number of ready pods of the pool that the traffic reaches now. */
export function reachedPods(view: Rollout, group: Group, pool: PoolView): number {
  return pool.current ? pool.current.ready : readyPods(view, pool, group.service?.spec.selector ?? {}).length;
}

/** The ready pods of the group that its Service selects now; undefined if it leads to pods that are not the release's. */
export function selectedPods(
  view: Rollout,
  { service, track, pools }: Pick<Group, 'service' | 'track' | 'pools'>,
): Pod[] | undefined {
  if (!service || track === undefined) return undefined;
  return pools
    .flatMap((pool) => readyPods(view, pool, service.spec.selector ?? {}))
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

/** Whether the traffic reaches more ready pods of the pool now than it would with this track. */
export function reachesMoreThan(view: Rollout, group: Group, pool: PoolView, track: string): boolean {
  const { service } = group;
  if (!service || selectedTrack(service) === undefined) return false;
  const own = { [LABEL.release]: view.owner.name };
  return readyPods(view, pool, { ...service.spec.selector, ...own }).length > readyOn(view, pool, track);
}

/** Number of ready pods of the pool with a track. */
export function readyOn(view: Rollout, pool: PoolView, track: string): number {
  return readyPods(view, pool, { [LABEL.track]: track, [LABEL.release]: view.owner.name }).length;
}

function readyPods({ observed }: Rollout, { name }: PoolView, selector: Record<string, string>): Pod[] {
  return observed.pods.filter(
    ({ ready, metadata }) =>
      ready &&
      metadata.labels?.[LABEL.pool] === name &&
      Object.entries(selector).every(([key, value]) => metadata.labels?.[key] === value),
  );
}

/** When the traffic was last switched (ms since the epoch); NaN if it never was. */
export function switchedAt({ service }: Group): number {
  return Date.parse((service && lastSwitch(service).at) ?? '');
}

/** When the last switch left this track (ms since the epoch); undefined if the last switch left another one. */
export function leftAt(group: Group, track: string): number | undefined {
  if (!group.service || lastSwitch(group.service).from !== track) return undefined;
  return switchedAt(group) || 0;
}

/**
 * When the pods of a Deployment are drained (ms since the epoch): no endpoint has named them for `drainMs`. Infinity while
 * an endpoint does.
 */
export function drainedAt(view: Rollout, group: Group, workload: Workload): number {
  const { service, serviceName } = group;
  // A Service that somebody deleted is made again first.
  if (serviceName !== undefined && !service && workload.ready > 0) return Number.POSITIVE_INFINITY;
  // Any Deployment with ready pods drains, not only the one served last: two switches may happen within one drain.
  if (!service || (workload.ready === 0 && leftAt(group, workload.track) === undefined)) return 0;
  const { services, tracks } = view.drained();
  const clean = services.get(service.metadata.name);
  if (clean === undefined || clean.track !== group.track) return Number.POSITIVE_INFINITY;
  const since = Math.max(clean.since, tracks.get(workload.track) ?? 0);
  return since + drainMs(view.topology);
}

/** Whether another Service selects the track: the pool's former one, which serves its clients until it is removed. */
export function isReachedByAnother(
  { observed, groups }: Rollout,
  { serviceName }: Group,
  { track }: Workload,
): boolean {
  return [...observed.services, ...observed.foreignServices].some(
    (service) =>
      service.metadata.name !== serviceName &&
      selectedTrack(service) === track &&
      (isMade(service.metadata) || groups.some((other) => other.serviceName === service.metadata.name)),
  );
}

/** The live check before a write that stops pods: the traffic must not go to them. */
export function guardOf({ serviceName, service, next }: Group, { track }: Workload): { guard?: Guard } {
  if (serviceName === undefined) return {};
  const services = [
    { name: serviceName, service },
    ...(next ? [{ name: next.serviceName, service: next.service }] : []),
  ];
  return {
    guard: {
      track,
      services: services.map(({ name, service: live }) => ({
        name,
        ...(live && { resourceVersion: live.metadata.resourceVersion }),
      })),
    },
  };
}

/** Removes the Services that no pool uses any more. */
export function removeUnused({ observed, groups }: Rollout): Extract<Action, { kind: 'DeleteService' }>[] {
  const used = new Set(groups.flatMap(({ serviceName, next }) => [serviceName, next?.serviceName]));
  return observed.services
    .filter(({ metadata }) => !used.has(metadata.name) && metadata.deletionTimestamp === undefined)
    .map((service) => ({
      kind: 'DeleteService',
      message: `remove Service ${service.metadata.name}: no pool uses it any more`,
      target: targetOf(service),
    }));
}
