/** A copy of the VMs, on which new pods are placed one after the other. Pure. */
import type { Demand, Room } from './demand.ts';
import { isOpen } from './nodes.ts';
import type { Node } from './objects.ts';
import type { Resources } from './quantity.ts';
import { addResources, subtractResources } from './quantity.ts';
import { admits } from './shape.ts';

export interface VmCopy {
  /** The names of the requested resources. */
  resources: readonly string[];
  nodes: readonly Node[];
  /** VM → its index in `nodes` and in `free`. */
  rows: ReadonlyMap<string, number>;
  /** Free resources: one row per VM, one column per resource. */
  free: Float64Array;
  allocatable: Float64Array;
  /** The largest allocatable amount of each resource on one VM. */
  largest: readonly number[];
  /** The columns of the resources by which the scheduler prefers a VM. */
  scored: readonly number[];
}

/** The work budget of a count, in looks at one VM or domain. */
export interface WorkBudget {
  left: number;
}

/** Spends an amount of work; false if the budget is exceeded. */
export function spend(budget: WorkBudget, steps: number): boolean {
  budget.left -= steps;
  return budget.left >= 0;
}

/** The VMs of all demands, without the pods that leave. */
export function copyVms(demands: readonly Demand[]): VmCopy {
  const resources = [...new Set(['pods', ...demands.flatMap(({ shape }) => Object.keys(shape.requests))])];
  const leaving = demands.map((demand) => demand.leaving).filter(({ size }) => size > 0);
  const rows = new Map<string, number>();
  const rooms: Room[] = [];
  for (const list of new Set(demands.map((demand) => demand.rooms))) {
    for (const room of list) {
      if (rows.has(room.node.metadata.name)) continue;
      rows.set(room.node.metadata.name, rooms.length);
      rooms.push(room);
    }
  }
  const free = new Float64Array(rooms.length * resources.length);
  const allocatable = new Float64Array(rooms.length * resources.length);
  rooms.forEach((room, row) => {
    const taken = takenOf(room);
    resources.forEach((name, column) => {
      const all = room.node.allocatable[name] ?? 0;
      allocatable[row * resources.length + column] = all;
      free[row * resources.length + column] = all - (taken[name] ?? 0);
    });
    if (leaving.length === 0) return;
    for (const { metadata, requests } of room.pods) {
      if (!leaving.some((uids) => uids.has(metadata.uid))) continue;
      resources.forEach((name, column) => {
        const at = row * resources.length + column;
        free[at] = (free[at] ?? 0) + (name === 'pods' ? 1 : (requests[name] ?? 0));
      });
    }
  });
  const nodes = rooms.map(({ node }) => node);
  const largest = resources.map((name) => nodes.reduce((most, node) => Math.max(most, node.allocatable[name] ?? 0), 0));
  const byUse = ['cpu', 'memory'].map((name) => resources.indexOf(name)).filter((column) => column >= 0);
  // Pods without requests are spread by their number.
  const scored = byUse.length > 0 ? byUse : [resources.indexOf('pods')];
  return { resources, nodes, rows, free, allocatable, largest, scored };
}

/** A copy of the VMs with nothing placed on them yet. */
export function anew(copy: VmCopy): VmCopy {
  return { ...copy, free: copy.free.slice() };
}

const known = new WeakMap<Room, Resources>();

/** The requests of a VM's pods, summed once per VM and set of pods: there are many VMs, and few change. */
function takenOf(room: Room): Resources {
  const kept = known.get(room);
  if (kept) return kept;
  const taken: Record<string, number> = { pods: room.pods.length };
  for (const { requests } of room.pods) {
    for (const name in requests) taken[name] = (taken[name] ?? 0) + (requests[name] ?? 0);
  }
  known.set(room, taken);
  return taken;
}

/** The free resources of a VM without the pods that leave. */
export function freeOf(room: Room, leaving: ReadonlySet<string>): Resources {
  const gone = leaving.size === 0 ? [] : room.pods.filter(({ metadata }) => leaving.has(metadata.uid));
  const back = addResources({ pods: gone.length }, ...gone.map(({ requests }) => requests));
  return subtractResources(addResources(room.node.allocatable, back), takenOf(room));
}

/** Requests of one pod, in the order of a copy's resources. */
export function amountsOf({ resources }: VmCopy, requests: Resources): number[] {
  return resources.map((name) => (name === 'pods' ? 1 : (requests[name] ?? 0)));
}

