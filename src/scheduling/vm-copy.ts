/** One copy of the VMs, on which the pods that are to come are placed one after the other. Pure. */
import type { Demand, Room } from './demand.ts';
import { isOpen } from './nodes.ts';
import type { Node } from './objects.ts';
import type { Resources } from './quantity.ts';
import { addResources, subtractResources } from './quantity.ts';
import { admits } from './shape.ts';

export interface VmCopy {
  /** The names of the resources that are asked for. */
  resources: readonly string[];
  nodes: readonly Node[];
  /** VM → its place in `nodes` and its row in `free`. */
  rows: ReadonlyMap<string, number>;
  /** What each VM has left, one row for each, one column for each resource. */
  free: Float64Array;
}

/** The work that a count may cost, in looks at one VM or at one domain. */
export interface WorkBudget {
  left: number;
}

/** Whether that much work is still allowed. */
export function spend(budget: WorkBudget, steps: number): boolean {
  budget.left -= steps;
  return budget.left >= 0;
}

/** The VMs of all demands, once the pods that leave are gone. */
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
  rooms.forEach((room, row) => {
    const taken = takenOf(room);
    resources.forEach((name, column) => {
      free[row * resources.length + column] = (room.node.allocatable[name] ?? 0) - (taken[name] ?? 0);
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
  return { resources, nodes: rooms.map(({ node }) => node), rows, free };
}

/** The same VMs, with nothing placed on them yet. */
export function anew(copy: VmCopy): VmCopy {
  return { ...copy, free: copy.free.slice() };
}

const known = new WeakMap<Room, Resources>();

/** What the pods of a VM ask for. Added up once for each VM and set of pods: there are many, and few change. */
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

/** What a VM has left once the pods that leave are gone. */
export function freeOf(room: Room, leaving: ReadonlySet<string>): Resources {
  const gone = leaving.size === 0 ? [] : room.pods.filter(({ metadata }) => leaving.has(metadata.uid));
  const back = addResources({ pods: gone.length }, ...gone.map(({ requests }) => requests));
  return subtractResources(addResources(room.node.allocatable, back), takenOf(room));
}

/** What one pod takes, in the order of a copy's resources. */
export function amountsOf({ resources }: VmCopy, requests: Resources): number[] {
  return resources.map((name) => (name === 'pods' ? 1 : (requests[name] ?? 0)));
}

/** The rows of the VMs that take pods of a demand. */
export function openRows({ rows }: VmCopy, { rooms, shape }: Demand): number[] {
  return rooms.flatMap(({ node }) => (isOpen(node) && admits(node, shape) ? (rows.get(node.metadata.name) ?? []) : []));
}

/** How many such pods a VM takes. */
export function placesOn({ free }: VmCopy, row: number, amounts: readonly number[]): number {
  let places = Number.POSITIVE_INFINITY;
  for (let column = 0; column < amounts.length; column += 1) {
    const amount = amounts[column] ?? 0;
    if (amount > 0) places = Math.min(places, Math.floor((free[row * amounts.length + column] ?? 0) / amount));
  }
  return Math.max(0, places);
}

function put({ free }: VmCopy, row: number, amounts: readonly number[], pods: number): void {
  for (let column = 0; column < amounts.length; column += 1) {
    const at = row * amounts.length + column;
    free[at] = (free[at] ?? 0) - pods * (amounts[column] ?? 0);
  }
}

/** Pods that come to one VM, and how many places they cost there of those that are counted. */
interface Cost {
  row: number;
  pods: number;
  places: number;
}

/** Pods of one shape, and the VMs that they may come to. */
export interface Coming {
  rows: readonly number[];
  amounts: readonly number[];
  count: number;
}

/** A cost takes several looks at its VM, and is sorted. */
const STEPS_PER_COST = 16;

/**
 * Places pods. To which VM the scheduler brings them nobody knows: each goes where it costs most of what is counted after
 * them, so that what is found to fit fits wherever they come. VMs of a low `rank` go first. False: the budget has ended.
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
    // The others cost no place, wherever they come.
    if (left === before) return true;
  }
}

/** Pods like those that are counted cost one place each. */
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

/** Pods that are spread come evenly, one VM after the other in the order of the rows. False: the budget has ended. */
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

/** The fewest pods that cost a VM a place of those that are counted; undefined where it takes too few of them for that. */
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
