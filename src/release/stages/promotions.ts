/**
 * The status of ReleasePromotions. A promotion is bound to a revision when first seen, and complete when its stage is
 * entered. Pure.
 */
import type { Stage } from '../../api/app-release.ts';
import type { ReleasePromotion, ReleasePromotionStatus } from '../../api/release-promotion.ts';
import { OVER, type Reason } from '../../api/reasons.ts';
import { own } from '../../lib/own.ts';
import type { Action, Notice } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import type { ConditionDraft } from '../../api/conditions.ts';
import { conditionIs, findCondition, withConditions } from '../../api/conditions.ts';
import type { RequestState } from '../../api/request-state.ts';
import { withState } from '../../api/request-state.ts';
import { exposingIn } from '../state/exposure.ts';
import { nextAttempt, stepKey } from './approvals.ts';
import { exposureWait, hasPassed } from './exposure.ts';
import { poolsToEnter, stagePools } from './stage-pools.ts';
import { answerFailure } from '../rollback/automatic.ts';
import { keepsOut } from '../state/kinship.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Revision } from '../record/revision.ts';
import { wantedRevision } from '../state/target.ts';
import type { Rollout, View } from '../state/view.ts';

export function answerPromotions(view: View): Action[] {
  return view.observed.promotions.flatMap((promotion) => {
    const { status, metadata } = promotion;
    if (metadata.deletionTimestamp !== undefined) return [];
    const isFinal = status?.completedAt !== undefined || conditionIs(status?.conditions, 'Accepted', 'False');
    const answer = status && isFinal ? status : answerPromotion(view, promotion);
    const next = withState(answer, stateOf(view, answer), view.now, metadata.generation);
    if (canonicalJson(next) === canonicalJson(status ?? {})) return [];
    const notices = promotionNotices(promotion, next);
    const message = `promotion ${metadata.name}: ${next.conditions?.map(({ type, status: is, reason }) => `${type}=${is}/${reason}`).join(' ') ?? ''}`;
    return [
      {
        kind: 'PatchPromotion',
        message,
        target: targetOf(promotion),
        status: next,
        ...(notices.length > 0 && { notices }),
      },
    ];
  });
}

/** The revision of a promotion: the bound revision, else the named one, else the wanted one. */
function promotionBinding(view: View, { spec, status }: ReleasePromotion): Revision | undefined {
  const bound = status?.revision ?? spec.revision;
  if (bound !== undefined) return view.revisions.find(({ number }) => number === bound);
  const wanted = wantedRevision(view);
  if (spec.version === undefined) return wanted;
  if (wanted?.data.input.version === spec.version) return wanted;
  return view.revisions.findLast(({ data }) => data.input.version === spec.version);
}

/**
 * Whether a new promotion names the wanted revision by version or number, which retries a revision that a rollback blocks.
 */
export function namesWanted(view: Rollout, promotion: ReleasePromotion): boolean {
  const { spec, status, metadata } = promotion;
  return (
    (spec.version !== undefined || spec.revision !== undefined) &&
    spec.step === undefined &&
    status?.completedAt === undefined &&
    !conditionIs(status?.conditions, 'Accepted', 'False') &&
    !wasAccepted(promotion) &&
    metadata.deletionTimestamp === undefined &&
    stageExists(view, spec.stage) &&
    promotionBinding(view, promotion) === wantedRevision(view)
  );
}

function wasAccepted({ status }: ReleasePromotion): boolean {
  return conditionIs(status?.conditions, 'Accepted', 'True');
}

function stageExists(view: Rollout, name: string): boolean {
  return view.topology.stages.some((stage) => stage.name === name);
}

/** The conditions of a rejected promotion. */
export function promotionRejection(why: { reason: Reason; message: string }): ConditionDraft[] {
  return [
    { type: 'Accepted', status: 'False', ...why },
    { type: 'Complete', status: 'False', ...why },
  ];
}

