/** When a version counts as deployed, for the figures of delivery: it has entered the last stage. Pure. */
import { own } from '../../lib/own.ts';
import type { Facts } from '../record/recorded-data.ts';
import { poolFacts, type Revision } from '../record/revision.ts';
import type { PoolView, Rollout, View } from '../state/view.ts';
import { stagePools } from './stage-pools.ts';

function lastPools(view: Rollout): PoolView[] {
  const last = view.topology.stages.at(-1);
  return last ? stagePools(view, last) : [];
}

function isDeployed(view: View, revision: Revision): boolean {
  return view.kind === 'Rollout' && lastPools(view).some(({ entered }) => entered === revision);
}

/**
 * Whether the revision is deployed by entering the pool: the first one of the last stage in this attempt. `draft`: the facts
 * of the revision with its entries of this pass so far.
 */
export function isDeployment(view: Rollout, draft: Facts, pool: PoolView, revision: Revision): boolean {
  const pools = lastPools(view);
  // A pool with another name than before continues what was deployed.
  if (!pools.includes(pool) || own(draft.pools, pool.name)?.follows !== undefined) return false;
  return pools.every(({ name, entered }) => {
    const now = own(draft.pools, name)?.entered;
    const isIn = entered === revision || now?.at !== poolFacts(revision, name).entered?.at;
    return !isIn || now?.attempt !== (draft.attempt ?? 1);
  });
}

/** Whether a deployment fails with the failure in a pool: the first one in this attempt. */
export function isFailedDeployment(view: Rollout, draft: Facts, revision: Revision, attempt: number): boolean {
  const failures = Object.values(draft.pools).filter(({ failed }) => failed?.attempt === attempt);
  return isDeployed(view, revision) && failures.length === 1;
}

/** Whether a deployment that has not failed is taken back. */
export function takesDeploymentBack(view: View, revision: Revision): boolean {
  const attempt = revision.facts.attempt ?? 1;
  const isKnown = Object.values(revision.facts.pools).some(({ failed }) => failed?.attempt === attempt);
  return isDeployed(view, revision) && !isKnown;
}
