/** What leads to the pods of a revision, one track for all pools behind a Service; names of what is still to be made. Pure. */
import { LABEL } from '../api/meta.ts';
import { joinName, shortHash } from './names.ts';
import type { Distinction, WorkloadIdentity } from './render.ts';
import { trackName, workloadName } from './render.ts';
import type { Group, PoolView, View, Workload } from './view.ts';

/** What pods are looked for. */
export type Runs = Pick<WorkloadIdentity, 'revision' | 'strategy' | 'key'>;

export interface Track {
  track: string;
  /** The Deployment's name, also of one that is still to be made. */
  name: string;
  workload?: Workload;
}

export function findTrack(view: View, pool: PoolView, runs: Runs): Track {
  const group = groupOf(view, pool);
  const track = liveTrack(view, group, runs) ?? newTrack(view, group, runs);
  const workload = pool.workloads.find((candidate) => candidate.track === track && isOf(candidate, runs));
  return { track, name: workload?.name ?? newName(view, pool, runs, track), ...(workload && { workload }) };
}

const groups = new WeakMap<View, Map<PoolView, Group>>();

function groupOf(view: View, pool: PoolView): Group {
  const known =
    groups.get(view) ?? new Map(view.groups.flatMap((group) => group.pools.map((member) => [member, group])));
  groups.set(view, known);
  return known.get(pool) ?? { adopted: false, pools: [pool] };
}

/** With RollingUpdate one Deployment has one revision after the other. */
function isOf({ strategy, revision, key }: Workload, runs: Runs): boolean {
  return (
    strategy === runs.strategy &&
    (strategy === 'RollingUpdate' || (revision === runs.revision.number && key === runs.key))
  );
}

/** A Service of another name keeps the pods that there are. What is selected goes first, then what is served without. */
function liveTrack(view: View, group: Group, runs: Runs): string | undefined {
  const current = new Set(group.pools.map((pool) => pool.current));
  function rank(workload: Workload): number {
    return (workload.track === group.track ? 2 : 0) + (current.has(workload) ? 1 : 0);
  }
  return group.pools
    .flatMap(({ workloads }) => workloads)
    .filter((workload) => isOf(workload, runs) && mayLead(view, group, workload.track))
    .filter(({ track }) => track !== group.track || !isLeftByOthers(view, group, runs))
    .toSorted((a, b) => rank(b) - rank(a) || b.ready - a.ready)
    .at(0)?.track;
}

/** A track that pods of others have too would bring those behind the Service; one that leads there already stays. */
export function mayLead(view: View, group: Group, track: string): boolean {
  return group.serviceName === undefined || track === group.track || !isUsedElsewhere(view, group, track);
}

function isUsedElsewhere(view: View, group: Group, track: string): boolean {
  return (
    othersOn(view, group, track).length > 0 ||
    // Made before Services selected their release alone.
    view.observed.otherServices.some(({ spec }) => spec.selector?.[LABEL.track] === track)
  );
}

/** Pools behind other Services that have pods of this track, as when they shared one. */
function othersOn(view: View, group: Group, track: string): Group[] {
  return view.groups.filter(
    (other) =>
      other !== group && other.pools.some(({ workloads }) => workloads.some((workload) => workload.track === track)),
  );
}

/**
 * Those who shared the Service have pods of their own by now: what they leave behind it goes once it leads elsewhere. With
 * BlueGreen that comes with the next switch.
 */
function isLeftByOthers(view: View, group: Group, { strategy }: Runs): boolean {
  const { track } = group;
  if (strategy !== 'RollingUpdate' || track === undefined) return false;
  return othersOn(view, group, track).some((other) => other.track !== undefined && other.track !== track);
}

function newTrack(view: View, group: Group, runs: Runs): string {
  const [pool] = group.pools;
  if (!pool) throw new Error('a Service without a pool');
  const service = group.serviceName ?? joinName(view.owner.name, pool.name);
  const names = distinctions(group.pools, runs).map((one) => trackName(service, { ...runs, pool: pool.name }, one));
  return names.find((name) => !isUsedElsewhere(view, group, name)) ?? names.at(-1) ?? '';
}

function newName(view: View, pool: PoolView, runs: Runs, track: string): string {
  const names = distinctions(groupOf(view, pool).pools, runs).map((one) =>
    workloadName(view.owner.name, { ...runs, pool: pool.name }, one),
  );
  const isFree = (name: string) => view.workloads.every((other) => other.name !== name || other.track === track);
  return names.find(isFree) ?? names.at(-1) ?? '';
}

/** From plain to ever more distinct: the first that is free is taken, so that two leaders make the same. */
function distinctions(pools: readonly PoolView[], { strategy }: Runs): Distinction[] {
  const own = strategy === 'RollingUpdate' ? [{ own: true }] : [];
  return [{}, ...own, { own: true, apart: shortHash(pools.map(({ name }) => name)).slice(0, 5) }];
}
