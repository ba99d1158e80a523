/** Which revision each pool goes to, and whether it is there. Pure. */
import type { Autoscaling } from '../../api/app-release.ts';
import { LABEL } from '../../api/meta.ts';
import { own } from '../../lib/own.ts';
import { inheritsFrom } from './kinship.ts';
import { intOrPercentOf } from '../record/quantity.ts';
import type { Pod } from '../record/kube-objects.ts';
import type { StrategyType } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import type { PoolFacts, Topology } from '../record/recorded-data.ts';
import { deadlineMs, isBad, isBadIn, isGood, poolFacts } from '../record/revision.ts';
import { hasVms } from './reachable.ts';
import type { Runs, Track } from './track.ts';
import { findTrack } from './track.ts';
import type { Mode, PoolState, PoolTarget, PoolView, Rollout, View, Workload } from './view.ts';

/** The strategy that a pool rolls with; `isRolledOut`: the wanted revision is everywhere. */
export function effectiveStrategy(
  { strategy: { type: wanted }, service }: Topology,
  { current }: PoolState,
  isRolledOut: boolean,
): StrategyType {
  const live = current?.strategy ?? wanted;
  const possible = live === 'RollingUpdate' || service !== undefined;
  return isRolledOut || !possible ? wanted : live;
}

/** The placement and strategy that the spec asks of a pool, as a key. */
export function wantedKey(pool: PoolView): string {
  return pool.keyUnder(pool.strategy);
}

/** The key of the placement that the spec asks of a pool, under the strategy that the pool runs with. */
export function placedKey(pool: PoolView): string {
  return pool.keyUnder(pool.current?.strategy ?? pool.strategy);
}

/** The wanted revision, once it is recorded. */
export function wantedRevision(view: Pick<View, 'wanted'>): Revision | undefined {
  return view.wanted.state === 'Recorded' ? view.wanted.revision : undefined;
}

/** A revision's current attempt in this pool has failed. */
export function hasFailed(revision: Revision, pool: string): boolean {
  const { entered, failed } = poolFacts(revision, pool);
  return entered !== undefined && failed !== undefined && failed.attempt === entered.attempt;
}

/** Let in, with the strategy that is wanted now. Where it serves already, other VMs are a move, which no gate keeps out. */
export function isEntered(pool: PoolView, revision: Revision): boolean {
  if (pool.entered !== revision) return false;
  const { entered, placed } = poolFacts(revision, pool.name);
  const key = wantedKey(pool);
  if (entered?.key === key || placed?.key === key) return true;
  return pool.served === revision && (pool.current?.strategy ?? pool.strategy) === pool.strategy;
}

/** What serves is on the VMs that the spec names. */
export function isPlaced(pool: PoolView): boolean {
  return pool.current === undefined || pool.current.key === placedKey(pool);
}

/** A revert in the spec: at once, but only to what is older than what runs here, was good here and bad nowhere. */
export function isRevert(view: Rollout, pool: PoolView, revision: Revision): boolean {
  const { name, served } = pool;
  if (!served || revision.number >= served.number || !isGood(revision, name)) return false;
  return !isBad(revision) && !inheritsFrom(view, revision);
}

/** Where a pool is going, as `target` of the pool has it; undefined while nothing was let in. */
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
    // Where it serves, it stays on its VMs until it is let go to others.
    if (served === entered && pool.current?.strategy === strategy)
      return existingTarget(view, pool, entered, 'Promote');
    const mode = goesBack(pool, entered) ? 'Return' : 'Promote';
    return withTrack(view, pool, { revision: entered, mode, placement, strategy, key: wantedKey(pool) });
  }
  // Let in with VMs that the spec names no more: it rolls on where it has begun.
  const runs = pool.workloads.some(({ revision }) => revision === entered.number);
  return runs || !served ? existingTarget(view, pool, entered, 'Promote') : servedTarget(view, pool);
}

/** The revision that a rollback holds the pool at. */
function heldRevision(view: Rollout, { hold, served }: PoolView): Revision | undefined {
  return hold && (view.revisions.find(({ number }) => number === hold.pool.to) ?? served);
}

/** A rollback takes the pool to another revision than it serves. */
export function isReturning(view: Rollout, pool: PoolView): boolean {
  const held = heldRevision(view, pool);
  return held !== undefined && held !== pool.served;
}

/** To what is older than what runs here, and was good here. */
function goesBack({ name, served }: PoolView, revision: Revision): boolean {
  return served !== undefined && revision.number < served.number && isGood(revision, name);
}

/** Another revision goes to the VMs that the spec names: the wanted one was let in for them, and nothing stops it. */
export function isReplaced(view: Rollout, pool: PoolView): boolean {
  const wanted = wantedRevision(view);
  if (!wanted || wanted === pool.served || pool.hold || !isEntered(pool, wanted)) return false;
  return !hasFailed(wanted, pool.name) && (view.paused === undefined || goesBack(pool, wanted));
}

