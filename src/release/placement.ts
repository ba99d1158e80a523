/** Where a release's pools are: in place, or as the VMPool of the same name says. Pure. */
import type { AppReleaseSpec, Pool } from '../api/app-release.ts';
import { poolSelector } from '../pool/select.ts';
import type { Observed } from './observed.ts';

type Known = Pick<Observed, 'vmPools' | 'vms'>;

/** The spec with the VMs of each pool filled in, as far as they are known. */
export function placePools(spec: AppReleaseSpec, known: Known): AppReleaseSpec {
  const isPlaced = spec.stages.every(({ pools }) => pools.every((pool) => placePool(pool, known) === pool));
  if (isPlaced) return spec;
  const stages = spec.stages.map((stage) => ({ ...stage, pools: stage.pools.map((pool) => placePool(pool, known)) }));
  return { ...spec, stages };
}

function placePool(pool: Pool, { vmPools, vms }: Known): Pool {
  const vmPool = vmPools.find(({ metadata }) => metadata.name === pool.name);
  if (!vmPool || (pool.nodeSelector && pool.tolerations)) return pool;
  const nodeSelector = pool.nodeSelector ?? poolSelector(vmPool, vms);
  const tolerations = pool.tolerations ?? vmPool.spec.tolerations;
  return { ...pool, ...(nodeSelector && { nodeSelector }), ...(tolerations && { tolerations }) };
}
