/** The target of each pool, and whether the pool has reached it. Pure. */
import { LABEL } from '../../api/meta.ts';
import { PRECISION_MS } from '../../lib/clocks.ts';
import { own } from '../../lib/own.ts';
import { hasSameVersion, inheritsFrom } from './kinship.ts';
import type { Pod } from '../record/kube-objects.ts';
import type { StrategyType } from '../record/desired.ts';
import { isRunBy, podsNumber } from '../record/kept-pods.ts';
import type { Revision } from '../record/revision.ts';
import type { PoolFacts, Topology } from '../record/recorded-data.ts';
import { deadlineMs, hasBarrier, isBad, isBadIn, isGood, poolFacts } from '../record/revision.ts';
import { hasSamePods, hasSamePorts } from '../record/same-pods.ts';
import { hasVms } from './reachable.ts';
import type { Runs, Track } from '../traffic/track.ts';
import { findTrack } from '../traffic/track.ts';
import type { Mode, PoolState, PoolTarget, PoolView, Rollout, View, Workload } from './view.ts';

/** The strategy that a pool rolls out with. `isRolledOut`: every pool serves the wanted revision. */
export function effectiveStrategy(
  { strategy: { type: wanted }, service }: Topology,
  { current }: PoolState,
  isRolledOut: boolean,
): StrategyType {
  const live = current?.strategy ?? wanted;
  const possible = live === 'RollingUpdate' || service !== undefined;
  return isRolledOut || !possible ? wanted : live;
}

/** The key of the placement in the spec, under the strategy that the pool rolls out with. */
export function wantedKey(pool: PoolView): string {
  return pool.keyUnder(pool.strategy);
}

/** The key of the placement in the spec, under the strategy that the pool runs with. */
export function placedKey(pool: PoolView): string {
  return pool.keyUnder(pool.current?.strategy ?? pool.strategy);
}

/** The wanted revision, once it is recorded. */
export function wantedRevision(view: Pick<View, 'wanted'>): Revision | undefined {
  return view.wanted.state === 'Recorded' ? view.wanted.revision : undefined;
}

/** Whether the current attempt of a revision has failed in this pool. */
export function hasFailed(revision: Revision, pool: string): boolean {
  const { entered, failed } = poolFacts(revision, pool);
  return entered !== undefined && failed !== undefined && failed.attempt === entered.attempt;
}

/**
 * Whether the revision has entered the pool with the current strategy. Other VMs for a serving revision are a move, not an
 * entry.
 */
export function isEntered(pool: PoolView, revision: Revision): boolean {
  if (pool.entered !== revision) return false;
  const { entered, placed } = poolFacts(revision, pool.name);
  const key = wantedKey(pool);
  if (entered?.key === key || placed?.key === key) return true;
  return pool.served === revision && (pool.current?.strategy ?? pool.strategy) === pool.strategy;
}

/** Whether the serving pods are on the VMs that the spec names. */
export function isPlaced(pool: PoolView): boolean {
  return pool.current === undefined || pool.current.key === placedKey(pool);
}

/**
 * Whether the spec reverts the pool to an older revision that was good here and has no bad mark. A revert passes no gates.
 */
export function isRevert(view: Rollout, pool: PoolView, revision: Revision): boolean {
  const { name, served } = pool;
  if (!served || revision.number >= served.number || !isGood(revision, name)) return false;
  return !isBad(revision) && !inheritsFrom(view, revision);
}

