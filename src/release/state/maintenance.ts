import type { Maintenance } from '../../vmpool/maintenance.ts';
import { maintenanceOf } from '../../vmpool/maintenance.ts';
import type { PoolView, Rollout } from './view.ts';

export interface ClosedPool {
  pool: PoolView;
  maintenance: Maintenance;
}

/** Those of the pools that are in maintenance, by the VMPools of their names. */
export function closedPools({ observed }: Rollout, pools: readonly PoolView[]): ClosedPool[] {
  return pools.flatMap((pool) => {
    const vmPool = observed.vmPools.find(({ metadata }) => metadata.name === pool.name);
    const maintenance = vmPool && maintenanceOf(vmPool);
    return maintenance ? [{ pool, maintenance }] : [];
  });
}
