/** The numbers of a pool: overhead = capacity − allocatable, waste = allocatable − requested. Pure. */
import { isDraining, isOpen } from '../scheduling/nodes.ts';
import type { Node, PlacedPod } from '../scheduling/objects.ts';
import type { Resources } from '../scheduling/quantity.ts';
import { subtractResources } from '../scheduling/quantity.ts';

/** Each VM is in exactly one of the three states. */
export interface NodeCounts {
  total: number;
  /** Ready, and open to new pods. */
  ready: number;
  /** VMs that are being removed, whether their kubelet still answers or not. */
  draining: number;
  /** All others. */
  notReady: number;
}

export interface PoolUse {
  pods: number;
  requested: Resources;
  limits: Resources;
  waste: Resources;
}

export interface PoolFigures {
  nodes: NodeCounts;
  capacity: Resources;
  allocatable: Resources;
  overhead: Resources;
  /** Absent if not all pods are known, because partial numbers would be wrong. */
  use?: PoolUse;
}

export function poolFigures(nodes: readonly Node[], pods: readonly PlacedPod[] | undefined): PoolFigures {
  const capacity = sum(nodes, (node) => node.capacity);
  const allocatable = sum(nodes, (node) => node.allocatable);
  return {
    nodes: countNodes(nodes),
    capacity,
    allocatable,
    overhead: subtractResources(capacity, allocatable),
    ...(pods && { use: poolUse(allocatable, pods) }),
  };
}

function poolUse(allocatable: Resources, pods: readonly PlacedPod[]): PoolUse {
  const requested = { ...sum(pods, (pod) => pod.requests), pods: pods.length };
  const { pods: _none, ...limits } = sum(pods, (pod) => pod.limits);
  return { pods: pods.length, requested, limits, waste: subtractResources(allocatable, requested) };
}

function countNodes(nodes: readonly Node[]): NodeCounts {
  const total = nodes.length;
  const ready = nodes.filter(isOpen).length;
  const draining = nodes.filter(isDraining).length;
  return { total, ready, draining, notReady: total - ready - draining };
}

const COUNTED = ['cpu', 'memory', 'pods'] as const;

/** Adds in place, because it runs for every pod of a pool. */
function sum<T>(all: readonly T[], resourcesOf: (one: T) => Resources): Record<(typeof COUNTED)[number], number> {
  const total = { cpu: 0, memory: 0, pods: 0 };
  for (const one of all) {
    const resources = resourcesOf(one);
    for (const name of COUNTED) total[name] += resources[name] ?? 0;
  }
  return total;
}
