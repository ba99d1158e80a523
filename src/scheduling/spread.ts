/** Counts the pods that find a place under topology spread, by domain instead of pod by pod. Pure. */
import type { Demand } from './demand.ts';
import type { Node } from './objects.ts';
import type { LabelSelector, PodShape, Spread } from './shape.ts';
import { isSelected, selects, toleratesTaints } from './shape.ts';
import type { WorkBudget } from './vm-copy.ts';
import { spend } from './vm-copy.ts';

/** The pods that the constraints of a demand count, updated with each pod that is placed. */
export interface SpreadCounts {
  /** Whether a VM may take one more pod of the demand. */
  admits: (vm: string) => boolean;
  /** A pod with these labels was placed. */
  add: (vm: string, labels: PodShape['labels']) => void;
}

export function spreadCounts(demand: Demand, budget: WorkBudget): SpreadCounts {
  const { shape, rooms } = demand;
  const { domains } = topologyOf(demand, budget);
  const rows = rowsOf(rooms);
  const constraints = constraintsOf(demand, budget);
  const floors = constraints.map(floorOf);

  function domainOf(index: number, vm: string): number {
    return domains[index]?.domains[rows.get(vm) ?? NONE] ?? NONE;
  }

  return {
    admits: (vm) =>
      constraints.every(({ pods, own, maxSkew }, index) => {
        const domain = domainOf(index, vm);
        return domain !== NONE && (pods[domain] ?? 0) + own - (floors[index]?.level ?? 0) <= maxSkew;
      }),
    add: (vm, labels) => {
      shape.spreads.forEach((spread, index) => {
        const domain = domainOf(index, vm);
        if (domain === NONE || !selects(selectorOf(spread, shape.labels), labels)) return;
        floors[index]?.add(domain, 1);
      });
    },
  };
}

/** Whether a constraint of a demand counts the pods of another one. */
export function countsPodsOf({ shape }: Demand, other: Demand): boolean {
  return shape.spreads.some((spread) => selects(selectorOf(spread, shape.labels), other.shape.labels));
}

/** One constraint, and the pods in each of its domains. */
interface Constraint {
  maxSkew: number;
  /** 1, or 0 if the constraint does not select the new pods. */
  own: number;
  /** With fewer domains than minDomains, the emptiest domain counts as empty. */
  isShort: boolean;
  pods: number[];
}

/** VMs in the same domain of every constraint, and their free places. */
interface DomainGroup {
  /** For each constraint, the index of the domain in `pods`. */
  domains: readonly number[];
  places: number;
}

/** The number of pods that find a place, at most the requested number; undefined if the budget is too small. */
export function placesBySpread(
  demand: Demand,
  places: ReadonlyMap<Node, number>,
  budget: WorkBudget,
): number | undefined {
  const { rooms } = demand;
  if (!spend(budget, rooms.length)) return undefined;
  const topology = topologyOf(demand, budget);
  const constraints = constraintsOf(demand, budget);
  const groups = topology.groups.map((domains): DomainGroup => ({ domains, places: 0 }));
  for (const [node, more] of places) {
    const group = groups[topology.groupOf.get(node) ?? -1];
    if (group) group.places += more;
  }
  // (https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/) A single constraint leaves no choice.
  const most = Math.min(demand.count, ...constraints.map((one, index) => mostBy(one, index, groups)));
  if (constraints.length === 1) return most;
  const placed = fill(constraints, groups, most, budget);
  return placed ?? (most < demand.count ? most : undefined);
}

/** The constraints with the pods that are there. */
function constraintsOf(demand: Demand, budget: WorkBudget): Constraint[] {
  const { shape } = demand;
  const topology = topologyOf(demand, budget);
  const counted = new Map<string, Int32Array | undefined>();
  return shape.spreads.map((spread, index): Constraint => {
    const selector = selectorOf(spread, shape.labels);
    const { domains, size } = topology.domains[index] ?? NO_DOMAINS;
    const pods = new Array<number>(size).fill(0);
    // Usually constraints differ only in their topologyKey.
    const key = JSON.stringify(selector);
    if (!counted.has(key)) counted.set(key, podsByVm(demand, selector));
    counted.get(key)?.forEach((more, vm) => {
      const at = domains[vm] ?? NONE;
      if (at !== NONE) pods[at] = (pods[at] ?? 0) + more;
    });
    const isShort = pods.length < (spread.minDomains ?? 1);
    return { maxSkew: spread.maxSkew, own: selects(selector, shape.labels) ? 1 : 0, isShort, pods };
  });
}