/** The attempt of a promotion that gets its first answer. */
function firstSeen(
  view: View,
  { spec, status }: ReleasePromotion,
  revision: Revision,
): Pick<ReleasePromotionStatus, 'attempt'> {
  if (view.kind === 'Unknown' || status?.revision !== undefined) return {};
  const stage = view.topology.stages.find(({ name }) => name === spec.stage);
  return { attempt: nextAttempt(view, stage, revision) };
}

function answerPromotion(view: View, promotion: ReleasePromotion): ReleasePromotionStatus {
  const { spec, metadata } = promotion;
  const status = promotion.status ?? {};
  // The release exists.
  const before = status.conditions?.filter(({ type }) => type !== 'Waiting');
  const wanted = wantedRevision(view);
  const revision = promotionBinding(view, promotion);

  function set(drafts: ConditionDraft[], more: Partial<ReleasePromotionStatus> = {}): ReleasePromotionStatus {
    return {
      ...status,
      releaseUID: view.owner.uid,
      ...(revision && { revision: revision.number, ...firstSeen(view, promotion, revision) }),
      ...more,
      conditions: withConditions(before, drafts, view.now, metadata.generation),
    };
  }
  function reject(reason: Reason, message: string): ReleasePromotionStatus {
    return set(promotionRejection({ reason, message }));
  }
  function wait(reason: Reason, message: string): ReleasePromotionStatus {
    return set([
      { type: 'Accepted', status: wasAccepted(promotion) ? 'True' : 'Unknown', reason, message },
      { type: 'Complete', status: 'False', reason, message },
    ]);
  }

  function complete(
    { name }: Stage,
    { number }: Revision,
    reason: 'StageEntered' | 'StepApproved' = 'StageEntered',
  ): ReleasePromotionStatus {
    const message =
      reason === 'StageEntered'
        ? `revision ${number} entered stage ${name}`
        : `revision ${number} went on from step ${spec.step ?? 0} of stage ${name}`;
    return set(
      [
        { type: 'Accepted', status: 'True', reason: 'Accepted', message },
        { type: 'Complete', status: 'True', reason, message },
      ],
      { completedAt: new Date(view.now).toISOString() },
    );
  }
  function accept(what: string, reason: Reason, message: string): ReleasePromotionStatus {
    return set([
      { type: 'Accepted', status: 'True', reason: 'Accepted', message: what },
      { type: 'Complete', status: 'False', reason, message },
    ]);
  }

  if (view.kind === 'Unknown' || !wanted) return wait('WaitingForRevision', 'the wanted revision is not recorded yet');
  const stage = view.topology.stages.find(({ name }) => name === spec.stage);
  if (!stage) {
    const stages = view.topology.stages.map(({ name }) => name).join(', ');
    return reject('UnknownStage', `spec.stage: the release has no stage ${spec.stage}: it has ${stages}`);
  }
  if (!revision) return reject('UnknownRevision', `spec: ${spec.version ?? spec.revision ?? ''} was never recorded`);
  if (revision !== wanted) {
    return reject(
      'Superseded',
      `the spec wants revision ${wanted.number} (${wanted.data.input.version}), not revision ${revision.number} (${revision.data.input.version})`,
    );
  }
  const steps = stage.exposure?.length ?? 0;
  if (spec.step !== undefined && spec.step > steps)
    return reject('UnknownStep', `spec.step: the exposure of stage ${stage.name} has ${steps} steps, not ${spec.step}`);
  const isUsed = (key: string) => own(revision.facts.approvals, key)?.promotion === metadata.name;
  if (spec.step === undefined && isUsed(stage.name)) return complete(stage, revision);
  if (spec.step !== undefined && isUsed(stepKey(stage, spec.step - 1)))
    return complete(stage, revision, 'StepApproved');
  const held = view.pools.find(({ hold }) => hold && keepsOut(view, hold.rollback, revision));
  if (held?.hold) {
    const by = held.hold.rollback.metadata.name;
    if (wasAccepted(promotion))
      return reject('RolledBack', `rollback ${by} revoked this approval: create a new ReleasePromotion to retry`);
    return wait(
      'HeldByRollback',
      `rollback ${by} blocks revision ${revision.number}: create a ReleasePromotion that names its version or revision to retry`,
    );
  }
  if (spec.step !== undefined) {
    const what = `lets revision ${revision.number} go on from step ${spec.step} of stage ${stage.name}`;
    const isIn = poolsToEnter(view, stage, revision).length === 0;
    if (isIn && hasPassed(view, exposingIn(view, stage), spec.step))
      return reject('StepPassed', `revision ${revision.number} has passed step ${spec.step} of stage ${stage.name}`);
    const gate = isIn ? undefined : view.gate(stage);
    const [pool] = isIn ? stagePools(view, stage) : [];
    const exposure = pool && exposureWait(view, pool);
    return accept(what, gate?.reason ?? 'Exposing', gate?.message ?? exposure?.message ?? what);
  }
  if (poolsToEnter(view, stage, revision).length === 0) {
    // Another approval of the same stage was used. The stage is entered, so this promotion is complete too.
    if (wasAccepted(promotion)) return complete(stage, revision);
    return reject('AlreadyEntered', `revision ${revision.number} has already entered stage ${stage.name}`);
  }
  const waiting = wasAccepted(promotion) ? view.gate(stage) : undefined;
  // The revision enters the stage in this pass. The next pass writes the status.
  if (wasAccepted(promotion) && !waiting) return status;
  const what = `admits revision ${revision.number} to stage ${stage.name}`;
  return accept(what, waiting?.reason ?? 'Entering', waiting?.message ?? what);
}

