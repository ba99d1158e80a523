/** Since when the endpoints of a Service name only selected pods. Connections to the other pods have time to drain. Pure. */
import { LABEL } from '../../api/meta.ts';
import type { EndpointSlice, Pod, Service } from '../record/kube-objects.ts';
import { lastSwitch, selectedTrack } from './service.ts';

/** All times are in ms since the epoch, as this process has observed them. */
export interface Drained {
  /** Service → since when its endpoints name only pods of the selected track. */
  services: ReadonlyMap<string, { track: string; switchedAt: string | undefined; since: number }>;
  /**
   * Track → since when no endpoint of the release names its pods. Infinity while an endpoint does; absent if none ever did.
   */
  tracks: ReadonlyMap<string, number>;
  /** When this process began to observe the release. What an endpoint named before is not known. */
  began?: number;
}

interface Endpoints {
  services: readonly Service[];
  slices: readonly EndpointSlice[];
  pods: readonly Pod[];
}

export const NEVER_DRAINED: Drained = { services: new Map(), tracks: new Map() };

export function drainedSince(previous: Drained, seen: Endpoints, now: number): Drained {
  return {
    services: ofServices(previous.services, seen, now),
    tracks: ofTracks(previous.tracks, seen, now),
    began: previous.began ?? now,
  };
}

function ofServices(
  previous: Drained['services'],
  { services, slices, pods }: Endpoints,
  now: number,
): Drained['services'] {
  const next = new Map(previous);
  const tracks = new Map(pods.map((pod) => [pod.metadata.name, trackOf(pod)]));
  const slicesOf = Map.groupBy(slices, ({ service }) => service);
  for (const service of services) {
    const { name } = service.metadata;
    const known = previous.get(name);
    const track = selectedTrack(service);
    // The Service may have switched twice between two passes. The slices may be from before the first switch.
    const { at: switchedAt } = lastSwitch(service);
    if (track === undefined || !namesOnly(track, slicesOf.get(name) ?? [], tracks)) next.delete(name);
    else if (known?.track !== track || known.switchedAt !== switchedAt)
      next.set(name, { track, switchedAt, since: now });
  }
  return next;
}

function namesOnly(
  track: string,
  slices: readonly EndpointSlice[],
  tracks: ReadonlyMap<string, string | undefined>,
): boolean {
  return slices.every(({ endpoints }) => endpoints.every(({ pod }) => pod !== undefined && tracks.get(pod) === track));
}

/** Counts all Services, because the clients of a former Service of the pool need time to drain too. */
function ofTracks(previous: Drained['tracks'], { slices, pods }: Endpoints, now: number): Drained['tracks'] {
  const named = new Set(slices.flatMap(({ endpoints }) => endpoints.map(({ pod }) => pod)));
  const next = new Map<string, number>();
  for (const [track, own] of Map.groupBy(pods, (pod) => trackOf(pod) ?? '')) {
    const since = previous.get(track);
    if (own.some(({ metadata }) => named.has(metadata.name))) next.set(track, Number.POSITIVE_INFINITY);
    else if (since !== undefined) next.set(track, since === Number.POSITIVE_INFINITY ? now : since);
  }
  return next;
}

function trackOf({ metadata }: Pod): string | undefined {
  return metadata.labels?.[LABEL.track];
}