/**
 * The fact that what serves was let go to the VMs that the spec names now. Before there were moves it was let in there as a
 * version is.
 */
export function placedFact(pool: PoolView): PoolFacts['placed'] {
  const { placed, entered } = pool.served ? poolFacts(pool.served, pool.name) : {};
  const fact = placed ?? (isPlaced(pool) ? undefined : entered);
  return fact?.key === placedKey(pool) ? fact : undefined;
}

/** What serves, on its way to the VMs that the spec names now. */
function moveTarget(view: Rollout, pool: PoolView): PoolTarget | undefined {
  const { served, current, placement } = pool;
  if (!served || !current || isPlaced(pool) || !placedFact(pool) || isReplaced(view, pool)) return undefined;
  const key = placedKey(pool);
  return withTrack(view, pool, { revision: served, mode: 'Move', placement, strategy: current.strategy, key });
}

/** What a pool serves, with the placement that it runs with. */
export function servedTarget(view: Rollout, pool: PoolView): PoolTarget | undefined {
  return pool.served && existingTarget(view, pool, pool.served, 'Promote');
}

/** A target with the placement that it runs with, so that to stay or to go back moves nothing else. */
function existingTarget(view: Rollout, pool: PoolView, revision: Revision, mode: Mode): PoolTarget {
  const [running] = pool.workloads
    .filter((workload) => workload.revision === revision.number)
    .toSorted((a, b) => Number(b === pool.current) - Number(a === pool.current) || b.ready - a.ready);
  const base = running ?? (pool.current?.strategy === 'RollingUpdate' ? pool.current : undefined);
  const { placement, strategy, key } = base ?? {
    placement: pool.placement,
    strategy: pool.strategy,
    key: wantedKey(pool),
  };
  return withTrack(view, pool, { revision, mode, placement, strategy, key });
}

/** Goes back with the placement that it ran with while VMs take its pods there, else with the placement of the spec. */
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

/** Whether a revision that enters gets pods beside those that serve, and not in their place. */
export function rollsBeside(view: Rollout, pool: PoolView, runs: Runs): boolean {
  if (runs.strategy === 'BlueGreen') return true;
  return pool.current?.strategy === runs.strategy && findTrack(view, pool, runs).workload !== pool.current;
}

/** Its autoscaler scales it, or is about to: nobody else does. */
export function isAutoscaled({ spec, current, autoscaler }: PoolView, workload: Workload): boolean {
  if (!spec.autoscaling) return false;
  return workload === current || autoscaler?.spec.scaleTargetRef.name === workload.name;
}

/** What an autoscaled pool starts with: what it last had, where that is known. */
function startReplicas({ spec, autoscaler }: PoolState, { minReplicas, maxReplicas }: Autoscaling): number {
  const last = autoscaler?.desiredReplicas ?? 0;
  return Math.min(maxReplicas, Math.max(minReplicas, last > 0 ? last : spec.replicas));
}

/** The live size; one of zero is left alone where somebody else asked for it: an autoscaler stands still then. */
function autoscaledReplicas(pool: PoolState, autoscaling: Autoscaling, workload: Workload | undefined): number {
  const { spec, replicasOwner } = workload?.deployment ?? { spec: {} };
  const live = spec.replicas ?? 0;
  return live === 0 && replicasOwner === undefined ? startReplicas(pool, autoscaling) : live;
}

/** What a target's Deployment is to be written with; undefined leaves the scale to whoever owns it. */
export function scaleOf(pool: PoolView, { workload, mode }: PoolTarget): number | undefined {
  const { autoscaling } = pool.spec;
  const foreign = workload?.deployment.replicasOwner !== undefined;
  if (!autoscaling) return foreign ? undefined : wantedReplicas(pool, workload);
  // With the live size, for which no write is needed; one on old news is refused, as it carries a version.
  if (workload && isAutoscaled(pool, workload))
    return foreign ? undefined : autoscaledReplicas(pool, autoscaling, workload);
  const wanted = wantedReplicas(pool, workload);
  // What is left may have given way: what comes does not shrink with it.
  return mode === 'Return' ? Math.max(wanted, workload?.deployment.spec.replicas ?? 0) : wanted;
}

/** The pods that a workload should have: the live scale where somebody else owns it. */
export function wantedReplicas(pool: PoolState, workload: Workload | undefined): number {
  if (pool.spec.autoscaling) return autoscaledReplicas(pool, pool.spec.autoscaling, pool.current ?? workload);
  const scaled = [workload, pool.current].find((candidate) => candidate?.deployment.replicasOwner !== undefined);
  return scaled?.deployment.spec.replicas ?? pool.spec.replicas;
}

export function standbyReplicas(view: Rollout, pool: PoolView): number {
  const { replicas } = pool;
  return Math.min(replicas, intOrPercentOf(view.topology.rollback.warmReplicas, replicas));
}

/**
 * The pods of a workload that run this revision, and that a Service with its track leads to: with RollingUpdate one
 * Deployment has those of two.
 */