/** The rows of the VMs that take pods of a demand. */
export function openRows({ rows }: VmCopy, { rooms, shape }: Demand): number[] {
  return rooms.flatMap(({ node }) => (isOpen(node) && admits(node, shape) ? (rows.get(node.metadata.name) ?? []) : []));
}

/** The number of such pods that a VM takes. */
export function placesOn({ free }: VmCopy, row: number, amounts: readonly number[]): number {
  let places = Number.POSITIVE_INFINITY;
  for (let column = 0; column < amounts.length; column += 1) {
    const amount = amounts[column] ?? 0;
    if (amount > 0) places = Math.min(places, Math.floor((free[row * amounts.length + column] ?? 0) / amount));
  }
  return Math.max(0, places);
}

export function put({ free }: VmCopy, row: number, amounts: readonly number[], pods: number): void {
  for (let column = 0; column < amounts.length; column += 1) {
    const at = row * amounts.length + column;
    free[at] = (free[at] ?? 0) - pods * (amounts[column] ?? 0);
  }
}

/** Pods on one VM, and the number of counted places that they cost there. */
interface Cost {
  row: number;
  pods: number;
  places: number;
}

/** Pods of one shape, and their possible VMs. */
export interface Coming {
  rows: readonly number[];
  amounts: readonly number[];
  count: number;
}

/** Work per cost: several looks at its VM, and the sort. */
const STEPS_PER_COST = 16;

/**
 * Places pods. The scheduler's choice of VMs is unknown, so each pod goes where it costs the next count the most. A positive
 * result then holds for any choice. VMs with a low `rank` go first. Returns false if the budget ends.
 */
export function place(
  copy: VmCopy,
  coming: Coming,
  counted: readonly number[],
  rank: (row: number) => number,
  budget: WorkBudget,
): boolean {
  const { rows, amounts, count } = coming;
  if (amounts.every((amount, column) => amount === counted[column])) return fillUp(copy, coming, rank, budget);
  let left = count;
  for (;;) {
    if (left === 0) return true;
    if (!spend(budget, rows.length * STEPS_PER_COST)) return false;
    const costs = rows
      .flatMap((row) => costOf(copy, row, amounts, counted) ?? [])
      .sort((a, b) => rank(a.row) - rank(b.row) || b.places * a.pods - a.places * b.pods);
    const before = left;
    for (const { row, pods } of costs) {
      if (pods > left) continue;
      put(copy, row, amounts, pods);
      left -= pods;
    }
    // The other pods cost no place on any VM.
    if (left === before) return true;
  }
}

/** Pods that are equal to the counted ones cost one place each. */
function fillUp(
  copy: VmCopy,
  { rows, amounts, count }: Coming,
  rank: (row: number) => number,
  budget: WorkBudget,
): boolean {
  let left = count;
  for (const row of rows.toSorted((a, b) => rank(a) - rank(b))) {
    const pods = Math.min(left, placesOn(copy, row, amounts));
    put(copy, row, amounts, pods);
    left -= pods;
  }
  return spend(budget, rows.length);
}

/** Places spread pods evenly, one VM after the other in the order of the rows. Returns false if the budget ends. */
export function placeEvenly(copy: VmCopy, { rows, amounts, count }: Coming, budget: WorkBudget): boolean {
  let left = count;
  let open = rows;
  while (left > 0 && open.length > 0) {
    if (!spend(budget, open.length)) return false;
    open = open.filter((row) => placesOn(copy, row, amounts) > 0);
    for (const row of open.slice(0, left)) put(copy, row, amounts, 1);
    left -= Math.min(left, open.length);
  }
  return true;
}

/** The smallest number of pods that costs a VM a counted place; undefined if the VM takes too few of them. */
function costOf(copy: VmCopy, row: number, amounts: readonly number[], counted: readonly number[]): Cost | undefined {
  const before = placesOn(copy, row, counted);
  if (before === 0) return undefined;
  let pods = Number.POSITIVE_INFINITY;
  for (let column = 0; column < amounts.length; column += 1) {
    const [own = 0, other = 0] = [amounts[column], counted[column]];
    if (own === 0 || other === 0) continue;
    const spare = (copy.free[row * amounts.length + column] ?? 0) - before * other;
    pods = Math.min(pods, Math.floor(spare / own) + 1);
  }
  if (pods > placesOn(copy, row, amounts)) return undefined;
  put(copy, row, amounts, pods);
  const places = before - placesOn(copy, row, counted);
  put(copy, row, amounts, -pods);
  return { row, pods, places };
}
