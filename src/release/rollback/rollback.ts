/** Handles ReleaseRollbacks: accepts or rejects them, completes, supersedes and ends them. Pure. */
import type { Condition } from '../../api/common.ts';
import type { Reason } from '../../api/reasons.ts';
import type { ReleaseRollback, ReleaseRollbackStatus, RollbackPoolStatus } from '../../api/release-rollback.ts';
import { ownOrNew } from '../../lib/own.ts';
import type { Action, Notice, NoticeData } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import type { ConditionDraft } from '../../api/conditions.ts';
import { conditionIs, findCondition, withConditions } from '../../api/conditions.ts';
import type { RequestState } from '../../api/request-state.ts';
import { withState } from '../../api/request-state.ts';
import type { FactsDraft } from '../record/facts-draft.ts';
import { forgetSteps } from '../record/facts-draft.ts';
import { hasSameVersion, keepsOut } from '../state/kinship.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Revision } from '../record/revision.ts';
import type { PoolFacts } from '../record/recorded-data.ts';
import { poolFacts } from '../record/revision.ts';
import { isCarried } from '../state/pool-size.ts';
import { isAvailable, wantedRevision } from '../state/target.ts';
import { takesDeploymentBack } from '../stages/deployment.ts';
import { namesWanted } from '../stages/promotions.ts';
import type { Hold, PoolView, Rollout, View } from '../state/view.ts';
import { leadsElsewhere } from '../traffic/reach.ts';
import { returnFailure } from './return-failure.ts';
import { chooseTargets, title } from './targets.ts';

/** Accepts or rejects the oldest new rollback. Its targets are stored before any workload is written, and are final. */
export function answerRollbacks(view: View): Action[] {
  const open = view.observed.rollbacks
    .filter(({ status, metadata }) => !findCondition(status?.conditions, 'Accepted') && !metadata.deletionTimestamp)
    .toSorted((a, b) =>
      a.metadata.creationTimestamp + a.metadata.name < b.metadata.creationTimestamp + b.metadata.name ? -1 : 1,
    );
  const [next] = open;
  return next ? [{ ...answer(view, next), takesTrafficBack: true }] : [];
}

/** The versions of the targets, for people: rules use the revisions of the pools. */
function toVersionOf(view: View, pools: readonly RollbackPoolStatus[]): Pick<ReleaseRollbackStatus, 'toVersion'> {
  const targets = view.revisions.filter(({ number }) => pools.some(({ to }) => to === number));
  const versions = new Set(targets.map(({ data }) => data.input.version));
  return versions.size > 0 ? { toVersion: [...versions].join(',') } : {};
}

/** The conditions of a rejected rollback. */
export function rollbackRejection({ reason, message }: { reason: Reason; message: string }): ConditionDraft[] {
  return [
    { type: 'Accepted', status: 'False', reason, message },
    { type: 'Complete', status: 'False', reason: 'Rejected', message },
    { type: 'InForce', status: 'False', reason: 'Rejected', message },
  ];
}

function answer(view: View, rollback: ReleaseRollback): Action {
  const verdict = chooseTargets(view, rollback);
  const { name, generation } = rollback.metadata;
  if ('reason' in verdict) {
    const rejected = { conditions: withConditions([], rollbackRejection(verdict), view.now, generation) };
    return patch(rollback, stated(view, rollback, rejected), `reject rollback ${name}`, {
      type: 'Warning',
      reason: 'RollbackRejected',
      note: `rollback ${name}: ${verdict.message}`,
      data: { request: requestOf(view, rollback) },
    });
  }
  const sequence = Math.max(0, ...view.observed.rollbacks.map(({ status }) => status?.sequence ?? 0)) + 1;
  const moved = verdict.pools
    .filter(({ from, to }) => from !== to)
    .map(({ name: pool, from, to }) => `${pool} ${from ?? '-'} → ${to ?? '-'}`);
  const message = moved.length > 0 ? `takes back ${moved.join(', ')}` : 'keeps every pool where it is';
  const status: ReleaseRollbackStatus = {
    releaseUID: view.owner.uid,
    acceptedAt: new Date(view.now).toISOString(),
    ...toVersionOf(view, verdict.pools),
    sequence,
    ...heldAgainst(view),
    pools: verdict.pools,
    conditions: withConditions(
      [],
      [
        { type: 'Accepted', status: 'True', reason: 'Accepted', message },
        { type: 'Complete', status: 'False', reason: 'InProgress', message },
        { type: 'Superseded', status: 'False', reason: 'Latest', message: 'no later rollback took a pool over' },
        { type: 'InForce', status: 'True', reason: 'Holding', message: holdMessage(view.lastWanted) },
      ],
      view.now,
      generation,
    ),
  };
  const why = rollback.spec.reason === undefined ? '' : `: ${rollback.spec.reason}`;
  return patch(rollback, stated(view, rollback, status), `accept rollback ${name}: ${message}`, {
    type: 'Normal',
    reason: 'RollbackAccepted',
    note: `rollback ${name} ${message}${why}`,
    data: {
      cause: isAutomatic(view, rollback) ? 'automatic' : 'manual',
      ...deliveryOf(view, verdict.pools),
      request: requestOf(view, rollback),
    },
  });
}

