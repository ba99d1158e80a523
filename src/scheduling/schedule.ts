/** Places pods one by one, as the scheduler does: on the VM with the most free resources that the constraints admit. Pure. */
import type { Demand } from './demand.ts';
import { spreadCounts } from './spread.ts';
import type { SpreadCounts } from './spread.ts';
import type { VmCopy, WorkBudget } from './vm-copy.ts';
import { amountsOf, openRows, placesOn, put, spend } from './vm-copy.ts';

/** The pods of one demand that wait for a VM. */
interface Queue {
  demand: Demand;
  rows: readonly number[];
  amounts: readonly number[];
  /** Absent without spread constraints. */
  spread?: SpreadCounts;
  /** A measure of one pod's size: its largest share of a VM. */
  size: number;
  left: number;
}

/**
 * How many pods of each demand find a place, in the worse of two orders: the order of the scheduler's queue is unknown.
 * `reserved` go first. Undefined if the budget ends.
 */
export function schedule(
  copy: () => VmCopy,
  demands: readonly Demand[],
  reserved: readonly Demand[],
  budget: WorkBudget,
): number[] | undefined {
  const fits = demands.map(({ count }) => count);
  const leaving = new Set(demands.flatMap((demand) => [...demand.leaving]));
  for (const order of ORDERS) {
    const vms = copy();
    const own = demands.map((demand) => queueOf(vms, { ...demand, leaving }, budget));
    const others = reserved.map((demand) => queueOf(vms, demand, budget));
    if (!placeAll(vms, others, [], budget)) return undefined;
    if (!placeAll(vms, order(own), own, budget)) return undefined;
    own.forEach(({ demand, left }, index) => {
      fits[index] = Math.min(fits[index] ?? 0, demand.count - left);
    });
  }
  return fits;
}

/** Small pods first, and big pods first; with equal pods, each demand once before the other. */
const ORDERS: readonly ((queues: readonly Queue[]) => Queue[])[] = [
  (queues) => queues.toSorted((a, b) => a.size - b.size),
  (queues) => queues.toReversed().toSorted((a, b) => b.size - a.size),
];

function queueOf(vms: VmCopy, demand: Demand, budget: WorkBudget): Queue {
  const amounts = amountsOf(vms, demand.shape.requests);
  spend(budget, demand.rooms.length);
  return {
    demand,
    rows: openRows(vms, demand),
    amounts,
    ...(demand.shape.spreads.length > 0 && { spread: spreadCounts(demand, budget) }),
    size: Math.max(...amounts.map((amount, column) => amount / Math.max(1, vms.largest[column] ?? 0))),
    left: demand.count,
  };
}

/** A pod that no VM takes is tried again after others, which may open a domain to it. `counted`: whose constraints count the pods. */
function placeAll(vms: VmCopy, queues: readonly Queue[], counted: readonly Queue[], budget: WorkBudget): boolean {
  const spreads = counted.flatMap(({ spread }) => spread ?? []);
  for (let isStuck = false; !isStuck;) {
    isStuck = true;
    for (const queue of queues) {
      while (queue.left > 0) {
        if (!spend(budget, queue.rows.length * (1 + queue.demand.shape.spreads.length))) return false;
        const row = bestRow(vms, queue);
        if (row === undefined) break;
        put(vms, row, queue.amounts, 1);
        for (const spread of spreads) spread.add(vms.nodes[row]?.metadata.name ?? '', queue.demand.shape.labels);
        queue.left -= 1;
        isStuck = false;
      }
    }
  }
  return true;
}

function bestRow(vms: VmCopy, { rows, amounts, spread }: Queue): number | undefined {
  let best: number | undefined;
  let most = Number.NEGATIVE_INFINITY;
  for (const row of rows) {
    if (placesOn(vms, row, amounts) === 0) continue;
    const free = freeShare(vms, row, amounts);
    if (free <= most || spread?.admits(vms.nodes[row]?.metadata.name ?? '') === false) continue;
    [best, most] = [row, free];
  }
  return best;
}

/** The free share of a VM with the pod on it, as the scheduler's default scoring (LeastAllocated) prefers it. */
function freeShare({ free, allocatable, scored }: VmCopy, row: number, amounts: readonly number[]): number {
  let sum = 0;
  for (const column of scored) {
    const at = row * amounts.length + column;
    sum += ((free[at] ?? 0) - (amounts[column] ?? 0)) / Math.max(1, allocatable[at] ?? 0);
  }
  return sum;
}
