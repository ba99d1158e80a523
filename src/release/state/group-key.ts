/** The key of the placements of the pools behind one Service. Pure. */
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { StrategyType } from '../record/desired.ts';
import type { Topology } from '../record/recorded-data.ts';
import { otherKey, placementKeys } from '../record/revision.ts';
import type { PoolState, Workload } from './view.ts';
import type { GroupState } from './view-pools.ts';

/**
 * Pool → key under a strategy. The pools of a group keep the key that they run with for as long as each of them stays on its VMs:
 * a pool that joins or leaves the Service restarts no other one.
 */
export function groupKeys(
  groups: readonly GroupState[],
  topology: Topology,
  release: string,
  strategy: StrategyType,
): Map<string, string> {
  const keys = placementKeys(topology, release, strategy);
  return new Map(
    groups.flatMap((group) =>
      group.pools.map(({ name }) => [name, keyOf(groups, group, strategy, keys.get(name) ?? '')] as const),
    ),
  );
}

function keyOf(groups: readonly GroupState[], group: GroupState, strategy: StrategyType, computed: string): string {
  const running = group.pools.flatMap(({ current, placement }) =>
    current?.strategy === strategy ? [{ current, stays: isSame(current.placement, placement) }] : [],
  );
  const [first] = running;
  const isKept =
    first !== undefined &&
    running.every(({ current, stays }) => stays && current.key === first.current.key) &&
    !isSharedWith(groups, group, first.current);
  if (isKept) return first.current.key;
  // The key of pools that have left may be that of other placements.
  return running.some(({ current, stays }) => current.key === computed && !stays) ? otherKey(computed) : computed;
}

function isSame(one: PoolState['placement'], other: PoolState['placement']): boolean {
  return canonicalJson(one) === canonicalJson(other);
}

/** Whether pools behind another Service have pods of the track, as after pools stop sharing a Service. */
function isSharedWith(groups: readonly GroupState[], group: GroupState, { track }: Workload): boolean {
  return groups.some(
    (other) =>
      other !== group && other.pools.some(({ workloads }) => workloads.some((workload) => workload.track === track)),
  );
}