/** The operator creates its rollbacks as children of the release. */
function isAutomatic(view: View, { metadata }: ReleaseRollback): boolean {
  return (metadata.ownerReferences ?? []).some(({ uid }) => uid === view.owner.uid);
}

function requestOf(view: View, rollback: ReleaseRollback): NonNullable<NoticeData['request']> {
  const { requestedBy, reason } = rollback.spec;
  const actor = isAutomatic(view, rollback) ? 'operator' : requestedBy;
  return {
    object: `ReleaseRollback/${rollback.metadata.name}`,
    ...(actor !== undefined && { actor }),
    ...(reason !== undefined && { reason }),
  };
}

/** The figures of delivery count a deployment that a rollback takes back. */
function deliveryOf(view: View, pools: readonly RollbackPoolStatus[]): NoticeData {
  const left = view.lastWanted;
  if (!left || !takesDeploymentBack(view, left)) return {};
  const isLeft = pools.some(({ from, to }) => from === left.number && to !== from);
  return isLeft ? { revision: left.number, delivery: 'Failed' } : {};
}

/** Names the revision that the hold keeps out: the one held against, or the wanted one with its version or images. */
function holdMessage(held: Revision | undefined, wanted = held): string {
  if (!held || !wanted) return 'keeps the pools where they are';
  const which =
    wanted === held
      ? 'and later revisions with its version or its images'
      : `with the ${hasSameVersion(held, wanted) ? 'version' : 'images'} of revision ${held.number}`;
  return `holds back ${title(wanted)} ${which}, until the spec wants another version with other images or a ReleasePromotion names the revision`;
}

/** The revision that the hold keeps out, and its version, which counts once the revision has no record any more. */
function heldAgainst(view: View): Pick<ReleaseRollbackStatus, 'heldAgainst' | 'heldVersion'> {
  const lost = view.wanted.state === 'Recorded' ? undefined : view.pools.find((pool) => pool.lost)?.lost;
  if (lost) return { heldAgainst: lost.number, ...(lost.version !== undefined && { heldVersion: lost.version }) };
  const { number, data } = view.lastWanted ?? {};
  return number === undefined || !data ? {} : { heldAgainst: number, heldVersion: data.input.version };
}

/**
 * Updates the status of answered rollbacks: superseded pools, completed pools, the end of the hold, and how all of that reads.
 * A rejected rollback keeps its answer.
 */
export function followRollbacks(view: View): Action[] {
  return view.observed.rollbacks.flatMap((rollback) => {
    const { status } = rollback;
    const isRejected = conditionIs(status?.conditions, 'Accepted', 'False');
    if (!status || (!isRejected && (status.acceptedAt === undefined || status.releaseUID !== view.owner.uid)))
      return [];
    const next = stated(view, rollback, isRejected ? status : follow(view, rollback, status));
    if (canonicalJson(next) === canonicalJson(status)) return [];
    return [
      patch(
        rollback,
        next,
        `update the status of rollback ${rollback.metadata.name}`,
        ...followNotices(rollback, next),
      ),
    ];
  });
}

