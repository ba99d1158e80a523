/**
 * Whether pods that are not there yet will find room: by the filters of the scheduler, counted before a pool is touched.
 * What fits here the scheduler places, unless somebody else takes the room first. Pure.
 */
import { isOpen } from './nodes.ts';
import type { Node, PlacedPod } from './objects.ts';
import type { Resources } from './quantity.ts';
import { addResources, subtractResources } from './quantity.ts';
import type { PodShape, Spread } from './shape.ts';
import { admits, isSelected, selects, toleratesTaints } from './shape.ts';

/** A VM and the pods that take room on it. */
export interface Room {
  node: Node;
  pods: readonly PlacedPod[];
}

/** Pods of one shape that are to come. */
export interface Demand {
  /** Whose they are, for messages. */
  pool: string;
  shape: PodShape;
  count: number;
  /** All VMs of the pool. */
  rooms: readonly Room[];
  /** Pods that will be gone before these come, by uid. */
  leaving: ReadonlySet<string>;
  /** Labels of the pods that a spread constraint may count, by uid. */
  labels: ReadonlyMap<string, Readonly<Record<string, string>>>;
}

export interface Shortage {
  pool: string;
  fits: number;
  of: number;
  message: string;
}

/** The first demand that finds too little room, where all of them come together. */
export function shortage(demands: readonly Demand[]): Shortage | undefined {
  for (const demand of demands) {
    const others = demands.filter((other) => other !== demand && sharesNodes(other, demand));
    const fits = placeable(demand) - others.reduce((sum, other) => sum + other.count * takenByOne(other, demand), 0);
    if (fits < demand.count) return describe(demand, Math.max(0, fits));
  }
  return undefined;
}

/** Pods of the shape that find a place, at most as many as are asked for. */
function placeable(demand: Demand): number {
  const places = demand.rooms
    .filter(({ node }) => isOpen(node) && admits(node, demand.shape))
    .map((room) => ({ node: room.node, left: howMany(freeOf(room, demand.leaving), demand.shape.requests) }));
  if (demand.shape.spreads.length > 0) return spreadOut(demand, places);
  return places.reduce((sum, { left }) => sum + left, 0);
}

/** What a node has left: what it leaves to pods, less what they ask for. */
export function freeOf({ node, pods }: Room, leaving: ReadonlySet<string>): Resources {
  const staying = pods.filter(({ metadata }) => !leaving.has(metadata.uid));
  const taken = addResources({ pods: staying.length }, ...staying.map(({ requests }) => requests));
  return subtractResources(node.allocatable, taken);
}

function howMany(free: Resources, requests: Resources): number {
  const bounds = Object.entries({ ...requests, pods: 1 })
    .filter(([, amount]) => amount > 0)
    .map(([name, amount]) => Math.floor((free[name] ?? 0) / amount));
  return Math.max(0, Math.min(...bounds));
}

interface Place {
  node: Node;
  left: number;
}

/** One pod after the other, as the scheduler does: where it may go by every constraint, in the emptiest domain first. */
function spreadOut(demand: Demand, places: readonly Place[]): number {
  const constraints = demand.shape.spreads.map((spread) => domainsOf(demand, spread));
  const left = new Map(places.map((place) => [place.node, place.left]));
  for (let placed = 0; placed < demand.count; placed += 1) {
    const node = emptiest(constraints, left);
    if (!node) return placed;
    left.set(node, (left.get(node) ?? 0) - 1);
    for (const one of constraints) one.add(node);
  }
  return demand.count;
}

interface Domains {
  /** Of the domain that has fewest. */
  least: () => number;
  /** With one pod more on the node; undefined where it is in no domain. */
  after: (node: Node) => number | undefined;
  maxSkew: number;
  add: (node: Node) => void;
}

/** The VM with room on which one pod more keeps every skew small enough, and the domains as even as can be. */
function emptiest(constraints: readonly Domains[], left: ReadonlyMap<Node, number>): Node | undefined {
  const least = constraints.map((one) => one.least());
  let best: { node: Node; pods: number } | undefined;
  for (const [node, places] of left) {
    if (places <= 0) continue;
    const after = constraints.map((one) => one.after(node) ?? Number.POSITIVE_INFINITY);
    if (constraints.some(({ maxSkew }, index) => (after[index] ?? 0) - (least[index] ?? 0) > maxSkew)) continue;
    const pods = after.reduce((sum, one) => sum + one, 0);
    if (best === undefined || pods < best.pods) best = { node, pods };
  }
  return best?.node;
}

/** The pods of each domain (https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/). */
function domainsOf({ shape, rooms, leaving, labels }: Demand, spread: Spread): Domains {
  const { topologyKey, maxSkew, minDomains = 1, labelSelector = {}, matchLabelKeys = [] } = spread;
  const selector = {
    ...labelSelector,
    matchLabels: {
      ...labelSelector.matchLabels,
      ...Object.fromEntries(
        matchLabelKeys.flatMap((key) => (shape.labels[key] === undefined ? [] : [[key, shape.labels[key]]])),
      ),
    },
  };
  const keys = shape.spreads.map((one) => one.topologyKey);
  const counted = new Map<string, number>();
  for (const { node, pods } of rooms) {
    if (keys.some((key) => node.metadata.labels[key] === undefined)) continue;
    if (spread.nodeAffinityPolicy !== 'Ignore' && !isSelected(node, shape)) continue;
    if (spread.nodeTaintsPolicy === 'Honor' && !toleratesTaints(node, shape)) continue;
    const matching = pods.filter(
      ({ metadata }) =>
        !leaving.has(metadata.uid) &&
        metadata.deletionTimestamp === undefined &&
        selects(selector, labels.get(metadata.uid) ?? {}),
    );
    const domain = node.metadata.labels[topologyKey] ?? '';
    counted.set(domain, (counted.get(domain) ?? 0) + matching.length);
  }
  // A pod that its own constraint does not select adds nothing to any domain.
  const own = selects(selector, shape.labels) ? 1 : 0;
  function domainOf(node: Node): string | undefined {
    return keys.some((key) => node.metadata.labels[key] === undefined) ? undefined : node.metadata.labels[topologyKey];
  }
  function podsIn(domain: string | undefined): number {
    return counted.get(domain ?? '') ?? 0;
  }
  return {
    maxSkew,
    least: () => (counted.size < minDomains ? 0 : Math.min(...counted.values())),
    after: (node) => {
      const domain = domainOf(node);
      return domain === undefined ? undefined : podsIn(domain) + own;
    },
    add: (node) => {
      const domain = domainOf(node);
      if (domain !== undefined) counted.set(domain, podsIn(domain) + own);
    },
  };
}

function sharesNodes(a: Demand, b: Demand): boolean {
  const names = new Set(a.rooms.map(({ node }) => node.metadata.name));
  return b.rooms.some(({ node }) => names.has(node.metadata.name));
}

/** Places of the one shape that one pod of the other can cost at most: nobody says which VM it comes to. */
function takenByOne(other: Demand, { shape }: Demand): number {
  const lost = Object.entries(shape.requests)
    .filter(([, amount]) => amount > 0)
    .map(([name, amount]) => Math.ceil((other.shape.requests[name] ?? 0) / amount));
  return Math.max(1, ...lost);
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
      ? 'no VM takes them (ready, not cordoned, its labels and taints as asked)'
      : `${vms}${needs === '' ? '' : `; each asks for ${needs}`}`;
  return { pool, fits, of: count, message: `pool ${pool} has room for ${fits} of ${count} new pods: ${why}` };
}

/** For a person: 500m CPU, 1.5 GiB memory. */
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
