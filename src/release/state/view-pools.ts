/** Derives the state of the pools and their Services from the observed objects. Pure. */
import type { Pool, Stage } from '../../api/app-release.ts';
import { LABEL } from '../../api/meta.ts';
import { autoscalerOf } from './autoscaler.ts';
import { askedSize, findKeptSize } from './kept-size.ts';
import { foreignScale } from './pool-size.ts';
import { hasNext } from '../record/next-services.ts';
import { sizeInExposure } from './exposure.ts';
import { nextServiceName, serviceName as nameOfService } from '../record/names.ts';
import type { Observed } from './observed.ts';
import type { Revision } from '../record/revision.ts';
import type { Topology } from '../record/recorded-data.ts';
import { placementOf, poolFacts } from '../record/revision.ts';
import type { Group, Hold, PoolState, Rollout, Workload } from './view.ts';
import { inForce } from './view.ts';
import type { SeenTraffic } from '../traffic/served.ts';
import { findServed, seeNext, seeTraffic } from '../traffic/served.ts';
import type { NextTraffic } from '../traffic/service.ts';
import { isScribbled } from './view-workloads.ts';

export type GroupState = Omit<Group, 'pools'> & { pools: readonly PoolState[] };

export function viewGroups(
  observed: Observed,
  topology: Topology,
  revisions: readonly Revision[],
  workloads: readonly Workload[],
  base: Pick<Rollout, 'spec' | 'wanted' | 'lastWanted' | 'record'>,
): GroupState[] {
  const members = topology.stages.flatMap((stage) => stage.pools.map((pool) => ({ stage, pool })));
  const byService = Map.groupBy(members, ({ pool }) =>
    topology.service ? nameOfService(observed.release.metadata.name, pool) : `/${pool.name}`,
  );
  const tracks = new Set(observed.pods.map(({ metadata }) => metadata.labels?.[LABEL.track]));
  const sizes = new Map(
    base.record.topology?.stages.flatMap(({ pools }) => pools.map(({ name, replicas }) => [name, replicas])),
  );
  const sources = { observed, revisions, workloads, tracks, sizes, base };
  return [...byService].map(([name, group]) => {
    const seen = seeTraffic(observed, topology.service && name);
    const next = nextOf(observed, topology, group[0]?.stage, name);
    return {
      ...seen.traffic,
      ...(next && { next }),
      pools: group.map(({ stage, pool }) => viewPool({ ...sources, stage, pool, seen })),
    };
  });
}

function nextOf(
  observed: Observed,
  topology: Topology,
  stage: Stage | undefined,
  serviceName: string,
): NextTraffic | undefined {
  return stage && hasNext(topology, stage) ? seeNext(observed, nextServiceName(serviceName)) : undefined;
}

interface PoolSources {
  observed: Observed;
  stage: Stage;
  pool: Pool;
  revisions: readonly Revision[];
  workloads: readonly Workload[];
  /** The tracks of all observed pods. */
  tracks: ReadonlySet<string | undefined>;
  seen: SeenTraffic;
  /** Pool → `replicas` in the last recorded spec. */
  sizes: ReadonlyMap<string, number>;
  base: Pick<Rollout, 'spec' | 'wanted' | 'lastWanted' | 'record'>;
}

function viewPool(sources: PoolSources): PoolState {
  const { observed, stage, pool, revisions, workloads, seen, tracks } = sources;
  const all = workloads.filter((workload) => workload.pool === pool.name);
  const own = all.filter((workload) => !isScribbled(workload));
  const hold = holdOf(observed, pool.name);
  const autoscaler = autoscalerOf(observed, pool.name);
  const entered = revisions
    .filter((revision) => poolFacts(revision, pool.name).entered)
    .toSorted((a, b) => enteredAt(a, pool.name) - enteredAt(b, pool.name) || a.number - b.number)
    .at(-1);
  const recordedReplicas = sources.sizes.get(pool.name);
  const floor = entered && pool.autoscaling && sizeInExposure(entered, stage, pool.name);
  const state: PoolState = {
    name: pool.name,
    stage,
    spec: pool,
    placement: placementOf(pool),
    workloads: own,
    strays: all.filter((workload) => !own.includes(workload)),
    ...findServed({ observed, seen, pool: pool.name, revisions, workloads: own, tracks, entered, held: hold?.pool.to }),
    ...(recordedReplicas !== undefined && { recordedReplicas }),
    ...(autoscaler && { autoscaler }),
    ...(hold && { hold }),
    ...(entered && { entered }),
    ...(floor !== undefined && { floor }),
  };
  const scaled = foreignScale(state, revisions);
  const { wanted, lastWanted } = sources.base;
  const keptSize = findKeptSize(state, wanted, lastWanted, askedSize(sources.base, pool.name));
  return { ...state, ...(scaled && { scaled }), ...(keptSize && { keptSize }) };
}

function enteredAt(revision: Revision, pool: string): number {
  return Date.parse(poolFacts(revision, pool).entered?.at ?? '');
}

/** The last accepted rollback that holds this pool. */
function holdOf(observed: Observed, pool: string): Hold | undefined {
  const holds = observed.rollbacks
    .filter((rollback) => inForce(rollback, observed.release.metadata.uid))
    .flatMap((rollback) => {
      const own = rollback.status?.pools?.find(({ name, supersededBy }) => name === pool && supersededBy === undefined);
      return own ? [{ rollback, pool: own }] : [];
    });
  // Two leaders may have given the same sequence. The name decides, so that both pick the same rollback.
  return holds
    .sort(
      (a, b) =>
        (a.rollback.status?.sequence ?? 0) - (b.rollback.status?.sequence ?? 0) ||
        (a.rollback.metadata.name < b.rollback.metadata.name ? -1 : 1),
    )
    .at(-1);
}
