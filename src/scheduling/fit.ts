/**
 * Counts whether new pods will find room, by the filters of the scheduler, before a pool is changed. The scheduler places
 * the pods that fit here, unless other pods take the room first. Pure.
 */
import type { Demand, Room } from './demand.ts';
import { isDraining, isOpen, isPassing } from './nodes.ts';
import type { Node, Taint } from './objects.ts';
import type { PodShape } from './shape.ts';
import { admits, isKeptOutBy, isSelected } from './shape.ts';
import { schedule } from './schedule.ts';
import { countsPodsOf, placesBySpread, takeTurns } from './spread.ts';
import type { WorkBudget, VmCopy } from './vm-copy.ts';
import { amountsOf, anew, copyVms, freeOf, openRows, place, placeEvenly, placesOn, spend } from './vm-copy.ts';

export interface Shortage {
  pool: string;
  fits: number;
  of: number;
  message: string;
}

export type RoomCount =
  | { kind: 'Fits' }
  | ({ kind: 'Short' } & Shortage)
  /** The count would block the process for too long. */
  | { kind: 'Unknown'; message: string };

export type CountRoom = (demands: readonly Demand[], reserved?: readonly Demand[]) => RoomCount;

/** Maximum number of looks at a VM or domain in one count: some milliseconds. */
const MAX_STEPS = 400_000;

/** The part of that for placing pods one by one, which takes longer for each look. */
const SCHEDULED = 1 / 4;

/**
 * Whether all demands find room together, besides the reservations in `reserved`. Reports the first demand that finds too
 * little room. A first count takes the worst choice of VMs, at a cost that does not grow with the number of pods. If it finds
 * too little room because of other pods, or if spread constraints of one demand count the pods of another, the pods are placed
 * one by one.
 */
export function countRoom(
  demands: readonly Demand[],
  reserved: readonly Demand[] = [],
  maxSteps = MAX_STEPS,
): RoomCount {
  const copy = copyVms([...demands, ...reserved]);
  const areEntangled = demands.some((demand) =>
    demands.some((other) => other !== demand && countsPodsOf(demand, other)),
  );
  const worst = countWorst(copy, demands, reserved, maxSteps);
  if (!areEntangled && (worst.kind !== 'Short' || areAlike([...demands, ...reserved]))) return worst;
  const fits = schedule(() => anew(copy), demands, reserved, { left: maxSteps * SCHEDULED });
  if (!fits) return worst;
  const at = demands.findIndex(({ count }, index) => (fits[index] ?? 0) < count);
  const demand = demands[at];
  return demand ? { kind: 'Short', ...describe(demand, fits[at] ?? 0) } : { kind: 'Fits' };
}

/** Whether the order of the pods does not matter, so that the first count is exact. */
function areAlike([first, ...others]: readonly Demand[]): boolean {
  const text = JSON.stringify(first?.shape.requests);
  return others.every(
    ({ rooms, shape }) =>
      rooms === first?.rooms && shape.spreads.length === 0 && JSON.stringify(shape.requests) === text,
  );
}

/**
 * The demands are placed one after the other on one copy of the VMs, each once as the last, because the scheduler's order is
 * unknown.
 */
function countWorst(
  copy: VmCopy,
  demands: readonly Demand[],
  reserved: readonly Demand[],
  maxSteps: number,
): RoomCount {
  const budget: WorkBudget = { left: maxSteps };
  const toBatches = batcher(copy, budget);
  const batches = toBatches(demands);
  const promised = toBatches(reserved);
  const placed: PlacedOthers = new Map();
  for (const last of batches) {
    const others = [...promised, ...batches.filter((other) => other !== last)];
    const fits = placesBeside(copy, last, others, placed, budget);
    if (fits === undefined || budget.left < 0) return { kind: 'Unknown', message: unknownMessage(last) };
    const short = firstShort(last, fits);
    if (short) return { kind: 'Short', ...short };
  }
  return { kind: 'Fits' };
}

/** Demands of equal pods on the same VMs. Their order does not matter. */
interface Batch {
  demands: readonly Demand[];
  count: number;
  /** Requests of one pod, in the order of the copy's resources. */
  amounts: readonly number[];
  /** The VMs that take the pods. */
  rows: readonly number[];
  /** The VM labels of the spread constraints. */
  spreadBy: readonly string[];
}

