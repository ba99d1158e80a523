/** What VMs run, and how many of them. Pure. */
import type { Node, NodeInfo } from '../scheduling/objects.ts';

export interface Counted {
  name: string;
  nodes: number;
}

/** What the API takes of one text, and of one list. */
const MAX_NAME = 256;
const MAX_KINDS = 16;

/** The most frequent first. A VM that has not reported yet counts nowhere. */
export function countBy(nodes: readonly Node[], field: keyof NodeInfo): Counted[] {
  const reported = nodes.map(({ info }) => info[field].slice(0, MAX_NAME)).filter((name) => name !== '');
  return [...Map.groupBy(reported, (name) => name)]
    .map(([name, same]) => ({ name, nodes: same.length }))
    .toSorted((a, b) => b.nodes - a.nodes || (a.name < b.name ? -1 : 1))
    .slice(0, MAX_KINDS);
}

/** For a column: the most frequent one, and how many others there are. */
export function shortForm([first, ...others]: readonly Counted[]): string | undefined {
  if (!first) return undefined;
  return others.length === 0 ? first.name : `${first.name} +${others.length}`;
}
