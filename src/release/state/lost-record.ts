/** What is wanted or serves, and whose record is gone. Pure. */
import { wantedVersion } from '../record/revision.ts';
import type { PoolView, Rollout } from './view.ts';
import { inForce } from './view.ts';

/** The pool whose record is gone for good, and with it what the spec wants: to record it anew would be to release it anew. */
export function lostWanted(view: Rollout): (PoolView & Required<Pick<PoolView, 'lost'>>) | undefined {
  const version = wantedVersion(view.observed.release.spec);
  if (view.wanted.state === 'Recorded') return undefined;
  return view.pools.find(
    (pool): pool is PoolView & Required<Pick<PoolView, 'lost'>> =>
      pool.lost !== undefined && (pool.lost.version === undefined || pool.lost.version === version),
  );
}

/** Whether what the spec wants is no new version, but one whose record is lost: it serves, or a rollback keeps it out. */
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