/** The domain index of a VM in no domain. */
const NONE = -1;

/** The domain of each VM, in the order of the rooms, and the number of domains. */
interface Domains {
  domains: Int32Array;
  size: number;
}

const NO_DOMAINS: Domains = { domains: new Int32Array(), size: 0 };

/** The domains of VMs for the constraints of a shape. A VM without the label of one constraint is in no domain. */
interface Topology {
  /** One entry for each constraint. */
  domains: readonly Domains[];
  /** Ordered so that neighbours are in different domains. */
  groups: readonly (readonly number[])[];
  groupOf: ReadonlyMap<Node, number>;
}

const topologies = new WeakMap<Demand['rooms'], Map<string, Topology>>();

/** Computed once for the same VMs and constraints, because the pools of a release share them. */
function topologyOf({ rooms, shape }: Demand, budget: WorkBudget): Topology {
  const byShape = topologies.get(rooms) ?? new Map<string, Topology>();
  topologies.set(rooms, byShape);
  const { spreads, nodeSelector, nodeTerms, tolerations } = shape;
  const rules = spreads.map((one) => [one.topologyKey, one.nodeAffinityPolicy, one.nodeTaintsPolicy]);
  const key = JSON.stringify([rules, nodeSelector, nodeTerms, tolerations]);
  const topology = byShape.get(key) ?? makeTopology(rooms, shape, budget);
  byShape.set(key, topology);
  return topology;
}

function makeTopology(rooms: Demand['rooms'], shape: PodShape, budget: WorkBudget): Topology {
  const { spreads } = shape;
  spend(budget, rooms.length * spreads.length);
  const nodes = rooms.map(({ node }) => node);
  const isCounted = nodes.map(({ metadata }) => spreads.every((one) => metadata.labels[one.topologyKey] !== undefined));
  const numbered = spreads.map(({ topologyKey, nodeAffinityPolicy, nodeTaintsPolicy }): Domains => {
    const names = new Map<string, number>();
    const domains = new Int32Array(nodes.length).fill(NONE);
    nodes.forEach((node, vm) => {
      if (!isCounted[vm]) return;
      if (nodeAffinityPolicy !== 'Ignore' && !isSelected(node, shape)) return;
      if (nodeTaintsPolicy === 'Honor' && !toleratesTaints(node, shape)) return;
      const name = node.metadata.labels[topologyKey] ?? '';
      names.set(name, names.get(name) ?? names.size);
      domains[vm] = names.get(name) ?? NONE;
    });
    return { domains, size: names.size };
  });
  const all = nodes.map((node, vm) => ({ node, domains: numbered.map(({ domains }) => domains[vm] ?? NONE) }));
  const members = Map.groupBy(
    all.filter(({ domains }) => !domains.includes(NONE)),
    ({ domains }) => domains.join(),
  );
  const coarsestFirst = numbered.map(({ size }, index) => ({ index, size })).toSorted((a, b) => a.size - b.size);
  const groups = interleaved(
    [...members.values()].map((own) => ({ domains: own[0]?.domains ?? [], own })),
    coarsestFirst.map(({ index }) => index),
  );
  return {
    domains: numbered,
    groups: groups.map(({ domains }) => domains),
    groupOf: new Map(groups.flatMap(({ own }, index) => own.map(({ node }) => [node, index] as const))),
  };
}

/** Neighbours are in different domains, first of the coarsest constraint, so that a round fills all domains evenly. */
function interleaved<T extends { domains: readonly number[] }>(
  groups: readonly T[],
  [level, ...finer]: readonly number[],
): T[] {
  if (level === undefined) return [...groups];
  const parts = [...Map.groupBy(groups, ({ domains }) => domains[level]).values()];
  return takeTurns(parts.map((part) => (part.length > 1 ? interleaved(part, finer) : part)));
}

/** Interleaves: the first of each, the second of each, and so on. */
export function takeTurns<T>(parts: readonly (readonly T[])[]): T[] {
  const longest = parts.reduce((most, { length }) => Math.max(most, length), 0);
  const taken: T[] = [];
  for (let turn = 0; turn < longest; turn += 1) {
    for (const part of parts) if (turn < part.length) taken.push(part[turn] as T);
  }
  return taken;
}

/** A constraint without a selector counts no pods; an empty selector selects all. */
const NO_PODS: LabelSelector = { matchExpressions: [{ key: '', operator: 'In', values: [] }] };

