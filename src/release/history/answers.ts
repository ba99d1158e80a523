/**
 * Keeps what rollbacks and promotions were answered where a restore from a backup keeps it, and takes it up after a restore,
 * so that nothing is executed twice. Pure.
 */
import { findCondition, withConditions, type ConditionDraft } from '../../api/conditions.ts';
import type { ObjectMeta } from '../../api/common.ts';
import { ANNOTATION } from '../../api/meta.ts';
import type { ReleasePromotion, ReleasePromotionStatus } from '../../api/release-promotion.ts';
import type { ReleaseRollback, ReleaseRollbackStatus, RollbackPoolStatus } from '../../api/release-rollback.ts';
import type { Action } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import {
  promotionAnswerOf,
  readPromotionAnswer,
  readRollbackAnswer,
  rollbackAnswerOf,
  type PromotionAnswer,
  type RollbackAnswer,
} from '../record/answer.ts';
import { rollbackRejection } from '../rollback/rollback.ts';
import { restoredTarget } from '../rollback/targets.ts';
import { promotionRejection } from '../stages/promotions.ts';
import type { Rollout, Seen, View } from '../state/view.ts';

/** Writes the annotations that are missing or old, and makes the release the owner of its rollbacks. */
export function keepAnswers(view: View): Action[] {
  return [
    ...view.observed.rollbacks.flatMap((rollback) => {
      const answer = rollbackAnswerOf(rollback);
      const own = rollback.status?.releaseUID === view.owner.uid && !isOwned(rollback, view.owner.uid);
      return isElsewhere(rollback, view) ? [] : keepAnswer('ReleaseRollback', rollback, answer, own);
    }),
    ...view.observed.promotions.flatMap((promotion) =>
      isElsewhere(promotion, view)
        ? []
        : keepAnswer('ReleasePromotion', promotion, promotionAnswerOf(promotion), false),
    ),
  ];
}

/** Whether the answer was given for another release of this name. */
function isElsewhere({ status }: ReleaseRollback | ReleasePromotion, { owner }: Seen): boolean {
  return status?.releaseUID !== undefined && status.releaseUID !== owner.uid;
}

function isOwned({ metadata }: { metadata: ObjectMeta }, uid: string): boolean {
  return (metadata.ownerReferences ?? []).some((reference) => reference.uid === uid);
}

function keepAnswer(
  of: (Action & { kind: 'KeepAnswer' })['of'],
  { metadata }: ReleaseRollback | ReleasePromotion,
  answer: string | undefined,
  own: boolean,
): Action[] {
  if (answer === undefined || (metadata.annotations?.[ANNOTATION.answer] === answer && !own)) return [];
  const message = `keep the answer of ${of} ${metadata.name} in an annotation`;
  return [{ kind: 'KeepAnswer', of, message, target: targetOf({ metadata }), answer, own }];
}

/** Gives objects of a backup the status that they had. No pool moves by it that a new rollback could not move. */
export function restoreAnswers(view: View): Action[] {
  if (view.kind === 'Unknown') return [];
  return [
    ...view.observed.rollbacks.flatMap((rollback) => {
      const answer = lacksStatus(rollback, view) ? readRollbackAnswer(rollback) : undefined;
      const status = answer && rollbackStatus(view, rollback, answer);
      return status ? [restored(rollback, { kind: 'PatchRollback', status })] : [];
    }),
    ...view.observed.promotions.flatMap((promotion) => {
      const answer = lacksStatus(promotion, view) ? readPromotionAnswer(promotion) : undefined;
      const status = answer && promotionStatus(view, answer);
      return status ? [restored(promotion, { kind: 'PatchPromotion', status })] : [];
    }),
  ];
}

type Restoring =
  { kind: 'PatchRollback'; status: ReleaseRollbackStatus } | { kind: 'PatchPromotion'; status: ReleasePromotionStatus };

function restored({ metadata }: { metadata: ObjectMeta }, action: Restoring): Action {
  return {
    ...action,
    target: targetOf({ metadata }),
    message: `take up the answer of ${metadata.name} after a restore`,
  };
}

/** Whether the object comes from a backup: without a status, or with the UID of a release that does not own it. */
function lacksStatus({ metadata, status }: ReleaseRollback | ReleasePromotion, { owner }: Seen): boolean {
  if (metadata.deletionTimestamp !== undefined) return false;
  if (!findCondition(status?.conditions, 'Accepted')) return true;
  return status?.releaseUID !== undefined && status.releaseUID !== owner.uid && !metadata.ownerReferences?.length;
}

const MESSAGE = 'answered before a restore from a backup: nothing is done again';

function rollbackStatus(
  view: Rollout,
  { spec }: ReleaseRollback,
  { rejected, accepted }: RollbackAnswer,
): ReleaseRollbackStatus | undefined {
  const set = (...drafts: ConditionDraft[]) => ({ conditions: withConditions([], drafts, view.now) });
  if (rejected) return set(...rollbackRejection(rejected));
  if (!accepted) return undefined;
  const pools = (accepted.pools ?? []).flatMap((own): RollbackPoolStatus[] => {
    if (accepted.endedAt !== undefined || own.supersededBy !== undefined) return [own];
    const pool = view.pools.find(({ name }) => name === own.name);
    return pool ? [restoredTarget(view, pool, spec, own)] : [];
  });
  return {
    ...accepted,
    releaseUID: view.owner.uid,
    pools,
    ...set(
      { type: 'Accepted', status: 'True', reason: 'Accepted', message: MESSAGE },
      { type: 'Complete', status: 'False', reason: 'InProgress', message: MESSAGE },
      { type: 'Superseded', status: 'False', reason: 'Latest', message: 'no later rollback took a pool over' },
    ),
  };
}

function promotionStatus(view: Rollout, { rejected, bound }: PromotionAnswer): ReleasePromotionStatus | undefined {
  const set = (...drafts: ConditionDraft[]) => ({ conditions: withConditions([], drafts, view.now) });
  if (rejected) return set(...promotionRejection(rejected));
  if (!bound) return undefined;
  const { revision, attempt, accepted, completedAt } = bound;
  const base = { releaseUID: view.owner.uid, revision, ...(attempt !== undefined && { attempt }) };
  const isAccepted: ConditionDraft = { type: 'Accepted', status: 'True', reason: 'Accepted', message: MESSAGE };
  if (completedAt !== undefined) {
    const isComplete: ConditionDraft = { type: 'Complete', status: 'True', reason: 'StageEntered', message: MESSAGE };
    return { ...base, completedAt, ...set(isAccepted, isComplete) };
  }
  return accepted ? { ...base, ...set(isAccepted) } : base;
}
