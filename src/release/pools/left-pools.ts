/** The Deployments of pools that left the spec. They serve until their successors do, and drain. Pure. */
import { drainMs, hasServedIn } from '../record/revision.ts';
import type { PoolView, Rollout, Workload } from '../state/view.ts';
import { selectedTrack } from '../traffic/service.ts';

export function leftWorkloads({ pools, workloads }: Rollout): Workload[] {
  const names = new Set(pools.map(({ name }) => name));
  return workloads.filter(({ pool }) => !names.has(pool));
}

/** Those with ready pods that a Service still reaches; of a release without Services, all with ready pods. */
export function servingLeft(view: Rollout): Workload[] {
  const left = leftWorkloads(view);
  if (left.length === 0) return [];
  const reached = reachedTracks(view);
  return left.filter(({ ready, track }) => ready > 0 && (!view.topology.service || reached.has(track)));
}

/** Whether the pool has never served. Until it does, a pool that left the spec serves in its place. */
export function isSuccessor({ revisions }: Rollout, { name }: PoolView): boolean {
  return revisions.every((revision) => !hasServedIn(revision, name));
}

/** When the clients of a pool that left the spec are drained (ms since the epoch). Infinity while a Service reaches it. */
export function leftDrainedAt(view: Rollout, workload: Workload): number {
  const { track, ready, deployment } = workload;
  // It shares the Service of pools that stay, and no write can take it out of the traffic before its pods stop.
  if (view.groups.some((group) => group.track === track)) return 0;
  if (reachedTracks(view).has(track)) return Number.POSITIVE_INFINITY;
  const { tracks, began = 0 } = view.drained();
  // After a restart of the operator nobody knows since when a Deployment of before is drained: it has the whole drain again.
  const isOfBefore = ready > 0 && Date.parse(deployment.metadata.creationTimestamp) < began;
  const since = tracks.get(track) ?? (isOfBefore ? began : undefined);
  return since === undefined ? 0 : since + drainMs(view.topology);
}

/** When the drain of a pool that left the spec ends (ms since the epoch). */
export function leftDue(view: Rollout): number[] {
  return leftWorkloads(view)
    .map((workload) => leftDrainedAt(view, workload))
    .filter((time) => Number.isFinite(time) && time > view.now);
}

function reachedTracks({ observed, groups }: Rollout): Set<string | undefined> {
  const services = [...observed.services, ...groups.flatMap(({ service }) => service ?? [])];
  return new Set(services.map(selectedTrack));
}
