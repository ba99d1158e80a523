/** The maintenance of a pool of VMs: no version enters it, and routes take its traffic away. Pure. */
import { USER_ANNOTATION } from '../api/meta.ts';
import type { VmPool } from '../api/vm-pool.ts';
import { LEAST_REMAINING } from '../api/vm-pool.ts';

export interface Maintenance {
  reason: string;
  /** The part of a release's pods that must be ready in other pools before its traffic leaves, such as 50%. */
  minRemaining: string;
  /** The traffic leaves whatever remains. */
  force: boolean;
}

/** By spec.maintenance, or by the annotation; undefined if the pool is not in maintenance. */
export function maintenanceOf({ metadata, spec }: Pick<VmPool, 'metadata' | 'spec'>): Maintenance | undefined {
  const reason = spec.maintenance?.reason ?? metadata.annotations?.[USER_ANNOTATION.maintenance];
  if (reason === undefined) return undefined;
  const { minRemaining = LEAST_REMAINING, force = false } = spec.maintenance ?? {};
  return { reason, minRemaining, force };
}
