/** Adds the VMs to claims, counts their room, and finds since when a release waits. Pure. */
import { findCondition } from '../../api/conditions.ts';
import type { Demand } from '../../scheduling/demand.ts';
import type { RoomCount } from '../../scheduling/fit.ts';
import { countRoom } from '../../scheduling/fit.ts';
import type { Revision } from '../record/revision.ts';
import { poolFacts } from '../record/revision.ts';
import type { Claim, Claims } from '../state/claim.ts';
import type { LookUpRooms } from '../state/observed.ts';
import type { PoolView, Rollout } from '../state/view.ts';

export function withRooms({ nodeSelector, ...claim }: Claim, rooms: LookUpRooms): Demand {
  return { ...claim, rooms: rooms(nodeSelector) };
}

/** What the other releases have reserved. */
export function reservedBy(others: readonly Claims[], rooms: LookUpRooms | undefined): Demand[] {
  if (!rooms) return [];
  return others.flatMap(({ reserved }) => reserved.map((claim) => withRooms(claim, rooms)));
}

export function count(view: Rollout, demands: readonly Demand[], reserved: readonly Demand[]): RoomCount {
  return (view.observed.countRoom ?? countRoom)(demands, reserved);
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
