/** Metrics for Prometheus (https://prometheus.io/docs/practices/naming/). */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { RequestRecord } from '../kube/types.ts';
import type { QueueMetrics } from '../kube/work-queue.ts';
import type { RegistryRequestEvent, ResolutionEvent } from '../registry/types.ts';
import { textOf } from './exposition.ts';
import type { PoolMetrics } from './pool-metrics.ts';
import { createPoolMetrics } from './pool-metrics.ts';
import type { ReleaseMetrics, ReleaseMetricsOptions } from './release-metrics.ts';
import { createReleaseMetrics } from './release-metrics.ts';

export interface Metrics extends ReleaseMetrics {
  /** The text exposition format. */
  text: () => Promise<string>;
  contentType: string;
  request: (record: RequestRecord) => void;
  /** Called after each pass. `stale`: the pass used an outdated cache and is retried at once. */
  reconciled: (result: 'success' | 'stale' | 'error', seconds: number) => void;
  queue: QueueMetrics;
  leading: (isLeader: boolean) => void;
  cacheError: () => void;
  resolution: (event: ResolutionEvent) => void;
  registryRequest: (event: RegistryRequestEvent) => void;
  /** Called after each pass over a VMPool. */
  pool: PoolMetrics;
}

/** Buckets for passes and requests: 1 ms to 30 s. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** The label of the queue, as in client-go. */
const QUEUE = 'apprelease';

export interface MetricsOptions extends ReleaseMetricsOptions {
  /** How far the operator's clock is ahead of the API server's (ms), asked at each scrape. */
  skewMs?: () => number;
}

export function createMetrics(version: string, { skewMs = () => 0, ...options }: MetricsOptions = {}): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];

  function counter<Label extends string>(name: string, help: string, labelNames: Label[] = []): Counter<Label> {
    return new Counter({ name, help, labelNames, registers });
  }
  function gauge<Label extends string>(name: string, help: string, labelNames: Label[] = []): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers });
  }
  function histogram<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[] = [],
    buckets = BUCKETS,
  ): Histogram<Label> {
    return new Histogram({ name, help, labelNames, buckets, registers });
  }

  gauge('apprelease_build_info', 'Always 1; the version of the operator.', ['version']).set({ version }, 1);
  const leader = gauge('apprelease_leader', '1 if this process leads, 0 if it stands by.');
  leader.set(0);
  const reconciles = counter('apprelease_reconcile_total', 'Passes over a release.', ['result']);
  const errors = counter('apprelease_reconcile_errors_total', 'Passes that failed and are retried.');
  const passes = histogram('apprelease_reconcile_duration_seconds', 'Duration of passes.');
  const requests = counter('apprelease_api_requests_total', 'Requests to the API server; code 0: no answer.', [
    'verb',
    'resource',
    'code',
  ]);
  const requestSeconds = histogram(
    'apprelease_api_request_duration_seconds',
    'Time until the answer is read; for a watch, until it starts.',
    ['verb', 'resource'],
  );
  const cacheErrors = counter('apprelease_cache_errors_total', 'Lists and watches that failed and are retried.');
  new Gauge({
    name: 'apprelease_clock_skew_seconds',
    help: "How far the operator's clock is ahead of the API server's; negative: behind.",
    registers,
    collect() {
      this.set(skewMs() / 1000);
    },
  });
  const resolutions = counter('apprelease_registry_resolutions_total', 'Resolutions of tags at registries.', [
    'outcome',
  ]);
  const registrySeconds = histogram(
    'apprelease_registry_request_duration_seconds',
    'Duration of requests to registries.',
    ['operation', 'outcome'],
  );

  return {
    ...createReleaseMetrics(registry, options),
    text: () => textOf(registry),
    contentType: registry.contentType,
    request: ({ verb, resource, code, seconds }) => {
      requests.inc({ verb, resource, code });
      requestSeconds.observe({ verb, resource }, seconds);
    },
    reconciled: (result, seconds) => {
      reconciles.inc({ result });
      if (result === 'error') errors.inc();
      passes.observe(seconds);
    },
    queue: createQueueMetrics(counter, gauge, histogram),
    leading: (isLeader) => {
      leader.set(isLeader ? 1 : 0);
    },
    cacheError: () => {
      cacheErrors.inc();
    },
    resolution: ({ outcome }) => {
      resolutions.inc({ outcome });
    },
    registryRequest: ({ operation, outcome, seconds }) => {
      registrySeconds.observe({ operation, outcome }, seconds);
    },
    pool: createPoolMetrics(registry),
  };
}

type MakeCounter = <Label extends string>(name: string, help: string, labels?: Label[]) => Counter<Label>;
type MakeGauge = <Label extends string>(name: string, help: string, labels?: Label[]) => Gauge<Label>;
type MakeHistogram = <Label extends string>(
  name: string,
  help: string,
  labels?: Label[],
  buckets?: number[],
) => Histogram<Label>;

/** The metric names of client-go, so that dashboards and alerts for client-go work. */
function createQueueMetrics(counter: MakeCounter, gauge: MakeGauge, histogram: MakeHistogram): QueueMetrics {
  const labels = { name: QUEUE };
  const depth = gauge('workqueue_depth', 'Releases waiting for a worker.', ['name']);
  const latency = histogram('workqueue_queue_duration_seconds', 'How long releases wait for a worker.', ['name']);
  const work = histogram('workqueue_work_duration_seconds', 'How long workers process a release.', ['name']);
  const retries = counter('workqueue_retries_total', 'Releases that were queued again after a failure.', ['name']);
  depth.set(labels, 0);
  retries.inc(labels, 0);
  return {
    depth: (keys) => {
      depth.set(labels, keys);
    },
    latency: (seconds) => {
      latency.observe(labels, seconds);
    },
    workDuration: (seconds) => {
      work.observe(labels, seconds);
    },
    retry: () => {
      retries.inc(labels);
    },
  };
}