/** Computes rows once for all demands with the same VMs and placement. */
function batcher(copy: VmCopy, budget: WorkBudget): (demands: readonly Demand[]) => Batch[] {
  const found = new Map<readonly Room[], Map<string, number[]>>();
  const ids = new Map<readonly number[], number>();
  function rowsOf(demand: Demand): number[] {
    const { nodeSelector, tolerations, nodeTerms } = demand.shape;
    const byPlacement = found.get(demand.rooms) ?? new Map<string, number[]>();
    const placement = JSON.stringify([nodeSelector, tolerations, nodeTerms]);
    const known = byPlacement.get(placement);
    if (!known) spend(budget, demand.rooms.length);
    const rows = known ?? openRows(copy, demand);
    found.set(demand.rooms, byPlacement.set(placement, rows));
    ids.set(rows, ids.get(rows) ?? ids.size);
    return rows;
  }
  return (demands) => {
    const all = demands.map((demand): Batch => {
      const { count, shape } = demand;
      const spreadBy = shape.spreads.map(({ topologyKey }) => topologyKey);
      return { demands: [demand], count, amounts: amountsOf(copy, shape.requests), rows: rowsOf(demand), spreadBy };
    });
    // Spread constraints count pods of their own pool, so each pool is a batch of its own.
    const groups = Map.groupBy(all, ({ amounts, rows, demands: [demand] }, index) =>
      demand && demand.shape.spreads.length > 0 ? `spread ${index}` : `${ids.get(rows) ?? ''} ${amounts.join()}`,
    );
    return [...groups.values()].map((group) => ({
      ...(group[0] as Batch),
      demands: group.flatMap((batch) => batch.demands),
      count: group.reduce((sum, { count }) => sum + count, 0),
    }));
  };
}

/** Places for the last batch after the others are placed; undefined if the budget ends first. */
function placesBeside(
  copy: VmCopy,
  last: Batch,
  others: readonly Batch[],
  placed: PlacedOthers,
  budget: WorkBudget,
): number | undefined {
  const { rows, amounts } = last;
  const [demand] = last.demands;
  if (!demand || !spend(budget, rows.length)) return undefined;
  const isSpread = last.spreadBy.length > 0;
  const there = rows.reduce((sum, row) => sum + placesOn(copy, row, amounts), 0);
  const lost = others.reduce((sum, { count, amounts: own }) => sum + count * lostByOne(own, amounts), 0);
  if (!isSpread && there - lost >= last.count) return there - lost;
  const left = placesLeft(copy, last, others, placed, budget);
  if (!left) return undefined;
  return isSpread ? placesBySpread(demand, left, budget) : [...left.values()].reduce((sum, places) => sum + places, 0);
}

type Places = ReadonlyMap<Node, number>;

/** By the VMs and the kind of the last batch, because batches of one kind have equal results. */
type PlacedOthers = Map<readonly number[], Map<string, Places>>;

/** How many pods of the last batch each VM takes after the others are placed; undefined if the budget ends. */
function placesLeft(
  copy: VmCopy,
  last: Batch,
  others: readonly Batch[],
  placed: PlacedOthers,
  budget: WorkBudget,
): Places | undefined {
  const byKind = placed.get(last.rows) ?? new Map<string, Places>();
  placed.set(last.rows, byKind);
  const kind = `${keyOf(last)} ${last.count}`;
  const known = byKind.get(kind);
  if (known) return known;
  const vms = placeOthers(copy, last, others, budget);
  if (!vms) return undefined;
  const places = new Map(last.rows.map((row) => [vms.nodes[row] as Node, placesOn(vms, row, last.amounts)]));
  byKind.set(kind, places);
  return places;
}

/** Undefined if the budget ends. */
function placeOthers(copy: VmCopy, last: Batch, others: readonly Batch[], budget: WorkBudget): VmCopy | undefined {
  const { rows, amounts } = last;
  const vms = anew(copy);
  const rank = last.spreadBy.length > 0 ? rankByDomain(vms, last) : () => 0;
  const own = new Set(rows);
  for (const other of sumAlike(others)) {
    const shared = other.rows === rows ? rows : other.rows.filter((row) => own.has(row));
    const isPlaced =
      other.spreadBy.length > 0
        ? placeEvenly(vms, { ...other, rows: alternating(vms, shared, other.spreadBy) }, budget)
        : place(vms, { ...other, rows: shared }, amounts, rank, budget);
    if (!isPlaced) return undefined;
  }
  return vms;
}

/** The maximum number of places that one pod costs on any VM. */
function lostByOne(own: readonly number[], counted: readonly number[]): number {
  return own.reduce((most, amount, index) => {
    const other = counted[index] ?? 0;
    return other > 0 ? Math.max(most, Math.ceil(amount / other)) : most;
  }, 1);
}

function sumAlike(batches: readonly Batch[]): Batch[] {
  const sums: Batch[] = [];
  for (const batch of batches) {
    const key = keyOf(batch);
    const same = sums.findIndex((sum) => sum.rows === batch.rows && keyOf(sum) === key);
    const sum = sums[same];
    if (sum) sums[same] = { ...sum, count: sum.count + batch.count };
    else sums.push(batch);
  }
  return sums;
}

function keyOf({ amounts, spreadBy }: Batch): string {
  return [...amounts, ...spreadBy].join();
}

