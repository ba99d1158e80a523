/** The automatic rollback of a failed revision, or the reason for none. Pure. */
import { findCondition } from '../../api/conditions.ts';
import type { Reason } from '../../api/reasons.ts';
import type { ReleaseRollback } from '../../api/release-rollback.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Action } from '../record/actions.ts';
import { automaticRollbackNames } from '../record/names.ts';
import type { Revision } from '../record/revision.ts';
import { poolFacts } from '../record/revision.ts';
import { portObstacle } from '../state/routed-ports.ts';
import { barrierBetween, hasFailed, lastGood, wantedRevision } from '../state/target.ts';
import type { PoolView, Rollout } from '../state/view.ts';

type RollbackSpec = ReleaseRollback['spec'];

export type FailureAnswer =
  | { kind: 'Rollback'; action: Action }
  /** There is no automatic rollback, for this reason. */
  | { kind: 'Stay'; reason: Reason; message: string };

/**
 * Answers the failure of the wanted revision with one rollback for each attempt, or with the reason for none. If the
 * revision failed in several pools, a pool that cannot roll back does not keep the others from it.
 */
export function answerFailure(view: Rollout): FailureAnswer | undefined {
  const wanted = wantedRevision(view);
  if (!wanted) return undefined;
  const failed = view.pools.filter((pool) => !pool.hold && hasFailed(wanted, pool.name));
  const answers = failed.map((pool) => answerIn(view, wanted, pool));
  if (view.topology.rollback.onFailure === 'RollbackAll' && answers.includes(undefined)) return undefined;
  return answers.find((answer) => answer?.kind === 'Rollback') ?? answers.find((answer) => answer !== undefined);
}

/** Returns undefined while the rollback exists and is neither accepted nor rejected. */
function answerIn(view: Rollout, wanted: Revision, failed: PoolView): FailureAnswer | undefined {
  const facts = poolFacts(wanted, failed.name).failed;
  const what = `version ${wanted.data.input.version} (revision ${wanted.number}) failed in pool ${failed.name}: ${facts?.message ?? ''}`;
  const wayOut = `release another version, or try again with a ReleasePromotion into stage ${failed.stage.name}`;
  const { onFailure, barrier } = view.topology.rollback;
  const { pools } = onFailure === 'RollbackPool' ? failed.group : view;
  const targets = pools.flatMap((pool) => {
    const to = lastGood(view, pool, wanted, pools);
    return to && !(pool.served && to.number > pool.served.number) ? [{ pool, to }] : [];
  });
  if (onFailure === 'Pause')
    return { kind: 'Stay', reason: 'Failed', message: `${what}; rollback.onFailure is Pause: ${wayOut}` };
  if (targets.length === 0)
    return { kind: 'Stay', reason: 'NothingToReturnTo', message: `${what}; no revision has been good yet: ${wayOut}` };
  if (barrier || targets.some(({ pool, to }) => barrierBetween(view, pool, to))) {
    return {
      kind: 'Stay',
      reason: 'Barrier',
      message: `${what}; a barrier keeps the operator from rolling back: create a ReleaseRollback with force: true`,
    };
  }
  const moved = targets.flatMap(({ pool, to }) => portObstacle(view, pool.group, to) ?? [])[0];
  if (moved !== undefined)
    return {
      kind: 'Stay',
      reason: 'Barrier',
      message: `${what}; ${moved}, which keeps the operator from rolling back: create a ReleaseRollback with force: true`,
    };
  if (previousFailsToo(failed, wanted)) {
    return {
      kind: 'Stay',
      reason: 'PreviousFailsToo',
      message: `${what}; the version before has no ready pod there either: ${wayOut}`,
    };
  }
  const onePool = onFailure === 'RollbackPool' ? failed.name : undefined;
  const spec: RollbackSpec = {
    release: view.owner.name,
    force: false,
    ...(onePool !== undefined && { pools: pools.map(({ name }) => name) }),
    reason: what.slice(0, 1024),
  };
  const names = automaticRollbackNames(view.owner, wanted.number, facts?.attempt ?? 1, onePool);
  const named = view.observed.rollbacks.filter(({ metadata }) => names.includes(metadata.name));
  const made = named.find((rollback) => answers(view, rollback, spec, wanted));
  if (made) {
    const message = `${what}; rollback ${made.metadata.name} did not take the version back`;
    return findCondition(made.status?.conditions, 'Accepted') && { kind: 'Stay', reason: 'RollbackRejected', message };
  }
  const { nameConflicts } = view.observed.memory;
  const name = names.find(
    (free) => !nameConflicts.has(`ReleaseRollback/${free}`) && !named.some(({ metadata }) => metadata.name === free),
  );
  if (name === undefined) {
    const message = `${what}; other rollbacks have the names ${names.join(', ')}: create a ReleaseRollback`;
    return { kind: 'Stay', reason: 'RollbackRejected', message };
  }
  return {
    kind: 'Rollback',
    action: {
      kind: 'CreateRollback',
      message: `roll back: ${what}`,
      name,
      spec,
      takesTrafficBack: true,
    },
  };
}

/**
 * Whether a rollback with the right name is the operator's own for this failure: a child of the release that asks for the same.
 * One that is accepted is held against the revision; one that is rejected has the same reason.
 */
function answers(
  view: Rollout,
  { metadata, spec, status }: ReleaseRollback,
  own: RollbackSpec,
  failed: Revision,
): boolean {
  const isChild = (metadata.ownerReferences ?? []).some(({ uid }) => uid === view.owner.uid);
  const { reason, ...asked } = spec;
  const { reason: ownReason, ...wanted } = own;
  if (!isChild || canonicalJson(asked) !== canonicalJson(wanted)) return false;
  if (findCondition(status?.conditions, 'Accepted') === undefined) return true;
  return status?.heldAgainst === undefined ? reason === ownReason : status.heldAgainst === failed.number;
}

function previousFailsToo(pool: PoolView, wanted: Revision): boolean {
  const { served, current } = pool;
  return served !== undefined && served !== wanted && current?.ready === 0 && pool.replicas > 0;
}
