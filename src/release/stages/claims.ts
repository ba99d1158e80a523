/** Claims as they are counted: on the VMs that they are for, and in the order in which releases wait. Pure. */
import { findCondition } from '../../api/conditions.ts';
import type { Demand } from '../../scheduling/demand.ts';
import type { Revision } from '../record/revision.ts';
import { poolFacts } from '../record/revision.ts';
import type { Claim } from '../state/claim.ts';
import type { LookUpRooms } from '../state/observed.ts';
import type { PoolView, Rollout } from '../state/view.ts';

export function withRooms({ nodeSelector, ...claim }: Claim, rooms: LookUpRooms): Demand {
  return { ...claim, rooms: rooms(nodeSelector) };
}

/**
 * Since when it waits for room: since its condition turned, or since it gave room back, so that who found none in time goes
 * behind those that have waited meanwhile. A status that was erased costs the place in the row, no more.
 */
export function waitingSince(view: Rollout, pools: readonly PoolView[], revision: Revision): number {
  const condition = findCondition(view.observed.release.status?.conditions, 'CapacityAvailable');
  const turned = condition?.reason === 'NoCapacity' ? Date.parse(condition.lastTransitionTime) : view.now;
  const gaveBack = pools.map(({ name }) => Date.parse(poolFacts(revision, name).gaveBack ?? '') || 0);
  return Math.max(turned, ...gaveBack);
}
