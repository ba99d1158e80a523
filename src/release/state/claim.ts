/** Room that a release was let into or waits for, as other releases see it. Pure. */
import type { Demand } from '../../scheduling/demand.ts';
import type { Placement } from '../record/recorded-data.ts';

/** A demand whose VMs are looked up when it is counted. */
export type Claim = Omit<Demand, 'rooms'> & { nodeSelector: Placement['nodeSelector'] };

export interface Claims {
  /** Namespace/name of the release. */
  release: string;
  /** Let in, and not yet on VMs. */
  reserved: readonly Claim[];
  /** What waits at the gate for room, all of it together, and since when (ms since the epoch). */
  waiting?: { since: number; claims: readonly Claim[] };
}