/** The target of a pool; undefined if no revision has entered the pool. */
export function poolTarget(view: Rollout, pool: PoolView): PoolTarget | undefined {
  const { entered, served } = pool;
  const wanted = wantedRevision(view);
  const held = heldRevision(view, pool);
  if (held && held !== served) return returnTarget(view, pool, held);
  if (pool.lost && (pool.hold || !wanted || !isEntered(pool, wanted))) return undefined;
  const move = moveTarget(view, pool);
  if (move) return move;
  if (held) return existingTarget(view, pool, held, 'Return');
  if (!entered || (wanted && entered !== wanted && served)) {
    return servedTarget(view, pool);
  }
  if (entered === wanted && isEntered(pool, wanted)) {
    const { strategy, placement } = pool;
    // A serving revision stays on its VMs until a move starts.
    if (served === entered && pool.current?.strategy === strategy)
      return existingTarget(view, pool, entered, 'Promote');
    const mode = goesBack(pool, entered) ? 'Return' : 'Promote';
    return withTrack(view, pool, { revision: entered, mode, placement, strategy, key: wantedKey(pool) });
  }
  // The revision entered for VMs that the spec no longer names. The rollout continues on the VMs where it began.
  const runs = pool.workloads.some((workload) => isRunBy(entered, workload));
  return runs || !served ? existingTarget(view, pool, entered, 'Promote') : servedTarget(view, pool);
}

/** The revision that a rollback holds the pool to. */
export function heldRevision(view: Rollout, { hold, served }: PoolView): Revision | undefined {
  return hold && (view.revisions.find(({ number }) => number === hold.pool.to) ?? served);
}

/** Whether a rollback takes the pool to another revision than the served one. */
export function isReturning(view: Rollout, pool: PoolView): boolean {
  const held = heldRevision(view, pool);
  return held !== undefined && held !== pool.served;
}

/** Whether the revision is older than the served one and was good in the pool. */
function goesBack({ name, served }: PoolView, revision: Revision): boolean {
  return served !== undefined && revision.number < served.number && isGood(revision, name);
}

/** Whether the wanted revision has entered the pool, replaces the served one, and nothing stops it. */
export function isReplaced(view: Rollout, pool: PoolView): boolean {
  const wanted = wantedRevision(view);
  if (!wanted || wanted === pool.served || pool.hold || !isEntered(pool, wanted)) return false;
  return !hasFailed(wanted, pool.name) && (view.paused === undefined || goesBack(pool, wanted));
}

/**
 * The recorded move of the serving revision to the VMs that the spec names. Earlier operators recorded such a move in
 * `entered`.
 */
export function placedFact(pool: PoolView): PoolFacts['placed'] {
  const { placed, entered } = pool.served ? poolFacts(pool.served, pool.name) : {};
  const fact = placed ?? (isPlaced(pool) ? undefined : entered);
  return fact?.key === placedKey(pool) ? fact : undefined;
}

/** The target of a move: the serving revision on the VMs that the spec names. */
function moveTarget(view: Rollout, pool: PoolView): PoolTarget | undefined {
  const { served, current, placement } = pool;
  if (!served || !current || isPlaced(pool) || !placedFact(pool) || isReplaced(view, pool)) return undefined;
  const key = placedKey(pool);
  return withTrack(view, pool, { revision: served, mode: 'Move', placement, strategy: current.strategy, key });
}

/** The served revision with its current placement. */
export function servedTarget(view: Rollout, pool: PoolView): PoolTarget | undefined {
  return pool.served && existingTarget(view, pool, pool.served, 'Promote');
}

/**
 * A target with the placement that the revision runs with, so that staying or going back does not move pods to other VMs.
 */
function existingTarget(view: Rollout, pool: PoolView, revision: Revision, mode: Mode): PoolTarget {
  const [running] = pool.workloads
    .filter((workload) => isRunBy(revision, workload))
    .toSorted((a, b) => Number(b === pool.current) - Number(a === pool.current) || b.ready - a.ready);
  const base = running ?? (pool.current?.strategy === 'RollingUpdate' ? pool.current : undefined);
  const { placement, strategy, key } = base ?? {
    placement: pool.placement,
    strategy: pool.strategy,
    key: wantedKey(pool),
  };
  return withTrack(view, pool, { revision, mode, placement, strategy, key });
}

/** The target of a rollback: the previous placement if VMs admit the pods there, else the placement of the spec. */
function returnTarget(view: Rollout, pool: PoolView, revision: Revision): PoolTarget {
  const own = existingTarget(view, pool, revision, 'Return');
  const { strategy } = own;
  const key = pool.keyUnder(strategy);
  const anew = { revision, mode: own.mode, placement: pool.placement, strategy, key };
  return own.key === key || hasVms(view, pool, own, anew) ? own : withTrack(view, pool, anew);
}

