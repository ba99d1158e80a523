/** The approval of a stage: a recorded approval, or a ReleasePromotion that can be used. Pure. */
import type { Stage } from '../../api/app-release.ts';
import { conditionIs } from '../../api/conditions.ts';
import type { ReleasePromotion } from '../../api/release-promotion.ts';
import { PRECISION_MS } from '../../lib/clocks.ts';
import { own } from '../../lib/own.ts';
import type { Revision } from '../record/revision.ts';
import type { Approval, PoolFacts } from '../record/recorded-data.ts';
import { poolFacts } from '../record/revision.ts';
import { hasFailed } from '../state/target.ts';
import type { Rollout } from '../state/view.ts';
import { stagePools } from './stage-pools.ts';

export function approvalFor(view: Rollout, stage: Stage, revision: Revision): Approval | undefined {
  const failures = failuresIn(view, stage, revision);
  const usable = view.observed.promotions.find(
    (promotion) =>
      isUsable(promotion, view, revision) &&
      promotion.spec.stage === stage.name &&
      promotion.spec.step === undefined &&
      failures.every((failure) => isLater(promotion, failure, view.now)),
  );
  // An approval counts once. If the revision has left the stage, it needs a new approval.
  const isIn = stagePools(view, stage).some(
    ({ name, entered }) => entered === revision || poolFacts(revision, name).gaveBack !== undefined,
  );
  if (!usable) return isIn && failures.length === 0 ? own(revision.facts.approvals, stage.name) : undefined;
  return approvalBy(view, usable);
}

function approvalBy(view: Rollout, { metadata, spec }: ReleasePromotion): Approval {
  const { skipSoak, requestedBy } = spec;
  return {
    at: new Date(view.now).toISOString(),
    promotion: metadata.name,
    skipSoak,
    ...(requestedBy !== undefined && { by: requestedBy }),
  };
}

/** The key of the approval of a step in the records of a revision. `step`: its index. No name of a stage has a slash. */
export function stepKey({ name }: Pick<Stage, 'name'>, step: number): string {
  return `${name}/${step + 1}`;
}

/** The approval that lets an exposure go on from a step, which may have passed before it began anew. `step`: its index. */
export function stepApproval(view: Rollout, stage: Stage, revision: Revision, step: number): Approval | undefined {
  const recorded = own(revision.facts.approvals, stepKey(stage, step));
  if (recorded) return recorded;
  const failures = failuresIn(view, stage, revision);
  const usable = view.observed.promotions.find(
    (promotion) =>
      isUsable(promotion, view, revision) &&
      promotion.spec.stage === stage.name &&
      promotion.spec.step === step + 1 &&
      failures.every((failure) => isLater(promotion, failure, view.now)),
  );
  return usable && approvalBy(view, usable);
}

type Failure = Required<PoolFacts>['failed'];

/** The failures of the revision in the stage that a retry needs a new approval for. */
function failuresIn(view: Rollout, stage: Stage, revision: Revision): Failure[] {
  return stagePools(view, stage).flatMap(({ name }) =>
    hasFailed(revision, name) ? (poolFacts(revision, name).failed ?? []) : [],
  );
}

/** The attempt that an approval of the stage admits if it is seen now. */
export function nextAttempt(view: Rollout, stage: Stage | undefined, revision: Revision): number {
  const failed = stage ? failuresIn(view, stage, revision).map(({ attempt }) => attempt + 1) : [];
  return Math.max(revision.facts.attempt ?? 1, ...failed);
}

/**
 * Whether a promotion was given after a failure: the operator first saw it after it had recorded the failure. The times say the
 * same of a promotion that it saw late. A failure in the future was recorded by a clock that was wrong, and its time says nothing.
 */
function isLater({ metadata, status }: ReleasePromotion, failure: Failure, now: number): boolean {
  const failedAt = Date.parse(failure.at);
  const isNewer = Date.parse(metadata.creationTimestamp) >= failedAt - PRECISION_MS;
  return (
    (status?.attempt === undefined || status.attempt > failure.attempt) && (isNewer || failedAt > now + PRECISION_MS)
  );
}

function isUsable({ metadata, status }: ReleasePromotion, view: Rollout, revision: Revision): boolean {
  return (
    conditionIs(status?.conditions, 'Accepted', 'True') &&
    status?.completedAt === undefined &&
    status?.releaseUID === view.owner.uid &&
    status.revision === revision.number &&
    metadata.deletionTimestamp === undefined
  );
}
