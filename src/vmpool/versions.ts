/** Versions on VMs, with the number of VMs. Pure. */
import type { Node, NodeInfo } from '../scheduling/objects.ts';

export interface Counted {
  name: string;
  nodes: number;
}

/** Limits of the API for one string and for one list. */
const MAX_NAME = 256;
const MAX_KINDS = 16;

/** The most frequent first. A VM that has not reported yet is not counted. */
export function countBy(nodes: readonly Node[], field: keyof NodeInfo): Counted[] {
  const reported = nodes.map(({ info }) => info[field].slice(0, MAX_NAME)).filter((name) => name !== '');
  return [...Map.groupBy(reported, (name) => name)]
    .map(([name, same]) => ({ name, nodes: same.length }))
    .toSorted((a, b) => b.nodes - a.nodes || (a.name < b.name ? -1 : 1))
    .slice(0, MAX_KINDS);
}

/** For a printer column: the most frequent version, and the number of others. */
export function shortForm([first, ...others]: readonly Counted[]): string | undefined {
  if (!first) return undefined;
  return others.length === 0 ? first.name : `${first.name} +${others.length}`;
}
