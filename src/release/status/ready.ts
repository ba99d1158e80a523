/** The conditions of a release that say why it is not ready or stalled. Pure. */
import type { ConditionDraft } from '../../api/conditions.ts';
import type { Reason } from '../../api/reasons.ts';
import { firstOf } from '../../lib/first-of.ts';
import { whyUnready } from '../health/failure.ts';
import { answerFailure } from '../rollback/automatic.ts';
import { returnFailure } from '../rollback/return-failure.ts';
import { autoscalerName } from '../pools/autoscaler.ts';
import { isSuccessor, servingLeft } from '../pools/left-pools.ts';
import { surgeObstacle } from '../pools/blue-green-obstacles.ts';
import { holdsVm } from '../pools/do-not-disrupt.ts';
import type { Pod } from '../record/kube-objects.ts';
import { ledgerName } from '../record/names.ts';
import type { Revision } from '../record/revision.ts';
import { poolFacts } from '../record/revision.ts';
import { hasSameVersion } from '../state/kinship.ts';
import { exposureWait } from '../stages/exposure.ts';
import { poolsToEnter, stagePools } from '../stages/stage-pools.ts';
import {
  contradictingImage,
  hasFailed,
  isHealthy,
  isSettled,
  podsOf,
  readyOf,
  wantedRevision,
} from '../state/target.ts';
import { portMissing } from '../traffic/adopted-ports.ts';
import { wantedReplicas } from '../state/pool-size.ts';
import { wantsTheLost } from '../state/lost-record.ts';
import type { PoolView, Rollout, View } from '../state/view.ts';
import type { Wanted } from '../state/wanted-states.ts';
import type { ReadyReason } from './ready-reason.ts';
import { routeFails } from './traffic-routed.ts';
import { recordIsLost } from './record-lost.ts';

/**
 * Why the writes of a pass failed.
 * - `Stalled`: a retry gets the same answer until a person changes the spec, a policy, a quota or a right.
 * - `Waits`: the cause is known, and passes without a change of the release.
 * - `Unknown`: the error is reported only if nothing else says why the release is not ready.
 */
export interface Trouble extends ReadyReason {
  kind: 'Stalled' | 'Waits' | 'Unknown';
}

/** The result of the writes of a pass. */
export interface Outcome {
  trouble?: Trouble;
}

type ReadyRule = (view: Rollout) => ReadyReason | undefined;

/** The rules whose reasons need a person. */
const STALLED: readonly ReadyRule[] = [
  namespaceTerminates,
  specIsInvalid,
  nameIsTaken,
  adoptedPortsFit,
  recordIsLost,
  autoscalingIsRefused,
  routeFails,
  digestNeedsAPerson,
  templateIsDenied,
  rollbackFails,
  revisionFailed,
];

/** The rules that say why a pool does not serve the wanted revision. The first that applies gives the reason. */
const UNREADY: readonly ReadyRule[] = [held, ...STALLED, paused, resolving, recording, progressing, moving, leaving];

export function stalled(view: View): ReadyReason | undefined {
  return view.kind === 'Unknown' ? (namespaceTerminates(view) ?? specIsInvalid(view)) : firstOf(STALLED, view);
}

export function unready(view: View): ReadyReason | undefined {
  return view.kind === 'Unknown' ? stalled(view) : firstOf(UNREADY, view);
}

/** Reasons that a change of the VMs may end. */
const VM_REASONS: ReadonlySet<Reason | undefined> = new Set(['NoCapacity', 'VMsUnavailable', 'UnknownPool']);

/** Whether a change of the VMs enqueues the release, because it may go on. */
export function waitsForVms(view: View): boolean {
  return (
    VM_REASONS.has(unready(view)?.reason) ||
    view.pools.some((pool) => returns(pool) || pool.move || isExcused(pool)) ||
    // A VM that is about to be removed is no longer held.
    view.observed.pods.some(holdsVm)
  );
}

/** Whether the clock of the progress deadline is stopped: VMs may be the cause. */
function isExcused({ name, target }: PoolView): boolean {
  return target !== undefined && poolFacts(target.revision, name).clock?.stopped !== undefined;
}

/** Whether a rollback of the pool is not complete: its placement depends on the VMs that exist. */
function returns({ hold }: PoolView): boolean {
  return hold !== undefined && hold.pool.completedAt === undefined;
}

function title({ number, data }: Revision): string {
  return `version ${data.input.version} (revision ${number})`;
}

function namespaceTerminates({ observed: { memory }, owner }: View): ReadyReason | undefined {
  if (!memory.terminating) return undefined;
  const message = `namespace ${owner.namespace} is being deleted: nothing can be created in it`;
  return { reason: 'NamespaceTerminating', message };
}

