import type { Maintenance } from '../../vmpool/maintenance.ts';
import { maintenanceOf } from '../../vmpool/maintenance.ts';
import type { PoolView, Rollout } from './view.ts';

/** The maintenance of a pool, by the VMPool of its name; undefined if there is none. */
export function poolMaintenance({ observed }: Rollout, { name }: Pick<PoolView, 'name'>): Maintenance | undefined {
  const pool = observed.vmPools.find(({ metadata }) => metadata.name === name);
  return pool && maintenanceOf(pool);
}