/** The domain with the fewest places limits all others, so it is first. */
function rankByDomain(vms: VmCopy, { rows, amounts, spreadBy: [label = ''] }: Batch): (row: number) => number {
  const domains = vms.nodes.map(({ metadata }) => metadata.labels[label]);
  const places = new Map<string | undefined, number>();
  for (const row of rows) places.set(domains[row], (places.get(domains[row]) ?? 0) + placesOn(vms, row, amounts));
  const ranks = domains.map((domain) => places.get(domain) ?? 0);
  return (row) => ranks[row] ?? 0;
}

const turns = new WeakMap<readonly number[], Map<string, number[]>>();

/** Orders VMs so that neighbours are in different domains of the first label. */
function alternating({ nodes }: VmCopy, rows: readonly number[], labels: readonly string[]): number[] {
  const byLabels = turns.get(rows) ?? new Map<string, number[]>();
  const known = byLabels.get(labels.join());
  if (known) return known;
  const counted = rows.filter((row) => labels.every((label) => nodes[row]?.metadata.labels[label] !== undefined));
  const order = takeTurns([...Map.groupBy(counted, (row) => nodes[row]?.metadata.labels[labels[0] ?? '']).values()]);
  turns.set(rows, byLabels.set(labels.join(), order));
  return order;
}

/** The pools of a batch take the places one after the other. */
function firstShort({ demands }: Batch, places: number): Shortage | undefined {
  let left = places;
  for (const demand of demands) {
    if (left < demand.count) return describe(demand, Math.max(0, left));
    left -= demand.count;
  }
  return undefined;
}

function unknownMessage({ demands }: Batch): string {
  const pools = demands.map(({ pool }) => pool).join(', ');
  return `room for pool ${pools} was not counted: too many VMs and domains for so many pods`;
}

function describe({ pool, shape, count, rooms, leaving }: Demand, fits: number): Shortage {
  const open = rooms.filter(({ node }) => isOpen(node) && admits(node, shape));
  const wanted = Object.entries(shape.requests).filter(([, amount]) => amount > 0);
  const lacking = wanted.filter(([name, amount]) =>
    open.every((room) => (freeOf(room, leaving)[name] ?? 0) < amount * Math.ceil(count / Math.max(1, open.length))),
  );
  const needs = (lacking.length > 0 ? lacking : wanted).map(([name, amount]) => amountText(name, amount)).join(', ');
  const vms = `${open.length} of ${rooms.length} VMs take them`;
  const why =
    open.length === 0
      ? `no VM takes them: ${whyNone(rooms, shape)}`
      : [vms, ...(needs === '' ? [] : [`each pod requests ${needs}`]), ...shape.spreads.map(spreadText)].join('; ');
  return { pool, fits, of: count, message: `pool ${pool} has room for ${fits} of ${count} new pods: ${why}` };
}

function spreadText({ topologyKey, maxSkew }: PodShape['spreads'][number]): string {
  return `they must spread over ${topologyKey} with maxSkew ${maxSkew}`;
}

/** How many causes are named. */
const MAX_CAUSES = 3;

/** What keeps the pods off the VMs, with the number of VMs for each cause. */
function whyNone(rooms: readonly Room[], shape: PodShape): string {
  if (rooms.length === 0) return 'no VM has the labels of the pool';
  const causes = [...Map.groupBy(rooms, ({ node }) => closedBy(node, shape))]
    .map(([cause, own]) => ({ cause, count: own.length }))
    .toSorted((a, b) => b.count - a.count || (a.cause < b.cause ? -1 : 1));
  const more = causes.length > MAX_CAUSES ? ', and others' : '';
  const named = causes.slice(0, MAX_CAUSES).map(({ cause, count }) => `${count} of ${rooms.length} ${cause}`);
  return `${named.join(', ')}${more}`;
}

function closedBy(node: Node, shape: PodShape): string {
  const taint = node.taints.find((one) => !isPassing(one) && isKeptOutBy(one, shape));
  if (taint) return `with the taint ${taintText(taint)}, which the pods do not tolerate`;
  if (!isSelected(node, shape)) return 'without the labels that the pods require';
  if (isDraining(node)) return 'cordoned or being removed';
  if (!node.ready) return 'not ready';
  const passing = node.taints.find((one) => isKeptOutBy(one, shape));
  return passing ? `with the taint ${taintText(passing)}` : 'closed';
}

function taintText({ key, value = '', effect }: Taint): string {
  return `${key}${value === '' ? '' : `=${value}`}:${effect}`;
}

/** An amount for messages: 500m CPU, 1.5 GiB memory. */
export function amountText(name: string, amount: number): string {
  if (name === 'cpu') return `${amount % 1000 === 0 ? amount / 1000 : `${amount}m`} CPU`;
  if (name === 'memory' || name === 'ephemeral-storage') return `${bytesText(amount)} ${name}`;
  return `${amount} ${name}`;
}

function bytesText(bytes: number): string {
  for (const [unit, size] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (bytes >= size) return `${Number((bytes / size).toFixed(1))} ${unit}`;
  }
  return `${bytes} B`;
}