function specIsInvalid({ wanted }: View): ReadyReason | undefined {
  return wanted.state === 'Invalid' ? { reason: wanted.reason, message: wanted.message } : undefined;
}

/** Told before the switch, which waits for it, and after a change of the Service. */
function adoptedPortsFit({ groups }: Rollout): ReadyReason | undefined {
  const messages = groups.flatMap((group) =>
    group.pools.flatMap(({ target, served }) => {
      const revision = target?.revision ?? served;
      return revision ? (portMissing(group, revision) ?? []) : [];
    }),
  );
  return messages[0] === undefined ? undefined : { reason: 'InvalidPort', message: messages[0] };
}

function nameIsTaken(view: Rollout): ReadyReason | undefined {
  const taken = view.groups.flatMap((group) => group.taken ?? group.next?.taken ?? [])[0];
  // A rollback, a revision and a pod get another name instead; the ledger does not.
  const ledger = `ControllerRevision/${ledgerName(view.owner.name)}`;
  const other = [...view.observed.memory.nameConflicts].find(
    ([object]) =>
      object === ledger || !/^(Service|ControllerRevision|ReleaseRollback|Pod|HTTPRoute|GRPCRoute)\//.test(object),
  );
  const message = taken ?? other?.[1];
  return message === undefined ? undefined : { reason: 'NameTaken', message };
}

function autoscalingIsRefused({ pools, owner, observed }: Rollout): ReadyReason | undefined {
  const refused = pools
    .filter(({ spec }) => spec.autoscaling)
    .map((pool) => observed.memory.refused.get(`HorizontalPodAutoscaler/${autoscalerName(owner, pool)}`))
    .find((answer) => answer !== undefined);
  return refused && { reason: refused.reason, message: refused.message };
}

const NEEDS_A_PERSON = new Set(['NotFound', 'Unauthorized', 'Forbidden', 'InvalidPullSecret', 'TLS']);

function digestNeedsAPerson({ wanted }: Rollout): ReadyReason | undefined {
  if (wanted.state !== 'Resolving' || !wanted.failed) return undefined;
  // A registry that is down recovers by itself. For the other reasons a person must push, permit or correct something.
  if (wanted.failed.retryable && !NEEDS_A_PERSON.has(wanted.failed.reason)) return undefined;
  return { reason: wanted.failed.reason, message: wanted.failed.message };
}

function rollbackFails(view: Rollout): ReadyReason | undefined {
  const message = view.pools.map((pool) => returnFailure(view, pool)).find((failure) => failure !== undefined);
  return message === undefined ? undefined : { reason: 'RollbackFailed', message };
}

function revisionFailed(view: Rollout): ReadyReason | undefined {
  const answer = answerFailure(view);
  return answer?.kind === 'Stay' ? { reason: answer.reason, message: answer.message } : undefined;
}

/** "wants 1.5.0, runs 1.4.2 by web-x7k2p: too many errors" */
export function held(view: View): ReadyReason | undefined {
  const pool = view.pools.find(({ hold }) => hold);
  if (!pool?.hold) return undefined;
  const { metadata, spec, status } = pool.hold.rollback;
  const against = view.revisions.find(({ number }) => number === status?.heldAgainst);
  const at = view.revisions.find(({ number }) => number === pool.hold?.pool.to);
  const wants = wantedRevision(view) ?? against;
  const isSame = at !== undefined && wants !== undefined && hasSameVersion(at, wants);
  const name = (revision: Revision) =>
    `${revision.data.input.version}${isSame ? ` (revision ${revision.number})` : ''}`;
  const why = spec.reason === undefined ? '' : `: ${spec.reason}`;
  return {
    reason: 'RolledBack',
    message: `wants ${wants ? name(wants) : '?'}, runs ${at ? name(at) : 'nothing'} by ${metadata.name}${why}`,
  };
}

/**
 * What holds the release, once every held pool serves its target and no pool moves to other VMs: only a person can end that,
 * with another version or a retry. While the digests of another version are asked for, it may be what ends the hold.
 */
export function heldForGood(view: View): ReadyReason | undefined {
  const returning = view.pools.some(({ hold, move }) => (hold && hold.pool.completedAt === undefined) || move);
  const isKnown = view.wanted.state === 'Recorded' || (view.kind === 'Rollout' && wantsTheLost(view));
  return returning || !isKnown ? undefined : held(view);
}

function paused(view: Rollout): ReadyReason | undefined {
  const wanted = wantedRevision(view);
  if (view.paused === undefined || (wanted && view.pools.every((pool) => isSettled(view, pool, wanted))))
    return undefined;
  return { reason: 'Paused', message: `paused: ${view.paused}` };
}

