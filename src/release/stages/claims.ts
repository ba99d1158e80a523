/** Adds the VMs to claims, and finds since when a release waits. Pure. */
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
 * Since when a release waits for room (ms since the epoch): the last transition of its condition, or the time when it gave
 * room back. A release that gave room back thus queues behind the others. An erased status only costs the place in the queue.
 */
export function waitingSince(view: Rollout, pools: readonly PoolView[], revision: Revision): number {
  const condition = findCondition(view.observed.release.status?.conditions, 'CapacityAvailable');
  const turned = condition?.reason === 'NoCapacity' ? Date.parse(condition.lastTransitionTime) : view.now;
  const gaveBack = pools.map(({ name }) => Date.parse(poolFacts(revision, name).gaveBack ?? '') || 0);
  return Math.max(turned, ...gaveBack);
}
