/** What leads to the pods of a revision, one track for all pools behind a Service; names of what is still to be made. Pure. */
import { LABEL } from '../../api/meta.ts';
import { joinName } from '../record/names.ts';
import { keptByText, onceForObject } from '../../lib/once.ts';
import { canonicalJson, shortHash } from '../../lib/canonical-json.ts';
import type { Distinction, WorkloadIdentity } from '../record/desired.ts';
import { renderPods, servicePorts, trackName, workloadNames } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import { portsOf } from '../record/revision.ts';
import type { Group, PoolView, Rollout, Workload } from './view.ts';

/** What pods are looked for. */
export type Runs = Pick<WorkloadIdentity, 'revision' | 'strategy' | 'key'>;

export interface Track {
  track: string;
  /** The Deployment's name, also of one that is still to be made. */
  name: string;
  workload?: Workload;
}

export function findTrack(view: Rollout, pool: PoolView, runs: Runs): Track {
  const { group } = pool;
  const track = liveTrack(view, group, runs) ?? newTrack(view, group, runs);
  const workload = pool.workloads.find((candidate) => candidate.track === track && isOf(candidate, runs));
  return { track, name: workload?.name ?? newName(view, pool, runs, track), ...(workload && { workload }) };
}

/** With RollingUpdate a Deployment may have one revision after the other: see mayTake. */
function isOf({ strategy, revision, key }: Workload, runs: Runs): boolean {
  return (
    strategy === runs.strategy &&
    (strategy === 'RollingUpdate' || (revision === runs.revision.number && key === runs.key))
  );
}

/** A Service of another name keeps the pods that there are. What runs the revision goes first, then what is served. */
function liveTrack(view: Rollout, group: Group, runs: Runs): string | undefined {
  function rank(workload: Workload): number {
    const ranks = [
      workload.revision === runs.revision.number,
      workload.track === group.track,
      isCurrent(group, workload),
    ];
    return ranks.reduce((sum, holds) => sum * 2 + Number(holds), 0);
  }
  return group.pools
    .flatMap(({ workloads }) => workloads)
    .filter((workload) => isOf(workload, runs) && mayLead(view, group, workload.track))
    .filter(({ track }) => track !== group.track || !isLeftByOthers(view, group, runs))
    .filter((workload) => mayTake(view, group, workload, runs))
    .toSorted((a, b) => rank(b) - rank(a) || b.ready - a.ready)
    .at(0)?.track;
}

function isCurrent({ pools }: Group, workload: Workload): boolean {
  return pools.some(({ current }) => current === workload);
}

/**
 * A Deployment rolls from one revision to the next while the ports that lead to its pods are those of both; else the next
 * gets pods of its own, and ports and pods switch together. What does not serve keeps its revision, to go back to.
 */
function mayTake(view: Rollout, group: Group, workload: Workload, { strategy, revision }: Runs): boolean {
  if (strategy === 'BlueGreen' || !switchesPorts(group) || workload.revision === revision.number) return true;
  return isCurrent(group, workload) && revisionsIn(workload).every((from) => mayRollOver(view, group, from, revision));
}

/** Also those that it has not yet rolled away from. */
function revisionsIn({ revision, pods }: Workload): number[] {
  return [...new Set([revision, ...pods.map(({ metadata }) => Number(metadata.labels?.[LABEL.revision]))])];
}

/** The ports of an adopted Service are its owner's. */
function switchesPorts({ serviceName, adopted }: Group): boolean {
  return serviceName !== undefined && !adopted;
}

function mayRollOver(view: Rollout, { pools }: Group, from: number, to: Revision): boolean {
  const before = view.revisions.find(({ number }) => number === from);
  return before !== undefined && (samePorts(before, to) || pools.every(({ name }) => samePods(before, to, name)));
}

function samePorts(a: Revision, b: Revision): boolean {
  const [before, after] = [a, b].map((one) =>
    canonicalJson(servicePorts(portsOf(one.data.input)).map(canonicalJson).toSorted()),
  );
  return before === after;
}

