/**
 * The capacity gate of a stage: a revision waits while VMs of its pools are being worked on or have too little room. Pure.
 */
import type { Demand } from '../../scheduling/demand.ts';
import type { Claims } from '../state/claim.ts';
import { count, reservedBy, waitingSince, withRooms } from './claims.ts';
import type { Placed } from './coming.ts';
import { comingTo, demandsOf } from './coming.ts';
import { keptFrom } from './keeping.ts';
import { vmsAtWork } from './vms-at-work.ts';
import type { Revision } from '../record/revision.ts';
import type { PoolView, Rollout, Wait } from '../state/view.ts';

const WAY_OUT = 'spec.capacity: Proceed skips this check';

/** All pools of a stage enter together, so the check covers all of them that get new pods. */
export function capacityWait(view: Rollout, pools: readonly PoolView[], revision: Revision): Wait | undefined {
  const { rooms } = view.observed;
  const filled = pools.filter((pool) => !keptFrom(pool, revision));
  if (filled.length === 0 || view.topology.capacity === 'Proceed' || !rooms) return undefined;
  const demands = demandsOf(view, filled, revision, rooms);
  return workWait(view, filled, revision) ?? shortageOf(view, demands, waitingSince(view, filled, revision));
}

/** A pool is closed by work on its VMs only if its other VMs have too little room for the new pods and for those that move. */
function workWait(view: Rollout, pools: readonly PoolView[], revision: Revision): Wait | undefined {
  const found = vmsAtWork(view, pools, revision);
  if (!found) return undefined;
  const { work, short } = found;
  const room = `its other VMs have room for ${short.fits} of ${short.of} new pods`;
  const message = `pool ${short.pool}: ${work.message}, and ${room}; ${WAY_OUT}`;
  return { reason: 'VMsUnavailable', message, until: work.until };
}

/** The serving revision of a pool, and the placement that it moves to. */
export interface RoomForMove {
  pool: PoolView;
  revision: Revision;
  placed: Placed;
}

/**
 * Whether the serving revisions find room on other VMs, together with all moves to the same VMs. Work on VMs does not block
 * a move.
 */
export function moveCapacityWait(view: Rollout, moves: readonly RoomForMove[]): Wait | undefined {
  const { rooms } = view.observed;
  if (view.topology.capacity === 'Proceed' || !rooms) return undefined;
  const demands = moves.map(({ pool, revision, placed }) => withRooms(comingTo(view, pool, revision, placed), rooms));
  // A move does not queue behind other releases.
  return shortageOf(view, demands, 0);
}

/** `since`: since when the release waits (ms since the epoch). */
function shortageOf(view: Rollout, demands: readonly Demand[], since: number): Wait | undefined {
  const others = view.observed.others?.() ?? [];
  const reserved = reservedBy(others, view.observed.rooms);
  const found = count(view, demands, reserved);
  if (found.kind === 'Short') {
    const takers = count(view, demands, []).kind === 'Short' ? [] : takersOf(view, demands, others);
    const taken = takers.length > 0 ? `; room there is reserved for ${names(takers)}` : '';
    const message = `${found.message}${taken}; ${WAY_OUT}, so that a cluster autoscaler can add VMs`;
    return { reason: 'NoCapacity', message };
  }
  const first = firstInRow(view, { demands, since, reserved, others });
  const message = `${names(first ? [first] : [])} has waited longer for the same room; ${WAY_OUT}`;
  return first && { reason: 'NoCapacity', message };
}

/** Releases with reserved room on VMs that the demands ask for. */
function takersOf({ observed: { rooms } }: Rollout, demands: readonly Demand[], others: readonly Claims[]): Claims[] {
  const asked = new Set(demands.flatMap((demand) => demand.rooms.map(({ node }) => node.metadata.name)));
  return others.filter(({ reserved }) =>
    reserved.some(({ nodeSelector }) => rooms?.(nodeSelector).some(({ node }) => asked.has(node.metadata.name))),
  );
}

function names(claims: readonly Claims[]): string {
  const [first] = claims;
  const more = claims.length > 1 ? ` and ${claims.length - 1} more` : '';
  return `release ${first?.release ?? ''}${more}`;
}

interface Row {
  demands: readonly Demand[];
  since: number;
  reserved: readonly Demand[];
  others: readonly Claims[];
}

/** A release that has waited longer goes first if there is room for it. A release that does not fit blocks no others. */
function firstInRow(view: Rollout, { demands, since, reserved, others }: Row): Claims | undefined {
  const { owner, observed } = view;
  const own = `${owner.namespace}/${owner.name}`;
  const before = others
    .flatMap((other) => (other.waiting ? [{ other, ...other.waiting }] : []))
    .filter((one) => one.since < since || (one.since === since && one.other.release < own))
    .toSorted((a, b) => a.since - b.since || (a.other.release < b.other.release ? -1 : 1));
  let taken = reserved;
  for (const { other, claims } of before) {
    const theirs = claims.flatMap((claim) => (observed.rooms ? [withRooms(claim, observed.rooms)] : []));
    if (count(view, theirs, taken).kind !== 'Fits') continue;
    taken = [...taken, ...theirs];
    if (count(view, demands, taken).kind === 'Short') return other;
  }
  return undefined;
}

/** The reason why the room for entering pools is not known; undefined if it was counted. */
export function roomUnknown(view: Rollout, pools: readonly PoolView[], revision: Revision): string | undefined {
  const { rooms } = view.observed;
  if (view.topology.capacity === 'Proceed' || !rooms) return undefined;
  const found = count(view, demandsOf(view, pools, revision, rooms), []);
  return found.kind === 'Unknown' ? found.message : undefined;
}