function selectorOf({ labelSelector, matchLabelKeys = [] }: Spread, own: Demand['shape']['labels']): LabelSelector {
  if (!labelSelector) return NO_PODS;
  const added = matchLabelKeys.flatMap((key) => (own[key] === undefined ? [] : [[key, own[key]] as const]));
  const matchLabels = { ...labelSelector.matchLabels, ...Object.fromEntries(added) };
  return { ...labelSelector, matchLabels };
}

const rowsByName = new WeakMap<Demand['rooms'], ReadonlyMap<string, number>>();

/** VM → its index among the rooms. */
function rowsOf(rooms: Demand['rooms']): ReadonlyMap<string, number> {
  const rows = rowsByName.get(rooms) ?? new Map(rooms.map(({ node }, row) => [node.metadata.name, row]));
  rowsByName.set(rooms, rows);
  return rows;
}

/** The number of pods that a selector counts on each VM, in the order of the rooms, without pods that leave; undefined: none. */
function podsByVm({ rooms, labelled, leaving }: Demand, selector: LabelSelector): Int32Array | undefined {
  const selected = labelled.filter(({ labels }) => selects(selector, labels));
  if (selected.length === 0) return undefined;
  const counted = new Int32Array(rooms.length);
  const rows = rowsOf(rooms);
  for (const { metadata, nodeName } of selected.flatMap(({ pods }) => pods)) {
    // The scheduler does not count pods that are being deleted.
    if (metadata.deletionTimestamp !== undefined || leaving.has(metadata.uid)) continue;
    const row = nodeName === undefined ? undefined : rows.get(nodeName);
    if (row !== undefined) counted[row] = (counted[row] ?? 0) + 1;
  }
  return counted;
}

/** The pods that one constraint admits: no domain exceeds the first full domain by more than maxSkew. */
function mostBy({ pods, maxSkew, own, isShort }: Constraint, index: number, groups: readonly DomainGroup[]): number {
  const places = pods.map(() => 0);
  for (const { domains, places: more } of groups) {
    const at = domains[index] ?? 0;
    places[at] = (places[at] ?? 0) + more;
  }
  const full = own === 0 ? pods : pods.map((there, at) => there + (places[at] ?? 0));
  const ceiling = (isShort ? 0 : lowest(full)) + maxSkew;
  return pods.reduce((sum, there, at) => {
    const more = own === 0 ? (there <= ceiling ? Number.POSITIVE_INFINITY : 0) : Math.max(0, ceiling - there);
    return sum + Math.min(places[at] ?? 0, more);
  }, 0);
}

function lowest(numbers: readonly number[]): number {
  return numbers.reduce((least, one) => Math.min(least, one), Number.POSITIVE_INFINITY);
}

/** In each round, one pod goes to every group that all constraints admit, as evenly as possible. */
function fill(
  constraints: readonly Constraint[],
  groups: readonly DomainGroup[],
  count: number,
  budget: WorkBudget,
): number | undefined {
  const floors = constraints.map(floorOf);
  let open = groups.filter(({ places }) => places > 0);
  let placed = 0;
  while (placed < count) {
    const before = placed;
    if (!spend(budget, open.length * constraints.length)) return undefined;
    for (const group of open) {
      const isLetIn = constraints.every(
        ({ pods, own, maxSkew }, index) =>
          (pods[group.domains[index] ?? 0] ?? 0) + own - (floors[index]?.level ?? 0) <= maxSkew,
      );
      if (!isLetIn) continue;
      group.places -= 1;
      placed += 1;
      if (placed === count) return placed;
      constraints.forEach((constraint, index) => {
        floors[index]?.add(group.domains[index] ?? 0, constraint.own);
      });
    }
    if (placed === before) return placed;
    open = open.filter(({ places }) => places > 0);
  }
  return placed;
}

/** The number of pods in the emptiest domain, updated with each pod. */
interface Floor {
  level: number;
  add: (domain: number, pods: number) => void;
}

function floorOf({ pods, isShort }: Constraint): Floor {
  const floor: Floor = { level: isShort ? 0 : lowest(pods), add };
  let emptiest = pods.filter((there) => there === floor.level).length;
  function add(domain: number, more: number): void {
    const there = pods[domain] ?? 0;
    pods[domain] = there + more;
    if (isShort || more === 0 || there > floor.level) return;
    emptiest -= 1;
    if (emptiest > 0) return;
    floor.level = lowest(pods);
    emptiest = pods.filter((one) => one === floor.level).length;
  }
  return floor;
}
