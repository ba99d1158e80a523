/** The approval of a stage: a recorded approval, or a ReleasePromotion that can be used. Pure. */
import type { Stage } from '../../api/app-release.ts';
import { conditionIs } from '../../api/conditions.ts';
import type { ReleasePromotion } from '../../api/release-promotion.ts';
import { own } from '../../lib/own.ts';
import type { Revision } from '../record/revision.ts';
import type { Approval } from '../record/recorded-data.ts';
import { poolFacts } from '../record/revision.ts';
import { hasFailed } from '../state/target.ts';
import type { Rollout } from '../state/view.ts';
import { stagePools } from './stage-pools.ts';

export function approvalFor(view: Rollout, stage: Stage, revision: Revision): Approval | undefined {
  const failedAt = stagePools(view, stage).map(({ name }) =>
    hasFailed(revision, name) ? Date.parse(poolFacts(revision, name).failed?.at ?? '') : 0,
  );
  const usable = view.observed.promotions.find(
    (promotion) =>
      isUsable(promotion, view, revision) &&
      promotion.spec.stage === stage.name &&
      Date.parse(promotion.metadata.creationTimestamp) >= Math.floor(Math.max(...failedAt) / 1000) * 1000,
  );
  // An approval counts once. If the revision has left the stage, it needs a new approval.
  const isIn = stagePools(view, stage).some(
    ({ name, entered }) => entered === revision || poolFacts(revision, name).gaveBack !== undefined,
  );
  if (!usable) return isIn && Math.max(...failedAt) === 0 ? own(revision.facts.approvals, stage.name) : undefined;
  const { requestedBy } = usable.spec;
  return {
    at: new Date(view.now).toISOString(),
    promotion: usable.metadata.name,
    skipSoak: usable.spec.skipSoak,
    ...(requestedBy !== undefined && { by: requestedBy }),
  };
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
