/** Removes the objects of pools that the spec no longer has. Pure. */
import type { Action } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import { isServing } from '../state/target.ts';
import type { Rollout } from '../state/view.ts';
import { leftDrainedAt, leftWorkloads } from './left-pools.ts';
import { mayBeRouted } from '../route/left-routes.ts';
import { removeUnused } from '../traffic/reach.ts';

/**
 * Removes Services and Deployments of pools that left the spec, once every other pool serves its target. The Services go
 * first, once no route leads to them, because a Gateway answers with errors for a backend that is gone; the Deployments go
 * after the drain.
 */
export function collectPools(view: Rollout): Action[] {
  if (!view.spec) return [];
  const workloads = leftWorkloads(view);
  const unused = removeUnused(view);
  if (workloads.length + unused.length === 0) return [];
  const arrived = view.pools.every((pool) => pool.target && isServing(view, pool, pool.target.revision));
  if (!arrived) return [];
  return [
    ...unused.filter(({ target }) => !mayBeRouted(view, target.name)),
    ...workloads
      .filter((workload) => leftDrainedAt(view, workload) <= view.now)
      .map((workload): Action => ({
        kind: 'DeleteDeployment',
        message: `remove ${workload.name}: pool ${workload.pool} left the release`,
        target: targetOf(workload.deployment),
      })),
  ];
}