export function withTrack(view: Rollout, pool: PoolView, target: Omit<PoolTarget, keyof Track>): PoolTarget {
  return { ...target, ...findTrack(view, pool, target) };
}

/** Whether an entering revision gets new pods beside the serving pods instead of replacing them in place. */
export function rollsBeside(view: Rollout, pool: PoolView, runs: Runs): boolean {
  if (runs.strategy === 'BlueGreen') return true;
  return pool.current?.strategy === runs.strategy && findTrack(view, pool, runs).workload !== pool.current;
}

/**
 * The pods of a workload that run this revision and have its track. During a rolling update, a Deployment has pods of two
 * revisions.
 */
export function podsOf({ pods, track, pool }: Workload, revision: Revision): Pod[] {
  const number = podsNumber(revision, pool);
  return pods.filter(
    ({ metadata: { labels } }) => labels?.[LABEL.revision] === String(number) && (labels[LABEL.track] ?? '') === track,
  );
}

/** Number of those pods that are ready. */
export function readyOf(workload: Workload, revision: Revision): number {
  return podsOf(workload, revision).filter((pod) => pod.ready).length;
}

/** Whether the status of the Deployment is of its latest generation. */
function isObserved({ deployment }: Workload): boolean {
  return (deployment.status?.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0);
}

/**
 * Whether the Deployment controller may still remove pods that are ready now: the Deployment was scaled down, or a scale-up
 * followed before the controller saw the scale-down.
 */
export function mayShrink({ deployment: { metadata, spec, status } }: Workload): boolean {
  const unseen = (metadata.generation ?? 0) - (status?.observedGeneration ?? 0);
  return unseen > 1 || (spec.replicas ?? 0) < (status?.replicas ?? 0);
}

/** Whether all wanted pods run the revision and have been ready for minReadySeconds. */
export function isAvailable(workload: Workload, revision: Revision, replicas: number): boolean {
  return isObserved(workload) && hasAvailablePods(workload, revision, replicas);
}

/**
 * The same for pods that get traffic already. A change that the Deployment controller has yet to see, such as of the deadline,
 * takes none of them away.
 */
export function staysAvailable(workload: Workload, revision: Revision, replicas: number): boolean {
  return (
    hasAvailablePods(workload, revision, replicas) &&
    (isObserved(workload) || podsOf(workload, revision).length === workload.pods.length)
  );
}

function hasAvailablePods(workload: Workload, revision: Revision, replicas: number): boolean {
  const { updatedReplicas = 0, availableReplicas = 0, replicas: total = 0 } = workload.deployment.status ?? {};
  return (
    isRunBy(revision, workload) &&
    updatedReplicas >= replicas &&
    (workload.strategy === 'BlueGreen' || total <= updatedReplicas) &&
    availableReplicas >= replicas &&
    readyOf(workload, revision) >= replicas
  );
}

/**
 * Whether only pods that the autoscaler added are not ready yet. These pods do not make the version unhealthy until one of
 * them takes longer than the deadline.
 */
function isGrowing(view: Rollout, pool: PoolView, workload: Workload, revision: Revision): boolean {
  const { autoscaling } = pool.spec;
  const since = Date.parse(poolFacts(revision, pool.name).healthySince ?? '');
  const pods = podsOf(workload, revision);
  if (!autoscaling || !isRunBy(revision, workload) || pods.length < workload.pods.length) return false;
  const patience = deadlineMs(view.topology);
  const missing = pods.filter(({ ready }) => !ready).map(({ metadata }) => Date.parse(metadata.creationTimestamp));
  return (
    pods.length - missing.length >= Math.min(autoscaling.minReplicas, workload.deployment.spec.replicas ?? 0) &&
    missing.every((createdAt) => createdAt >= since - PRECISION_MS && view.now - createdAt < patience)
  );
}