/** What a status comes to: done or over, waiting, or in need of a person. */
function stateOf(view: View, { conditions }: ReleasePromotionStatus): RequestState {
  const accepted = findCondition(conditions, 'Accepted');
  const complete = findCondition(conditions, 'Complete');
  const { reason, message } = complete ?? accepted ?? { reason: 'Entering', message: '' };
  // All conditions were written by this operator or an earlier one, with reasons of the list.
  const told = { reason: reason as Reason, message };
  if (complete?.status === 'True') return { is: 'Ready', ...told };
  if (accepted?.status === 'False') return { is: OVER.some((one) => one === reason) ? 'Ready' : 'Stalled', ...told };
  return { is: needsAPerson(view, reason) ? 'Stalled' : 'Reconciling', ...told };
}

/** Whether a wait ends only by another version or promotion. After a failure, a rollback may be about to be accepted. */
function needsAPerson(view: View, reason: string): boolean {
  if (reason === 'Failed') return view.kind === 'Rollout' && answerFailure(view)?.kind === 'Stay';
  return reason === 'HeldByRollback' || reason === 'NameTaken' || reason === 'WaitingForApproval';
}

function promotionNotices({ metadata, spec, status }: ReleasePromotion, next: ReleasePromotionStatus): Notice[] {
  const accepted = next.conditions?.find(({ type }) => type === 'Accepted');
  if (!accepted || status?.conditions?.some(({ type, status: is }) => type === 'Accepted' && is === accepted.status))
    return [];
  if (accepted.status === 'Unknown') return [];
  return [
    {
      type: accepted.status === 'True' ? 'Normal' : 'Warning',
      reason: accepted.status === 'True' ? 'PromotionAccepted' : 'PromotionRejected',
      note: `promotion ${metadata.name}: ${accepted.message}`,
      data: {
        request: {
          object: `ReleasePromotion/${metadata.name}`,
          ...(spec.requestedBy !== undefined && { actor: spec.requestedBy }),
          ...(spec.reason !== undefined && { reason: spec.reason }),
        },
      },
    },
  ];
}