function follow(view: View, rollback: ReleaseRollback, status: ReleaseRollbackStatus): ReleaseRollbackStatus {
  const { name, generation } = rollback.metadata;
  const pools = (status.pools ?? []).map((own) => followPool(view, rollback, own));
  const left = pools.filter(({ supersededBy }) => supersededBy === undefined);
  const drafts: ConditionDraft[] = [];
  let end = status.endedAt === undefined ? undefined : status.endReason;
  if (left.length === 0) {
    const by = [...new Set(pools.map(({ supersededBy }) => supersededBy))].join(', ');
    drafts.push({ type: 'Superseded', status: 'True', reason: 'LaterRollback', message: `superseded by ${by}` });
    drafts.push({ type: 'InForce', status: 'False', reason: 'Superseded', message: `superseded by ${by}` });
  } else {
    end ??= endOfHold(view, rollback);
    const held = view.revisions.find(({ number }) => number === status.heldAgainst);
    if (end !== undefined) drafts.push({ type: 'InForce', status: 'False', reason: 'Ended', message: end });
    else if (held) {
      const message = holdMessage(held, wantedRevision(view));
      drafts.push({ type: 'InForce', status: 'True', reason: 'Holding', message });
    }
  }
  const open = left.filter(
    (pool) => pool.completedAt === undefined && view.pools.some((own) => own.name === pool.name),
  );
  if (left.length > 0 && open.length === 0) {
    drafts.push({ type: 'Complete', status: 'True', reason: 'Complete', message: completeMessage(left) });
  } else if (!conditionIs(status.conditions, 'Complete', 'True') && (end !== undefined || left.length === 0)) {
    drafts.push({
      type: 'Complete',
      status: 'False',
      reason: end === undefined ? 'Superseded' : 'Ended',
      message: `rollback ${name} ended before every pool was back`,
    });
  }
  return {
    ...status,
    pools,
    conditions: withConditions(status.conditions, drafts, view.now, generation),
    ...(end !== undefined && { endedAt: status.endedAt ?? new Date(view.now).toISOString(), endReason: end }),
  };
}

/** The status with what it comes to: done or over, in progress, or in need of a person. */
function stated(view: View, rollback: ReleaseRollback, status: ReleaseRollbackStatus): ReleaseRollbackStatus {
  return withState(status, stateOf(view, rollback, status), view.now, rollback.metadata.generation);
}

function stateOf(view: View, { metadata }: ReleaseRollback, { conditions }: ReleaseRollbackStatus): RequestState {
  const accepted = findCondition(conditions, 'Accepted');
  const complete = findCondition(conditions, 'Complete');
  const inForce = findCondition(conditions, 'InForce');
  const reads = (is: RequestState['is'], condition: Condition | undefined): RequestState => ({
    is,
    // All conditions were written by this operator or an earlier one, with reasons of the list.
    reason: (condition?.reason ?? 'InProgress') as Reason,
    message: condition?.message ?? '',
  });
  if (accepted?.status === 'False') return reads('Stalled', accepted);
  if (complete?.status === 'True') return reads('Ready', complete);
  if (inForce?.status === 'False') return reads('Ready', inForce);
  const message =
    view.kind === 'Unknown'
      ? undefined
      : view.pools
          .filter(({ hold }) => hold?.rollback.metadata.uid === metadata.uid)
          .map((pool) => returnFailure(view, pool))
          .find((failure) => failure !== undefined);
  return message === undefined ? reads('Reconciling', complete) : { is: 'Stalled', reason: 'RollbackFailed', message };
}

function completeMessage(pools: readonly RollbackPoolStatus[]): string {
  const back = pools.filter(({ message }) => message === undefined).map(({ name }) => name);
  const stay = pools.filter(({ message }) => message !== undefined).map(({ name }) => name);
  const parts = [
    ...(back.length > 0 ? [`${back.join(', ')} ${back.length > 1 ? 'serve their targets' : 'serves its target'}`] : []),
    ...(stay.length > 0 ? [`${stay.join(', ')} ${stay.length > 1 ? 'stay' : 'stays'}`] : []),
  ];
  return parts.join('; ');
}

function followPool(view: View, rollback: ReleaseRollback, own: RollbackPoolStatus): RollbackPoolStatus {
  const pool = view.pools.find(({ name }) => name === own.name);
  if (!pool || own.supersededBy !== undefined || rollback.status?.endedAt !== undefined) return own;
  const holder = pool.hold?.rollback.metadata;
  if (holder && holder.uid !== rollback.metadata.uid) return { ...own, supersededBy: holder.name };
  if (own.completedAt !== undefined) return own;
  // A pool with a message keeps its revision: it is complete at once.
  const isDone = hasReturned(pool, own.to) && isCarried(pool) && isMarked(view, pool, rollback);
  if (own.message === undefined && !isDone) return own;
  return { ...own, completedAt: new Date(view.now).toISOString() };
}