export function podsOf({ pods, track }: Workload, { number }: Revision): Pod[] {
  return pods.filter(
    ({ metadata: { labels } }) => labels?.[LABEL.revision] === String(number) && (labels[LABEL.track] ?? '') === track,
  );
}

/** Whether a Deployment's status speaks of its newest spec. */
function isObserved({ deployment }: Workload): boolean {
  return (deployment.status?.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0);
}

/** Whether the wanted pods are there, new, and have been ready for minReadySeconds. */
export function isAvailable(workload: Workload, revision: Revision, replicas: number): boolean {
  const { updatedReplicas = 0, availableReplicas = 0, replicas: total = 0 } = workload.deployment.status ?? {};
  const ready = podsOf(workload, revision).filter((pod) => pod.ready).length;
  return (
    workload.revision === revision.number &&
    isObserved(workload) &&
    updatedReplicas >= replicas &&
    (workload.strategy === 'BlueGreen' || total <= updatedReplicas) &&
    availableReplicas >= replicas &&
    ready >= replicas
  );
}

/**
 * Its autoscaler asked for more pods, and those that it had are there: that proves nothing against a version. Not where
 * a pod takes longer than a version may.
 */
function isGrowing(view: Rollout, pool: PoolView, workload: Workload, revision: Revision): boolean {
  const { autoscaling } = pool.spec;
  const since = Date.parse(poolFacts(revision, pool.name).healthySince ?? '');
  const pods = podsOf(workload, revision);
  if (!autoscaling || workload.revision !== revision.number || pods.length < workload.pods.length) return false;
  const patience = deadlineMs(view.topology);
  const missing = pods.filter(({ ready }) => !ready).map(({ metadata }) => Date.parse(metadata.creationTimestamp));
  return (
    pods.length - missing.length >= Math.min(autoscaling.minReplicas, workload.deployment.spec.replicas ?? 0) &&
    missing.every((createdAt) => createdAt >= since && view.now - createdAt < patience)
  );
}

/** A container's imageID that names another digest than the recorded ones: the pool runs something else. */
export function contradictingImage(workload: Workload, revision: Revision): string | undefined {
  const { template } = revision.data.input;
  const images = new Map(
    [...(template.spec.initContainers ?? []), ...template.spec.containers].map(({ name, image }) => [name, image]),
  );
  for (const pod of podsOf(workload, revision)) {
    for (const { name, imageID = '' } of pod.containers) {
      const pin = own(revision.data.images, images.get(name) ?? '');
      // So it is as a rule, and releases have many pods.
      if (!pin || imageID.endsWith(`@${pin.digest}`)) continue;
      const digest = /@(sha256:[0-9a-f]{64})$/.exec(imageID)?.[1];
      if (digest && !Object.values(pin.platforms ?? {}).includes(digest)) {
        return `pod ${pod.metadata.name}: container ${name} runs ${digest}, recorded is ${pin.digest}`;
      }
    }
  }
  return undefined;
}

/** The pool's Service selects the revision, rolled as wanted, and its pods are available, on whichever VMs. */
export function isServing(view: Rollout, pool: PoolView, revision: Revision): boolean {
  const { current } = pool;
  return (
    current !== undefined &&
    pool.selected &&
    pool.served === revision &&
    (isAvailable(current, revision, pool.replicas) || isGrowing(view, pool, current, revision)) &&
    contradictingImage(current, revision) === undefined &&
    (pool.hold !== undefined || current.strategy === pool.strategy)
  );
}

/** Serving, on the VMs that the spec names. */
export function isSettled(view: Rollout, pool: PoolView, revision: Revision): boolean {
  return isServing(view, pool, revision) && isPlaced(pool);
}

/** Serving, with pods: zero replicas prove nothing. A spec that names other VMs makes nothing unhealthy. */
export function isHealthy(view: Rollout, pool: PoolView, revision: Revision): boolean {
  return isServing(view, pool, revision) && pool.replicas > 0;
}

/** What a rollback without a target goes to: what the pool last ran good, but for the revision that is left. */
export function lastGood(view: Rollout, pool: PoolView, leaving: Revision | undefined): Revision | undefined {
  return view.revisions
    .filter((revision) => revision !== leaving && isGood(revision, pool.name) && !isBadIn(revision, pool.name))
    .toSorted((a, b) => ranAt(a, pool.name) - ranAt(b, pool.name) || a.number - b.number)
    .at(-1);
}

function ranAt(revision: Revision, pool: string): number {
  const { healthySince, good, entered } = poolFacts(revision, pool);
  return Date.parse(healthySince ?? good ?? entered?.at ?? '');
}

/** The revision with a barrier that a pool would go back behind. */
export function barrierBetween(view: Rollout, pool: PoolView, to: Revision): Revision | undefined {
  const from = pool.served?.number ?? pool.lost?.number ?? 0;
  return view.revisions.find(
    (revision) =>
      revision.data.input.barrier &&
      revision.number > to.number &&
      revision.number <= from &&
      poolFacts(revision, pool.name).entered !== undefined,
  );
}