function resolving({ wanted }: Rollout): ReadyReason | undefined {
  if (wanted.state !== 'Resolving') return undefined;
  return {
    reason: 'ResolvingDigests',
    message: wanted.failed?.message ?? askingMessage(wanted),
  };
}

function askingMessage({ isQueued }: Extract<Wanted, { state: 'Resolving' }>): string {
  return isQueued
    ? 'the digests of the images wait in a queue: the operator asks registries for each namespace in turn'
    : 'the operator asks the registry for the digests of the images';
}

function recording({ wanted }: Rollout): ReadyReason | undefined {
  if (wanted.state === 'Recorded') return undefined;
  return unanswered(wanted) ?? { reason: 'RecordingRevision', message: 'the operator records the wanted revision' };
}

function templateIsDenied({ wanted }: Rollout): ReadyReason | undefined {
  const refused = unanswered(wanted);
  return refused?.reason === 'AdmissionDenied' ? refused : undefined;
}

/** Why the dry run of the wanted revision gave no verdict on its template. */
function unanswered(wanted: Wanted): ReadyReason | undefined {
  return wanted.state === 'Unproven' ? wanted.refused : undefined;
}

/** The first stage in which the wanted revision is not settled. */
function progressing(view: Rollout): ReadyReason | undefined {
  const wanted = wantedRevision(view);
  // A revision that has entered no pool may be settled too, after a rollback that was deleted before it moved a pool.
  if (!wanted || view.pools.every((pool) => isSettled(view, pool, wanted))) return undefined;
  for (const stage of view.topology.stages) {
    const pools = stagePools(view, stage);
    const open = pools.filter(
      (pool) => !poolsToEnter(view, stage, wanted).includes(pool) && !isSettled(view, pool, wanted),
    );
    const rolling = open.find((pool) => hasProblem(view, pool)) ?? open[0];
    const exposure = rolling && !moveReason(rolling) ? exposureWait(view, rolling) : undefined;
    if (rolling)
      return {
        reason: moveReason(rolling) ?? exposure?.reason ?? 'Progressing',
        message: `${title(wanted)} in pool ${rolling.name}: ${poolProgress(view, rolling)}`,
      };
    const wait = poolsToEnter(view, stage, wanted).length > 0 ? view.gate(stage) : undefined;
    if (wait) return { reason: wait.reason, message: wait.message };
    if (poolsToEnter(view, stage, wanted).length > 0) {
      return { reason: 'Progressing', message: `${title(wanted)} enters stage ${stage.name}` };
    }
  }
  return undefined;
}

/** Of several pools that roll, one with a problem is told. */
function hasProblem(view: Rollout, { target }: PoolView): boolean {
  return target?.workload !== undefined && whyUnready(target.workload, target.revision, view) !== undefined;
}

function moving(view: Rollout): ReadyReason | undefined {
  const wanted = wantedRevision(view);
  const pool = wanted && view.pools.find((candidate) => !isSettled(view, candidate, wanted));
  if (!pool) return undefined;
  const reason = moveReason(pool) ?? 'Progressing';
  return { reason, message: `pool ${pool.name}: ${poolProgress(view, pool)}` };
}

/** Why the pods of a pool are not on the VMs that the spec names; undefined while they move there. */
function moveReason(pool: PoolView): Reason | undefined {
  const reason = pool.move?.reason;
  return reason === 'Moving' ? undefined : reason;
}

function leaving(view: Rollout): ReadyReason | undefined {
  const names = new Set(view.pools.map(({ name }) => name));
  const left = view.workloads.find(({ pool }) => !names.has(pool));
  return left && { reason: 'Progressing', message: `pool ${left.pool} left the spec: ${left.name} is being removed` };
}

/** The progress of a pool, or what it waits for. */
export function poolProgress(view: View, pool: PoolView): string {
  const { move, target } = pool;
  if (move) return move.message;
  if (!target) return 'no revision has entered the pool yet';
  if (hasFailed(target.revision, pool.name) && !pool.hold) return `revision ${target.revision.number} failed`;
  if (!target.workload) {
    const held = view.heldNames.get(`Deployment/${target.name}`);
    if (held !== undefined) return held;
    const before = pool.workloads.find((workload) => workload !== pool.current);
    return before ? `waits for room: revision ${before.revision} drains first` : 'its Deployment starts next';
  }
  const exposure = view.kind === 'Rollout' ? exposureWait(view, pool) : undefined;
  if (exposure) return exposure.message;
  const ready = readyOf(target.workload, target.revision);
  const replicas = wantedReplicas(pool, target.workload);
  const wrong = contradictingImage(target.workload, target.revision);
  if (wrong !== undefined) return wrong;
  const why = [whyUnready(target.workload, target.revision, view), besideTheOld(pool)]
    .flatMap((text) => (text === undefined ? [] : `; ${text}`))
    .join('');
  if (ready >= replicas && target.workload !== pool.current)
    return `${ready} of ${replicas} pods are ready, its Service switches next`;
  return `${ready} of ${replicas} pods are ready${why}`;
}