/** Whether the pool serves the target with pods. RollingUpdate needs all pods: old pods serve until then. */
function hasReturned({ served, current, group, replicas }: PoolView, to: number | undefined): boolean {
  if (to === undefined) return true;
  if (served?.number !== to || !current) return false;
  if (leadsElsewhere(group, current.track) || (group.next && leadsElsewhere(group.next, current.track))) return false;
  return current.strategy === 'RollingUpdate'
    ? isAvailable(current, served, replicas)
    : current.ownReady > 0 || replicas === 0;
}

/** Whether the revision is recorded as taken back. Complete waits for it: a user may delete a complete rollback. */
function isMarked(view: View, pool: PoolView, { status }: ReleaseRollback): boolean {
  const left = view.revisions.find(({ number }) => number === status?.heldAgainst);
  return !left || pool.hold?.pool.to === left.number || poolFacts(left, pool.name).entered === undefined;
}

function endOfHold(view: View, rollback: ReleaseRollback): string | undefined {
  const wanted = wantedRevision(view);
  if (view.kind === 'Unknown' || !wanted) return undefined;
  if (!keepsOut(view, rollback, wanted)) return `${title(wanted)} is wanted now`;
  const retry = view.observed.promotions.find((promotion) => namesWanted(view, promotion));
  return retry && `ReleasePromotion ${retry.metadata.name} names the held revision ${wanted.number}: retry`;
}

function followNotices({ metadata, status }: ReleaseRollback, next: ReleaseRollbackStatus): Notice[] {
  const notices: Notice[] = [];
  if (!conditionIs(status?.conditions, 'Complete', 'True') && conditionIs(next.conditions, 'Complete', 'True')) {
    notices.push({
      type: 'Normal',
      reason: 'RollbackComplete',
      note: `rollback ${metadata.name}: ${findCondition(next.conditions, 'Complete')?.message ?? ''}`,
    });
  }
  if (status?.endedAt === undefined && next.endedAt !== undefined) {
    notices.push({
      type: 'Normal',
      reason: 'HoldEnded',
      note: `rollback ${metadata.name} no longer holds: ${next.endReason ?? ''}`,
      data: {
        request: {
          object: `ReleaseRollback/${metadata.name}`,
          ...(next.endReason !== undefined && { reason: next.endReason }),
        },
      },
    });
  }
  return notices;
}

/** Marks revisions that a rollback took back, so that each stage needs an approval to admit them again; clears entries. */
export function markRolledBack(view: Rollout, drafts: FactsDraft): void {
  for (const pool of view.pools) {
    const { hold } = pool;
    if (!hold) continue;
    const { heldAgainst } = hold.rollback.status ?? {};
    for (const revision of view.revisions) {
      if (revision.number === hold.pool.to || poolFacts(revision, pool.name).entered === undefined) continue;
      const isLater = revision.number >= (heldAgainst ?? Infinity);
      if (isLater && keepsOut(view, hold.rollback, revision)) markLeft(drafts, pool, revision, hold);
      else if (revision.number > (hold.pool.to ?? Infinity)) leave(drafts, pool, revision);
    }
  }
}

function markLeft(drafts: FactsDraft, pool: PoolView, left: Revision, { rollback }: Hold): void {
  const by = rollback.metadata.name;
  const draft = leave(drafts, pool, left);
  const facts = drafts.change(left);
  if (!Object.values(left.facts.pools).some(({ rolledBack }) => rolledBack?.by === by))
    facts.attempt = (left.facts.attempt ?? 1) + 1;
  facts.approvals = {};
  draft.rolledBack = { at: rollback.status?.acceptedAt ?? '', by };
  delete draft.healthySince;
}

/** Clears the entry of a revision into a pool: the stage must admit the revision again. */
function leave(drafts: FactsDraft, pool: PoolView, revision: Revision): PoolFacts {
  const facts = drafts.change(revision);
  const draft = ownOrNew<PoolFacts>(facts.pools, pool.name, () => ({}));
  forgetSteps(facts, pool.stage);
  delete draft.entered;
  delete draft.placed;
  delete draft.gaveBack;
  delete draft.clock;
  return draft;
}

function patch(
  rollback: ReleaseRollback,
  status: ReleaseRollbackStatus,
  message: string,
  ...notices: Notice[]
): Action {
  return { kind: 'PatchRollback', message, target: targetOf(rollback), status, ...(notices.length > 0 && { notices }) };
}
