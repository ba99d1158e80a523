/** Room that a release was let into or waits for, as other releases see it. Pure. */
import type { Demand } from '../../scheduling/fit.ts';
import { findCondition } from '../../api/conditions.ts';
import type { LookUpRooms } from './observed.ts';
import type { Revision } from '../record/revision.ts';
import { poolFacts } from '../record/revision.ts';
import type { PoolView, View } from './view.ts';

/** A demand whose VMs are looked up when it is counted. */
export type Claim = Omit<Demand, 'rooms'> & { nodeSelector: PoolView['placement']['nodeSelector'] };

export interface Claims {
  /** Namespace/name of the release. */
  release: string;
  /** Let in, and not yet on VMs. */
  reserved: readonly Claim[];
  /** What waits at the gate for room, all of it together, and since when (ms since the epoch). */
  waiting?: { since: number; claims: readonly Claim[] };
}

export function withRooms({ nodeSelector, ...claim }: Claim, rooms: LookUpRooms): Demand {
  return { ...claim, rooms: rooms(nodeSelector) };
}

/**
 * Since when it waits for room: since its condition turned, or since it gave room back, so that who found none in time goes
 * behind those that have waited meanwhile. A status that was erased costs the place in the row, no more.
 */
export function waitingSince(view: View, pools: readonly PoolView[], revision: Revision): number {
  const condition = findCondition(view.observed.release.status?.conditions, 'CapacityAvailable');
  const turned = condition?.reason === 'NoCapacity' ? Date.parse(condition.lastTransitionTime) : view.now;
  const gaveBack = pools.map(({ name }) => Date.parse(poolFacts(revision, name).gaveBack ?? '') || 0);
  return Math.max(turned, ...gaveBack);
}