/** Names the field that may keep new pods from starting while the served version runs, and the way out. */
function besideTheOld(pool: PoolView): string | undefined {
  const { current, target } = pool;
  if (!current || !target?.workload || target.workload === current) return undefined;
  const pods = podsOf(target.workload, target.revision);
  const { template } = target.revision.data.input;
  if (pods.some(({ unschedulable }) => unschedulable !== undefined))
    return surgeObstacle(template, 'Scheduling', target.strategy);
  const starts = pods.some(({ containers }) => containers.some((own) => own.waiting?.reason === 'ContainerCreating'));
  return starts ? surgeObstacle(template, 'Starting', target.strategy) : undefined;
}

export function available(view: View): ConditionDraft {
  const type = 'Available';
  if (view.pools.length === 0)
    return { type, status: 'False', reason: 'NothingServed', message: 'nothing was released yet' };
  const [left] = view.kind === 'Rollout' ? servingLeft(view) : [];
  const dark = view.pools.filter(
    (pool) =>
      pool.replicas > 0 &&
      (pool.current?.ready ?? 0) === 0 &&
      !(left && view.kind === 'Rollout' && isSuccessor(view, pool)),
  );
  if (dark.length === 0)
    return { type, status: 'True', reason: 'Available', message: 'every pool serves a version that works' };
  return {
    type,
    status: 'False',
    reason: 'PoolsUnavailable',
    message: `no ready pod in ${dark.map(({ name }) => name).join(', ')}`,
  };
}

export function digestsPinned(view: View): ConditionDraft {
  const type = 'DigestsPinned';
  const { wanted, lastWanted } = view;
  if (wanted.state === 'Resolving') {
    const { failed } = wanted;
    return failed
      ? { type, status: 'False', reason: failed.reason, message: failed.message }
      : { type, status: 'Unknown', reason: 'Resolving', message: askingMessage(wanted) };
  }
  if (wanted.state === 'Invalid')
    return { type, status: 'Unknown', reason: wanted.reason, message: 'the spec is not valid' };
  const moved = view.kind === 'Rollout' ? view.movedTags.at(0) : undefined;
  if (moved) {
    return {
      type,
      status: 'True',
      reason: 'TagMoved',
      message: `${moved.image} now names ${moved.digest}; the running pods keep ${moved.pinned}`,
    };
  }
  const images = Object.values(lastWanted?.data.images ?? {}).map(({ image }) => image);
  return { type, status: 'True', reason: 'Pinned', message: images.join(', ').slice(0, 1000) };
}

export function capacityAvailable(view: View): ConditionDraft {
  const type = 'CapacityAvailable';
  const [first] = view.pools.flatMap((pool) => waitingPods(pool).map(({ unschedulable }) => ({ pool, unschedulable })));
  const kept = view.kind === 'Rollout' ? keptOut(view) : undefined;
  if (!first && kept) return { type, status: 'False', reason: 'NoCapacity', message: kept.message };
  if (!first) return { type, status: 'True', reason: 'Fits', message: 'no pod waits for room' };
  const wayOut = besideTheOld(first.pool);
  const message = `pool ${first.pool.name}: ${first.unschedulable ?? ''}${wayOut === undefined ? '' : `; ${wayOut}`}`;
  return { type, status: 'False', reason: 'Unschedulable', message };
}

/** Unschedulable pods of the served Deployment and of the target. Those of a standby do not matter. */
function waitingPods(pool: PoolView): Pod[] {
  const workloads = new Set([pool.current, pool.target?.workload]);
  return [...workloads].flatMap(
    (workload) => workload?.pods.filter(({ unschedulable }) => unschedulable !== undefined) ?? [],
  );
}

/** The wanted revision, or a pool that moves to the VMs that the spec names, finds too little room. */
function keptOut(view: Rollout): { message: string } | undefined {
  const reason = progressing(view);
  if (reason?.reason === 'NoCapacity') return reason;
  return view.pools.map((pool) => pool.move).find((move) => move?.reason === 'NoCapacity');
}

/** Pools that serve the wanted revision: healthy, or without replicas. */
export function arrivedPools(view: Rollout): PoolView[] {
  const wanted = wantedRevision(view) ?? view.lastWanted;
  return wanted ? view.pools.filter((pool) => isSettled(view, pool, wanted) || isHealthy(view, pool, wanted)) : [];
}
