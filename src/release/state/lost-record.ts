/** Wanted or serving revisions whose record is gone. Pure. */
import { wantedVersion } from '../record/revision.ts';
import type { PoolView, Rollout } from './view.ts';
import { inForce } from './view.ts';

/**
 * The pool whose serving revision lost its record and is the version that the spec wants. The operator does not record the
 * version again, because that would release it again.
 */
export function lostWanted(view: Rollout): (PoolView & Required<Pick<PoolView, 'lost'>>) | undefined {
  const version = wantedVersion(view.observed.release.spec);
  if (view.wanted.state === 'Recorded') return undefined;
  return view.pools.find(
    (pool): pool is PoolView & Required<Pick<PoolView, 'lost'>> =>
      pool.lost !== undefined && (pool.lost.version === undefined || pool.lost.version === version),
  );
}

/** Whether the spec wants a version whose record is lost: a pool serves it, or a rollback is held against it. */
export function wantsTheLost(view: Rollout): boolean {
  const { observed, owner, revisions } = view;
  const version = wantedVersion(observed.release.spec);
  const isKeptOut = observed.rollbacks.some(
    (rollback) =>
      inForce(rollback, owner.uid) &&
      rollback.status?.heldVersion === version &&
      version !== undefined &&
      !revisions.some(({ number }) => number === rollback.status?.heldAgainst),
  );
  return lostWanted(view) !== undefined || (view.wanted.state !== 'Recorded' && isKeptOut);
}
