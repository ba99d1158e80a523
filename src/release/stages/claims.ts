/** Adds the VMs to claims, counts their room, and finds since when a release waits. Pure. */
import { findCondition } from '../../api/conditions.ts';
import type { Demand, Room } from '../../scheduling/demand.ts';
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
  return (view.observed.countRoom ?? countRoom)(demands, besides(demands, reserved));
}

/**
 * The reservations that may take room from the demands: those on the same VMs, and those that may push these there, as they
 * share other VMs with them.
 */
export function besides(demands: readonly Demand[], reserved: readonly Demand[]): Demand[] {
  const vms = new Set(demands.flatMap(({ rooms }) => rooms.map(nameOf)));
  const left = new Set(reserved.map(({ rooms }) => rooms));
  const found = new Set<Demand['rooms']>();
  let before: number;
  do {
    before = found.size;
    for (const rooms of left) {
      if (!rooms.some((room) => vms.has(nameOf(room)))) continue;
      left.delete(rooms);
      found.add(rooms);
      for (const room of rooms) vms.add(nameOf(room));
    }
  } while (found.size > before);
  return reserved.filter(({ rooms }) => found.has(rooms));
}

function nameOf({ node }: Room): string {
  return node.metadata.name;
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
