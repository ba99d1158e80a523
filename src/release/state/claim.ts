/** Room on VMs that a release has reserved or waits for. Other releases read it. Pure. */
import type { Demand } from '../../scheduling/demand.ts';
import type { Placement } from '../record/recorded-data.ts';

/** A demand without its VMs, which are looked up when the room is counted. */
export type Claim = Omit<Demand, 'rooms'> & { nodeSelector: Placement['nodeSelector'] };

export interface Claims {
  /** Namespace/name of the release. */
  release: string;
  /** Pods that have entered a stage and are not on VMs yet. */
  reserved: readonly Claim[];
  /** Pods that wait at the gate for room. All of them enter together. `since`: ms since the epoch. */
  waiting?: { since: number; claims: readonly Claim[] };
}
