/** The pools of a stage. Pure. */
import type { Stage } from '../../api/app-release.ts';
import type { Revision } from '../record/revision.ts';
import { hasFailed, isEntered } from '../state/target.ts';
import type { PoolView, Rollout } from '../state/view.ts';

/** The pools of a stage that the revision has yet to enter. */
export function poolsToEnter(view: Rollout, stage: Stage, revision: Revision): PoolView[] {
  return stagePools(view, stage).filter(
    (pool) => !pool.hold && (!isEntered(pool, revision) || hasFailed(revision, pool.name)),
  );
}

export function stagePools(view: Rollout, stage: Stage): PoolView[] {
  return view.pools.filter((pool) => pool.stage.name === stage.name);
}
