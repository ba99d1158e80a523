/** The VMs of all pools. Pure. */
import type { VmPool } from '../api/vm-pool.ts';
import type { Node } from '../scheduling/objects.ts';
import { labelNames, matchesSelector, POOL_LABELS, selectorBy } from '../scheduling/select.ts';

export interface PoolMembers {
  /** Undefined while no cloud label names the pool. */
  selector: Readonly<Record<string, string>> | undefined;
  /** Only names, because other fields of a node change more often than its pool. */
  nodes: readonly string[];
}

/** The VMs of every pool, by the pool's name. */
export function poolMembers(pools: readonly VmPool[], nodes: readonly Node[]): Map<string, PoolMembers> {
  const named = labelNames(nodes);
  return new Map(
    pools.map((pool) => {
      const { name } = pool.metadata;
      const selector = selectorBy(pool, (label) => named.has(`${label}=${name}`));
      return [name, { selector, nodes: selector ? namesOf(nodes, selector) : [] }];
    }),
  );
}

function namesOf(nodes: readonly Node[], selector: Readonly<Record<string, string>>): string[] {
  // Like matchesSelector, but fast for thousands of nodes.
  const labels = Object.entries(selector);
  return nodes
    .filter(({ metadata }) => labels.every(([key, value]) => metadata.labels[key] === value))
    .map(({ metadata }) => metadata.name);
}

/** The other pools that match VMs of this one, with the number of shared VMs. */
export function sharedMembers(
  name: string,
  members: ReadonlyMap<string, PoolMembers>,
): { pool: string; nodes: number }[] {
  const own = new Set(members.get(name)?.nodes);
  return [...members]
    .filter(([other]) => other !== name)
    .map(([pool, { nodes }]) => ({ pool, nodes: nodes.filter((node) => own.has(node)).length }))
    .filter(({ nodes }) => nodes > 0)
    .toSorted((a, b) => (a.pool < b.pool ? -1 : 1));
}

/** Whether a node belongs to the pool, or may have just joined it, by any of the cloud labels. */
export function mayBelong({ metadata, spec }: VmPool, node: Node): boolean {
  if (spec.nodeSelector) return matchesSelector(node, spec.nodeSelector);
  return POOL_LABELS.some((label) => node.metadata.labels[label] === metadata.name);
}
