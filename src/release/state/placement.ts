/** The VMs of each pool, from the spec or from the VMPool of the same name. Pure. */
import type { AppReleaseSpec, Pool } from '../../api/app-release.ts';
import type { VmPool } from '../../api/vm-pool.ts';
import { labelNames, selectorBy } from '../../scheduling/select.ts';
import type { Observed } from './observed.ts';

type Known = Pick<Observed, 'vmPools' | 'vms'>;

/** The spec with nodeSelector and tolerations of each pool filled in, if they are known. */
export function placePools(spec: AppReleaseSpec, { vmPools, vms }: Known): AppReleaseSpec {
  const byName = new Map(vmPools.map((vmPool) => [vmPool.metadata.name, vmPool]));
  const names = labelNames(vms);
  const stages = spec.stages.map((stage) => ({
    ...stage,
    pools: stage.pools.map((pool) => placePool(pool, byName.get(pool.name), names)),
  }));
  const isPlaced = spec.stages.every(({ pools }, index) =>
    pools.every((pool, at) => stages[index]?.pools[at] === pool),
  );
  return isPlaced ? spec : { ...spec, stages };
}

function placePool(pool: Pool, vmPool: VmPool | undefined, names: ReadonlySet<string>): Pool {
  if (!vmPool || (pool.nodeSelector && pool.tolerations)) return pool;
  const { name } = vmPool.metadata;
  const nodeSelector = pool.nodeSelector ?? selectorBy(vmPool, (label) => names.has(`${label}=${name}`));
  const tolerations = pool.tolerations ?? vmPool.spec.tolerations;
  return { ...pool, ...(nodeSelector && { nodeSelector }), ...(tolerations && { tolerations }) };
}
