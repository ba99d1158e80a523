/** Metrics of AppReleases, exported by the leading operator. The series of a deleted release disappear. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { findCondition } from '../api/conditions.ts';
import type { NoticeData } from '../release/record/actions.ts';
import { createDeliveryMetrics, type Delivered } from './delivery-metrics.ts';
import { phaseOf } from './promotion-phase.ts';
import { createPromotionSeconds } from './promotion-seconds.ts';
import {
  commonVersion,
  createReleasePoolMetrics,
  poolFigures,
  withoutStandby,
  type ReleaseFigures,
} from './release-pool-metrics.ts';

export interface ReleaseMetrics {
  /** `key`: namespace/name of the release. */
  notice: (key: string, reason: string, data?: NoticeData) => void;
  /** Called after each pass. No release: it is deleted. */
  release: (key: string, release: Delivered | undefined) => void;
}

export interface ReleaseMetricsOptions {
  /** The most releases with series of their own. More are counted together, and have no apprelease_info. */
  limit?: number;
  /** Whether each pool has series of its own. */
  perPool?: boolean;
  /** A clock that is never set back (ms). */
  now?: () => number;
  /** The time of the API server (ms since the epoch). */
  serverTime?: () => number;
}

type Labels = ReleaseFigures['labels'];

interface Known extends ReleaseFigures {
  info: Record<string, string>;
  exposed?: number;
  /** The number of pools without the standby that they should have. */
  bare: number;
}

const CAUSES = ['manual', 'automatic'] as const;

/** More releases are counted together, and have no apprelease_info. */
const MAX_RELEASES = 10_000;
const OTHERS: Labels = { namespace: '', release: '' };

/** A warm rollback takes milliseconds, a cold one minutes. */
const ROLLBACK_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];

/** What is counted, by the reason of the notice. */
const COUNTED: Readonly<Record<string, readonly [name: string, help: string]>> = {
  Switched: ['switches', 'Switches of pool Services to another revision.'],
  PoolPromoted: ['promotions', 'Pools in which a revision became good.'],
  RevisionFailed: ['failures', 'Pools in which a revision failed.'],
  RollbackRejected: ['rollbacks_rejected', 'Rollbacks without a possible target.'],
  RollbackComplete: ['rollbacks_completed', 'Rollbacks that completed in every pool.'],
  InternalError: ['internal_errors', 'Internal errors on user input: each message counts once.'],
  TagMoved: ['moved_tags', 'Pinned tags that now name another digest.'],
};

export function createReleaseMetrics(
  registry: Registry,
  {
    limit = MAX_RELEASES,
    perPool = true,
    now = () => performance.now(),
    serverTime = Date.now,
  }: ReleaseMetricsOptions = {},
): ReleaseMetrics {
  const registers = [registry];
  const labelNames = ['namespace', 'release'] as const;
  const counters = new Map(
    Object.entries(COUNTED).map(([reason, [name, help]]) => [
      reason,
      new Counter({ name: `apprelease_${name}_total`, help, labelNames, registers }),
    ]),
  );
  const rollbacks = new Counter({
    name: 'apprelease_rollbacks_total',
    help: 'Accepted rollbacks; cause: manual, or automatic because of a failure.',
    labelNames: [...labelNames, 'cause'],
    registers,
  });
  const seconds = new Histogram({
    name: 'apprelease_rollback_duration_seconds',
    help: 'Time from the acceptance of a rollback until every pool is switched, for rollbacks that this process saw from the start.',
    buckets: ROLLBACK_BUCKETS,
    registers,
  });
  const known = new Map<string, Known>();
  const promotion = createPromotionSeconds(registry, now);
  const delivery = createDeliveryMetrics(registry, { now, serverTime });
  /** Release → time of the rollback's acceptance. */
  const began = new Map<string, number>();

  new Gauge({
    name: 'apprelease_info',
    help: 'Always 1; the version that every pool serves, the wanted version, the last stage that it entered, and the reason of the condition Ready.',
    labelNames: [...labelNames, 'version', 'wanted', 'stage', 'state'],
    registers,
    collect() {
      this.reset();
      for (const { labels, info } of known.values()) this.set({ ...labels, ...info }, 1);
    },
  });

  new Gauge({
    name: 'apprelease_exposure_percent',
    help: 'The largest part of a pool’s traffic that a new version gets, in percent, while a stage is exposed to it.',
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { labels, exposed } of known.values()) if (exposed !== undefined) this.set(labels, exposed);
    },
  });

  new Gauge({
    name: 'apprelease_pools_without_standby',
    help: 'Pools with fewer ready pods for a rollback than should stand by; no series if there are none.',
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { labels, bare } of known.values()) if (bare > 0) this.set(labels, bare);
    },
  });

  if (perPool) createReleasePoolMetrics(registry, () => known.values());

  /** The labels of a release. Its counters start at 0: Prometheus sees no increase in a series that starts at 1. */
  function labelsOf(key: string): Labels {
    const found = known.get(key);
    if (found) return found.labels;
    if (known.size >= limit) return OTHERS;
    const [namespace = '', release = ''] = key.split('/');
    const labels = { namespace, release };
    known.set(key, { labels, info: {}, pools: [], bare: 0 });
    promotion.begin(key, labels);
    delivery.begin(labels);
    for (const counter of counters.values()) counter.inc(labels, 0);
    for (const cause of CAUSES) rollbacks.inc({ ...labels, cause }, 0);
    return labels;
  }

  function forget(key: string): void {
    began.delete(key);
    const found = known.get(key);
    delivery.forget(key, found?.labels);
    if (!found) return;
    known.delete(key);
    promotion.forget(key);
    for (const counter of counters.values()) counter.remove(found.labels);
    for (const cause of CAUSES) rollbacks.remove({ ...found.labels, cause });
  }

  return {
    notice: (key, reason, data = {}) => {
      const labels = labelsOf(key);
      counters.get(reason)?.inc(labels);
      delivery.notice(key, labels, reason, data);
      if (reason === 'RollbackAccepted') {
        rollbacks.inc({ ...labels, cause: data.cause ?? 'manual' });
        began.set(key, now());
      }
      if (reason !== 'RollbackComplete') return;
      const since = began.get(key);
      if (since !== undefined) seconds.observe((now() - since) / 1000);
      began.delete(key);
    },
    release: (key, release) => {
      if (!release) {
        forget(key);
        return;
      }
      const labels = labelsOf(key);
      delivery.release(key, release);
      if (labels === OTHERS) return;
      const { version: wanted = '', stage = '', conditions, pools = [] } = release.status ?? {};
      const state = findCondition(conditions, 'Ready')?.reason ?? '';
      promotion.enter(key, phaseOf(state));
      const percents = pools.flatMap(({ traffic }) => traffic?.exposure?.percent ?? []);
      known.set(key, {
        labels,
        info: { version: commonVersion(pools), wanted, stage, state },
        pools: perPool ? pools.map(poolFigures) : [],
        bare: withoutStandby(pools),
        ...(percents.length > 0 && {
          exposed: Math.max(...percents.map((percent) => Number.parseFloat(percent) || 0)),
        }),
      });
    },
  };
}