/** A message if a container runs another digest than the recorded ones. */
export function contradictingImage(workload: Workload, revision: Revision): string | undefined {
  const { template } = revision.data.input;
  const images = new Map(
    [...(template.spec.initContainers ?? []), ...template.spec.containers].map(({ name, image }) => [name, image]),
  );
  for (const pod of podsOf(workload, revision)) {
    for (const { name, imageID = '' } of pod.containers) {
      const pin = own(revision.data.images, images.get(name) ?? '');
      // The usual case, checked first because releases have many pods.
      if (!pin || imageID.endsWith(`@${pin.digest}`)) continue;
      const digest = /@(sha256:[0-9a-f]{64})$/.exec(imageID)?.[1];
      if (digest && !Object.values(pin.platforms ?? {}).includes(digest)) {
        return `pod ${pod.metadata.name}: container ${name} runs ${digest}, but the recorded digest is ${pin.digest}`;
      }
    }
  }
  return undefined;
}

/** Whether the pool's Service selects pods of the revision and these are available, on any VMs. */
function hasPodsServing(view: Rollout, pool: PoolView, revision: Revision): boolean {
  const { current } = pool;
  return (
    current !== undefined &&
    pool.selected &&
    (staysAvailable(current, revision, pool.replicas) || isGrowing(view, pool, current, revision)) &&
    contradictingImage(current, revision) === undefined &&
    (pool.hold !== undefined || current.strategy === pool.strategy)
  );
}

/** Whether the pool serves the revision with all of its pods, on any VMs. */
export function isServing(view: Rollout, pool: PoolView, revision: Revision): boolean {
  return pool.served === revision && hasPodsServing(view, pool, revision);
}

/** Whether the pool serves the revision on the VMs that the spec names. */
export function isSettled(view: Rollout, pool: PoolView, revision: Revision): boolean {
  return isServing(view, pool, revision) && isPlaced(pool);
}

/**
 * Whether pods of the revision serve, at least one. The pool stays healthy if the spec names other VMs, and while the Service
 * names the revision that had the same pods before.
 */
export function isHealthy(view: Rollout, pool: PoolView, revision: Revision): boolean {
  return hasPodsServing(view, pool, revision) && pool.replicas > 0;
}

/**
 * The target of a rollback that names none: the revision that was last good in the pool, except the one it leaves and those
 * that differ from it in none of the pools that roll back.
 */
export function lastGood(
  view: Rollout,
  pool: PoolView,
  leaving: Revision | undefined,
  pools: readonly PoolView[] = view.pools,
): Revision | undefined {
  return view.revisions
    .filter((revision) => isGood(revision, pool.name) && !isBadIn(revision, pool.name))
    .filter((revision) => revision !== leaving && !(leaving && isSameIn(pools, revision, leaving)))
    .toSorted((a, b) => ranAt(a, pool.name) - ranAt(b, pool.name) || a.number - b.number)
    .at(-1);
}

function isSameIn(pools: readonly PoolView[], one: Revision, other: Revision): boolean {
  return (
    hasSameVersion(one, other) && hasSamePorts(one, other) && pools.every(({ name }) => hasSamePods(one, other, name))
  );
}

function ranAt(revision: Revision, pool: string): number {
  const { healthySince, good, entered } = poolFacts(revision, pool);
  return Date.parse(healthySince ?? good ?? entered?.at ?? '');
}

/** Whether the revision entered the pool, or the one that the pool took the place of. */
function wasIn(revision: Revision, pool: string): boolean {
  const { entered, follows } = poolFacts(revision, pool);
  return entered !== undefined || follows !== undefined;
}

/** The revision with a barrier between the served revision and the target. */
export function barrierBetween(view: Rollout, pool: PoolView, to: Revision): Revision | undefined {
  const from = pool.served?.number ?? pool.lost?.number ?? 0;
  return view.revisions.find(
    (revision) =>
      hasBarrier(revision) && revision.number > to.number && revision.number <= from && wasIn(revision, pool.name),
  );
}
