// The rows of the table, from objects of the API server.
import type { AppRelease } from '../../src/api/app-release.ts';
import { LABEL } from '../../src/api/meta.ts';
import type { PodCount, PoolRow } from './table.ts';
import { versionOf, type World } from './world.ts';

/** One row for each pool of the release's stages. */
export function rowsOf(world: World): PoolRow[] {
  const release = world.release();
  return (release?.spec.stages ?? []).flatMap((stage) =>
    stage.pools.map(({ name, replicas }) => rowOf(world, release, { pool: name, stage: stage.name, replicas })),
  );
}

function rowOf(
  world: World,
  release: AppRelease | undefined,
  spec: Pick<PoolRow, 'pool' | 'stage' | 'replicas'>,
): PoolRow {
  const { pools = [], history = [] } = release?.status ?? {};
  const status = pools.find(({ name }) => name === spec.pool);
  const next = history.find(({ revision }) => revision === status?.wantedRevision)?.version;
  const { version, digest, rollback } = status ?? {};
  const pods = podCounts(world, spec.pool, version);
  return {
    ...spec,
    held: status?.heldBy !== undefined,
    // Counted here, because the status is updated only once a second.
    ready: pods.find((count) => count.version === version)?.ready ?? 0,
    ...(version !== undefined && { version }),
    ...(next !== undefined && { next }),
    ...(digest !== undefined && { digest }),
    ...(rollback && { rollback }),
    pods,
  };
}

function podCounts(world: World, pool: string, served: string | undefined): PodCount[] {
  const own = world
    .pods()
    .filter(({ metadata }) => metadata.labels?.[LABEL.pool] === pool && metadata.deletionTimestamp === undefined);
  const byVersion = Map.groupBy(own, (pod) => versionOf(world, pod) ?? '');
  return [...byVersion]
    .map(([version, pods]) => ({ version, ready: pods.filter(({ ready }) => ready).length, total: pods.length }))
    .toSorted((a, b) => Number(b.version === served) - Number(a.version === served));
}
