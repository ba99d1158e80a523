/** The track of a revision, which all pools behind a Service share, and the names of new Deployments. Pure. */
import { LABEL } from '../../api/meta.ts';
import { joinName } from '../record/names.ts';
import { shortHash } from '../../lib/canonical-json.ts';
import type { Distinction, WorkloadIdentity } from '../record/desired.ts';
import { trackName, workloadNames } from '../record/desired.ts';
import { isRunBy, podsNumber } from '../record/kept-pods.ts';
import type { Revision } from '../record/revision.ts';
import { hasSamePods, hasSamePorts } from '../record/same-pods.ts';
import type { Group, PoolView, Rollout, Workload } from '../state/view.ts';

/** The pods to find a track for. */
export type Runs = Pick<WorkloadIdentity, 'revision' | 'strategy' | 'key'>;

export interface Track {
  track: string;
  /** The name of the Deployment, which may not exist yet. */
  name: string;
  workload?: Workload;
}

export function findTrack(view: Rollout, pool: PoolView, runs: Runs): Track {
  const { group } = pool;
  const track = liveTrack(view, group, runs) ?? newTrack(view, group, runs);
  const workload = pool.workloads.find((candidate) => candidate.track === track && isOf(candidate, runs));
  return { track, name: workload?.name ?? newName(view, pool, runs, track), ...(workload && { workload }) };
}

/** With RollingUpdate, a Deployment may roll from one revision to the next: see mayTake. */
function isOf(workload: Workload, runs: Runs): boolean {
  const { strategy, key } = workload;
  return (
    strategy === runs.strategy &&
    (strategy === 'RollingUpdate' || (isRunBy(runs.revision, workload) && key === runs.key))
  );
}

/** The track of an existing workload. A workload with the revision is preferred, then the one that the Service selects. */
function liveTrack(view: Rollout, group: Group, runs: Runs): string | undefined {
  function rank(workload: Workload): number {
    const ranks = [isRunBy(runs.revision, workload), workload.track === group.track, isCurrent(group, workload)];
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
 * A Deployment rolls from one revision to the next if the Service ports fit the pods of both revisions. Otherwise the next
 * revision gets its own Deployment, so that ports and pods switch together. A standby keeps its revision for a rollback.
 */
function mayTake(view: Rollout, group: Group, workload: Workload, { strategy, revision }: Runs): boolean {
  if (strategy === 'BlueGreen' || !switchesPorts(group) || isRunBy(revision, workload)) return true;
  return (
    isCurrent(group, workload) && revisionsIn(view, group, workload).every((from) => mayRollOver(group, from, revision))
  );
}

/** The revision of a workload, and the older revisions that still have pods during a rolling update. */
function revisionsIn(view: Rollout, group: Group, { pool, revision, pods }: Workload): (Revision | undefined)[] {
  const served = group.pools.find(({ name }) => name === pool)?.served;
  const numbers = new Set([revision, ...pods.map(({ metadata }) => Number(metadata.labels?.[LABEL.revision]))]);
  return [...numbers].map((number) =>
    served && podsNumber(served, pool) === number ? served : view.revisions.find((one) => one.number === number),
  );
}

/** The owner of an adopted Service owns its ports. */
function switchesPorts({ serviceName, adopted }: Group): boolean {
  return serviceName !== undefined && !adopted;
}

function mayRollOver({ pools }: Group, before: Revision | undefined, to: Revision): boolean {
  return before !== undefined && (hasSamePorts(before, to) || pools.every(({ name }) => hasSamePods(before, to, name)));
}

/** Whether the Service of the group may select the track. A track that pods of others share would select those pods too. */
export function mayLead(view: Rollout, group: Group, track: string): boolean {
  return group.serviceName === undefined || track === group.track || !isUsedElsewhere(view, group, track);
}

function isUsedElsewhere(view: Rollout, group: Group, track: string): boolean {
  return (
    othersOn(view, group, track).length > 0 ||
    // Services of earlier operators select only the track, not the release.
    view.observed.isSelectedByOthers(track)
  );
}

/** Groups behind other Services with pods of this track, as after pools stop sharing a Service. */
function othersOn(view: Rollout, group: Group, track: string): Group[] {
  return view.groups.filter(
    (other) =>
      other !== group && other.pools.some(({ workloads }) => workloads.some((workload) => workload.track === track)),
  );
}

/**
 * Whether pools that shared the Service now have their own track. Their old Deployments are deleted after this Service selects
 * another track. With BlueGreen the next switch does that.
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
  // Somebody deleted the Deployment that the Service selects. A new one with the same track is selected at once.
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

/** Whether no other pools use the track, and no serving pods with other ports have it. */
function isFree(view: Rollout, group: Group, track: string, { strategy, revision }: Runs): boolean {
  if (isUsedElsewhere(view, group, track)) return false;
  if (strategy === 'BlueGreen' || !switchesPorts(group)) return true;
  const own = group.pools.flatMap(({ workloads }) => workloads).filter((workload) => workload.track === track);
  if (own.some((workload) => isCurrent(group, workload))) return false;
  const served = group.pools.find((pool) => pool.served)?.served;
  return track !== group.track || !served || mayRollOver(group, served, revision);
}

/** The name depends on the track, so that two leaders, or a leader with a stale cache, make the same name. */
function newName(view: Rollout, pool: PoolView, runs: Runs, track: string): string {
  const names = workloadNames(view.owner.name, { ...runs, pool: pool.name }, track);
  const isNew = (name: string) => view.workloads.every((other) => other.name !== name || other.track === track);
  return names.find(isNew) ?? names.at(-1) ?? '';
}

/** Candidates from short to long. The first free one is used. */
function distinctions({ serviceName, pools }: Group, { strategy }: Runs): Distinction[] {
  const apart = { own: true, apart: shortHash(pools.map(({ name }) => name)).slice(0, 5) };
  return strategy === 'BlueGreen' || serviceName === undefined ? [{}, apart] : [{}, { own: true }, apart];
}
