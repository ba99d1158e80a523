/** Metrics of the pools of AppReleases, from the newest status of each release. */
import { Gauge, type Registry } from 'prom-client';
import type { PoolStatus } from '../api/app-release-status.ts';

type Rollback = NonNullable<PoolStatus['rollback']>;

/** What the metrics need of the status of a pool. */
export type PoolFigures = Pick<PoolStatus, 'name' | 'version' | 'replicas' | 'readyReplicas'> & {
  readiness?: Rollback['readiness'];
  standby?: NonNullable<Rollback['standby']>;
};

export interface ReleaseFigures {
  labels: Readonly<{ namespace: string; release: string }>;
  pools: readonly PoolFigures[];
}

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

export function poolFigures({ name, version, replicas, readyReplicas, rollback }: PoolStatus): PoolFigures {
  return {
    name,
    ...(version !== undefined && { version }),
    replicas,
    readyReplicas,
    ...(rollback && { readiness: rollback.readiness }),
    ...(rollback?.standby && { standby: rollback.standby }),
  };
}

/** The version that every pool serves; none while pools differ, or while a pool serves nothing. */
export function commonVersion(pools: readonly PoolFigures[]): string {
  const [first = ''] = pools.map(({ version }) => version ?? '');
  return pools.every(({ version }) => version === first) ? first : '';
}

/** The number of pools with fewer standing pods than wanted. */
export function withoutStandby(pools: readonly PoolStatus[]): number {
  return pools.filter(({ rollback }) => rollback?.standby && rollback.standby.readyReplicas < rollback.standby.replicas)
    .length;
}

/** `releases`: the newest figures, asked at each scrape, so that no series of a former pool remains. */
export function createReleasePoolMetrics(registry: Registry, releases: () => Iterable<ReleaseFigures>): void {
  function gauge(name: string, help: string, own: string[], samplesOf: (pool: PoolFigures) => Sample[]): void {
    new Gauge({
      name: `apprelease_pool_${name}`,
      help,
      labelNames: ['namespace', 'release', 'pool', ...own],
      registers: [registry],
      collect() {
        this.reset();
        for (const { labels, pools } of releases()) {
          for (const pool of pools) {
            for (const [more, value] of samplesOf(pool)) this.set({ ...labels, pool: pool.name, ...more }, value);
          }
        }
      },
    });
  }

  gauge('info', 'Always 1; the version that a pool serves.', ['version'], ({ version = '' }) => [[{ version }, 1]]);
  gauge('ready_pods', 'Ready pods of the version that a pool serves.', [], ({ readyReplicas }) => [
    [{}, readyReplicas],
  ]);
  gauge('wanted_pods', 'Pods that a pool should have.', [], ({ replicas }) => [[{}, replicas]]);
  gauge('standby_pods', 'Ready pods that stand by for a rollback, while some are wanted.', [], ({ standby }) =>
    standby ? [[{}, standby.readyReplicas]] : [],
  );
  gauge('wanted_standby_pods', 'Pods that should stand by for a rollback.', [], ({ standby }) =>
    standby ? [[{}, standby.replicas]] : [],
  );
  gauge(
    'rollback_readiness',
    'Always 1; how fast a rollback of a pool would be: Warm, Cached, Cold, Unknown or Impossible.',
    ['readiness'],
    ({ readiness }) => (readiness ? [[{ readiness }, 1]] : []),
  );
}