function samePods(a: Revision, b: Revision, pool: string): boolean {
  const differs = [a, b].some(({ data }) => Object.hasOwn(data.input.pools, pool));
  return comparedTo(a)(
    b,
    differs ? pool : '',
    () => canonicalJson(renderPods(a, pool)) === canonicalJson(renderPods(b, pool)),
  );
}

/** Rendered once for each pair of revisions, and once for all pools that do not differ: many rules ask, in every pass. */
const comparedTo = onceForObject((_revision: Revision) => keptByText<boolean>());

/** A track that pods of others have too would bring those behind the Service; one that leads there already stays. */
export function mayLead(view: Rollout, group: Group, track: string): boolean {
  return group.serviceName === undefined || track === group.track || !isUsedElsewhere(view, group, track);
}

function isUsedElsewhere(view: Rollout, group: Group, track: string): boolean {
  return (
    othersOn(view, group, track).length > 0 ||
    // Made before Services selected their release alone.
    view.observed.isSelectedByOthers(track)
  );
}

/** Pools behind other Services that have pods of this track, as when they shared one. */
function othersOn(view: Rollout, group: Group, track: string): Group[] {
  return view.groups.filter(
    (other) =>
      other !== group && other.pools.some(({ workloads }) => workloads.some((workload) => workload.track === track)),
  );
}

/**
 * Those who shared the Service have pods of their own by now: what they leave behind it goes once it leads elsewhere. With
 * BlueGreen that comes with the next switch.
 */
function isLeftByOthers(view: Rollout, group: Group, { strategy }: Runs): boolean {
  const { track } = group;
  if (strategy !== 'RollingUpdate' || track === undefined) return false;
  return othersOn(view, group, track).some((other) => other.track !== undefined && other.track !== track);
}

function newTrack(view: Rollout, group: Group, runs: Runs): string {
  const rolls = group.pools.some(({ workloads }) => workloads.some(({ strategy }) => strategy === 'RollingUpdate'));
  const names = distinctions(group, runs)
    .filter(({ own }) => own || !rolls || runs.strategy === 'BlueGreen')
    .map((one) => trackWith(view, group, runs, one));
  // Somebody removed the Deployment that the Service leads to: made again, it is led to at once.
  const led = view.revisions.map((revision) => trackWith(view, group, { ...runs, revision }, { own: true }));
  const lost =
    runs.strategy === 'RollingUpdate'
      ? [trackWith(view, group, runs, {}), ...led].filter((name) => name === group.track)
      : [];
  return [...lost, ...names].find((name) => isFree(view, group, name, runs)) ?? names.at(-1) ?? '';
}

function trackWith(view: Rollout, { serviceName, pools }: Group, runs: Runs, one: Distinction): string {
  const pool = pools[0]?.name ?? '';
  return trackName(serviceName ?? joinName(view.owner.name, pool), { ...runs, pool }, one);
}

/** Nobody else's pods have it, and none that serve with other ports. */
function isFree(view: Rollout, group: Group, track: string, { strategy, revision }: Runs): boolean {
  if (isUsedElsewhere(view, group, track)) return false;
  if (strategy === 'BlueGreen' || !switchesPorts(group)) return true;
  const own = group.pools.flatMap(({ workloads }) => workloads).filter((workload) => workload.track === track);
  if (own.some((workload) => isCurrent(group, workload))) return false;
  const served = group.pools.find((pool) => pool.served)?.served;
  return track !== group.track || !served || mayRollOver(view, group, served.number, revision);
}

/** It follows from the track, whatever else is known to be there: two leaders, or one with a stale cache, make the same. */
function newName(view: Rollout, pool: PoolView, runs: Runs, track: string): string {
  const names = workloadNames(view.owner.name, { ...runs, pool: pool.name }, track);
  const isNew = (name: string) => view.workloads.every((other) => other.name !== name || other.track === track);
  return names.find(isNew) ?? names.at(-1) ?? '';
}

/** From plain to ever more distinct: the first that is free is taken. */
function distinctions({ serviceName, pools }: Group, { strategy }: Runs): Distinction[] {
  const apart = { own: true, apart: shortHash(pools.map(({ name }) => name)).slice(0, 5) };
  return strategy === 'BlueGreen' || serviceName === undefined ? [{}, apart] : [{}, { own: true }, apart];
}
