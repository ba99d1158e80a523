/** Work on VMs of the pools that a revision is about to enter, and what room is left on the other VMs. Pure. */
import { keptBy, onceForObject } from '../../lib/once.ts';
import type { Room } from '../../scheduling/demand.ts';
import type { Shortage } from '../../scheduling/fit.ts';
import { isOpen } from '../../scheduling/nodes.ts';
import type { Node } from '../../scheduling/objects.ts';
import { isFor } from '../../scheduling/shape.ts';
import type { VmWork } from '../../scheduling/work.ts';
import { vmWork } from '../../scheduling/work.ts';
import type { Revision } from '../record/revision.ts';
import type { LookUpRooms } from '../state/observed.ts';
import type { PoolView, Rollout } from '../state/view.ts';
import { count, reservedBy, withRooms } from './claims.ts';
import { demandsOf, displacedFrom } from './coming.ts';

export interface PoolAtWork {
  work: VmWork;
  /** What the other VMs of the pool lack. */
  short: Shortage;
}

/** A pool with work on its VMs whose other VMs have too little room, besides the pods that the work moves. */
export function vmsAtWork(view: Rollout, pools: readonly PoolView[], revision: Revision): PoolAtWork | undefined {
  const { rooms, others } = view.observed;
  if (!rooms) return undefined;
  const demands = demandsOf(view, pools, revision, rooms);
  const works = new Map(
    demands.flatMap(({ pool, shape, rooms: own }) => {
      const nodes = own.map(({ node }) => node).filter((node) => isFor(node, shape));
      const work = vmWork(nodes, view.now);
      return work ? [[pool, work] as const] : [];
    }),
  );
  if (works.size === 0) return undefined;
  const vms = new Set([...works.values()].flatMap((work) => [...work.vms]));
  const left = withoutVms(rooms, vms);
  const leaving = new Set(demands.flatMap((demand) => [...demand.leaving]));
  const shut = demands.flatMap(({ rooms: own }) => own.filter(({ node }) => !isOpen(node)).map(nameOf));
  const emptied = new Set(shut.filter((name) => vms.has(name)));
  const moving = pools.flatMap((pool) => displacedFrom(view, pool, emptied, leaving) ?? []);
  const reserved = [...reservedBy(others?.() ?? [], left), ...moving.map((claim) => withRooms(claim, left))];
  const found = count(view, demandsOf(view, pools, revision, left), reserved);
  const work = found.kind === 'Short' ? works.get(found.pool) : undefined;
  return found.kind === 'Short' && work ? { work, short: found } : undefined;
}

function nameOf({ node }: Room): string {
  return node.metadata.name;
}

/** The same rooms with these VMs cordoned. They stay in their domains, as cordoned VMs do for the scheduler. */
function withoutVms(rooms: LookUpRooms, vms: ReadonlySet<string>): LookUpRooms {
  const names = [...vms].toSorted().join();
  return (nodeSelector) => {
    const all = rooms(nodeSelector);
    return withCordoned([all], names, () => all.map((room) => (vms.has(nameOf(room)) ? cordonedRoom(room) : room)));
  };
}

/** The same objects for the same VMs, so that a count is found again. */
const withCordoned = keptBy<readonly Room[]>();
const cordonedNode = onceForObject((node: Node): Node => ({ ...node, unschedulable: true }));
const cordonedRoom = onceForObject((room: Room): Room => ({ ...room, node: cordonedNode(room.node) }));
