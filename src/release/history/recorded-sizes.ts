/** What the ledger records of the sizes in the spec, and the event about one that is not used. Pure. */
import type { Notice } from '../record/actions.ts';
import type { LedgerRecord, Topology } from '../record/recorded-data.ts';
import { inputHash } from '../record/revision.ts';
import { askedSize } from '../state/kept-size.ts';
import { isHandedBack, scaleMessage } from '../state/pool-size.ts';
import type { Rollout } from '../state/view.ts';

/**
 * The topology, with the recorded size of a pool until the Deployment has the new one (see isHandedBack), or until the revision
 * that the new size came with is recorded (see kept-size.ts).
 */
export function topologyInEffect({ topology, pools, wanted }: Rollout): Topology {
  const before = new Map(
    pools
      .filter((pool) => isHandedBack(pool) || (wanted.state !== 'Recorded' && pool.keptSize !== undefined))
      .map(({ name, recordedReplicas }) => [name, recordedReplicas]),
  );
  if (before.size === 0) return topology;
  const stages = topology.stages.map((stage) => ({
    ...stage,
    pools: stage.pools.map((pool) => ({ ...pool, replicas: before.get(pool.name) ?? pool.replicas })),
  }));
  return { ...topology, stages };
}

/** The sizes that come with an input that is not recorded, so that a later edit of a size alone is told from them. */
export function askedNow(view: Rollout): LedgerRecord['asked'] {
  const { spec, wanted, pools } = view;
  const kept = pools.filter(({ keptSize }) => keptSize !== undefined);
  if (!spec || wanted.state === 'Recorded' || kept.every(({ name }) => askedSize(view, name) !== undefined))
    return undefined;
  const sizes = Object.fromEntries(pools.map((pool) => [pool.name, pool.spec.replicas]));
  return { input: inputHash(spec), sizes };
}

/** An event about a size in the spec that changes and is not used. */
export function unusedSizes({ pools }: Rollout): Notice[] {
  const [first, ...others] = pools.filter(
    ({ spec, scaled, recordedReplicas }) =>
      scaled && !spec.autoscaling && recordedReplicas !== undefined && recordedReplicas !== spec.replicas,
  );
  if (!first) return [];
  const more = others.length > 0 ? ` (and ${others.length} more pools)` : '';
  return [
    { type: 'Warning', reason: 'ReplicasNotUsed', note: `pool ${first.name}: ${scaleMessage(first) ?? ''}${more}` },
  ];
}
