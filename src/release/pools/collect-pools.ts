/** Removes the objects of pools that the spec no longer has. Pure. */
import type { Action } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import { isServing } from '../state/target.ts';
import type { Rollout } from '../state/view.ts';
import { removeUnused } from '../traffic/reach.ts';

/** Removes Deployments and Services of pools that left the spec, once every other pool serves its target. */
export function collectPools(view: Rollout): Action[] {
  if (!view.spec) return [];
  const names = new Set(view.pools.map(({ name }) => name));
  const workloads = view.workloads.filter(({ pool }) => !names.has(pool));
  const unused = removeUnused(view);
  if (workloads.length + unused.length === 0) return [];
  const arrived = view.pools.every((pool) => pool.target && isServing(view, pool, pool.target.revision));
  if (!arrived) return [];
  return [
    ...unused,
    ...workloads.map((workload): Action => ({
      kind: 'DeleteDeployment',
      message: `remove ${workload.name}: pool ${workload.pool} left the release`,
      target: targetOf(workload.deployment),
    })),
  ];
}
