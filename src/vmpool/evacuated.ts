/** The condition Evacuated of a VMPool: whether releases lead routed traffic to a pool in maintenance. Pure. */
import type { AppRelease } from '../api/app-release.ts';
import type { ConditionDraft } from '../api/conditions.ts';
import { listed } from './listed.ts';
import type { Maintenance } from './maintenance.ts';

/** What a release says about its traffic to a pool. */
export interface ReleaseTraffic {
  /** namespace/name. */
  release: string;
  state: 'Away' | 'Stays' | 'NoRoute';
  /** Why it stays. */
  message?: string;
}

export function usesPool({ spec }: AppRelease, name: string): boolean {
  return spec.stages.some(({ pools }) => pools.some((pool) => pool.name === name));
}

/** Undefined if the release does not use the pool. */
export function trafficOf(appRelease: AppRelease, pool: string): ReleaseTraffic | undefined {
  if (!usesPool(appRelease, pool)) return undefined;
  const { metadata, spec, status } = appRelease;
  const release = `${metadata.namespace}/${metadata.name}`;
  if (!spec.route) return { release, state: 'NoRoute' };
  if (status?.observedGeneration !== metadata.generation)
    return { release, state: 'Stays', message: 'its last change has not been handled yet' };
  const { traffic } = status?.pools?.find(({ name }) => name === pool) ?? {};
  if (traffic?.evacuated || !traffic) return { release, state: 'Away' };
  return { release, state: 'Stays', ...(traffic.message !== undefined && { message: traffic.message }) };
}

/** A release without a route is named, and does not count: nothing here leads its traffic. */
export function evacuated({
  maintenance,
  traffic,
}: {
  maintenance?: Maintenance;
  traffic: readonly ReleaseTraffic[];
}): ConditionDraft {
  const type = 'Evacuated';
  if (!maintenance)
    return { type, status: 'False', reason: 'NotInMaintenance', message: 'the pool is not in maintenance' };
  const stays = traffic.filter(({ state }) => state === 'Stays');
  const unrouted = traffic.filter(({ state }) => state === 'NoRoute');
  const without =
    unrouted.length === 0 ? '' : `; without a route, so not counted: ${listed(unrouted.map(({ release }) => release))}`;
  if (stays.length > 0) {
    const named = stays.map((one) => `${one.release} (${one.message ?? 'its share is on its way out'})`);
    const message = `in maintenance (${maintenance.reason}); traffic of ${listed(named)}${without}`;
    return { type, status: 'False', reason: 'TrafficStays', message };
  }
  const message = `in maintenance (${maintenance.reason}): no route leads traffic to the pool${without}`;
  return { type, status: 'True', reason: 'TrafficAway', message };
}
