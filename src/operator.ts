#!/usr/bin/env node
/** The operator's process: wires the parts, leads when elected, and shuts down in order. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import manifest from '../package.json' with { type: 'json' };
import { API_VERSION } from './api/meta.ts';
import { isStale } from './controller/release/conflicts.ts';
import type { Controller } from './controller/controller.ts';
import { createController } from './controller/controller.ts';
import { createClient } from './kube/client.ts';
import { isConnectionClosed, isNamespaceTerminating, KubeError } from './kube/errors.ts';
import type { EventRecorder } from './kube/events.ts';
import { createEventRecorder } from './kube/events.ts';
import type { LeaderElection } from './kube/leader-election.ts';
import { createLeaderElection } from './kube/leader-election.ts';
import { createServerClock } from './kube/server-clock.ts';
import type { KubeClient } from './kube/types.ts';
import { createAudit } from './process/audit.ts';
import type { Config } from './process/config.ts';
import { helpText, parseConfig } from './process/config.ts';
import type { Health } from './process/health.ts';
import { createHealth } from './process/health.ts';
import type { Log } from './process/log.ts';
import { createLog } from './process/log.ts';
import type { Metrics } from './process/metrics.ts';
import { createMetrics } from './process/metrics.ts';
import { createRegistries } from './process/registry.ts';
import type { Pages } from './process/server.ts';
import { servePages } from './process/server.ts';
import { explain } from './release/explain.ts';

const USAGE_ERROR = 2;
/** Kubernetes kills the process after 30 s; a running request takes at most 10 s. */
const SHUTDOWN_MS = 20_000;

async function main(): Promise<void> {
  const parsed = parseConfig(process.argv.slice(2), process.env);
  switch (parsed.kind) {
    case 'help':
      console.log(helpText());
      break;
    case 'version':
      console.log(manifest.version);
      break;
    case 'invalid':
      for (const problem of parsed.problems) console.error(problem);
      process.exitCode = USAGE_ERROR;
      break;
    case 'config':
      await start(parsed.config);
  }
}

async function start(config: Config): Promise<void> {
  const log = createLog({ level: config.logLevel });
  process.on('uncaughtException', (error) => {
    // The stream of an aborted request can outlive the request until its connection is closed. Nobody waits for it.
    if (isConnectionClosed(error)) return;
    log.log('fatal', { error }, 'uncaught error: this is a bug');
    process.exit(1);
  });
  // Write Node's warnings to the log, not as text to standard error.
  process.removeAllListeners('warning').on('warning', (error) => {
    log.log('warn', { error }, 'warning from Node');
  });
  try {
    await operate(config, log);
  } catch (error) {
    log.log('fatal', { error }, 'cannot start');
    process.exit(1);
  }
}

async function operate(config: Config, log: Log): Promise<void> {
  const kubeConfig = loadKubeConfig(config);
  const clock = createServerClock();
  const metrics = createMetrics(manifest.version, {
    skewMs: clock.skewMs,
    serverTime: clock.now,
    perPool: config.metricsPerPool,
  });
  const common = { userAgent: `apprelease/${manifest.version}`, onRequest: metrics.request, clock };
  // Separate connections, so that no other request delays a renewal.
  const electionClient = createClient(kubeConfig, common);
  const client = createClient(kubeConfig, { ...common, mayWrite: () => election?.isLeader() ?? true });
  const registries = createRegistries(config, {
    client,
    server: kubeConfig.getCurrentCluster()?.server,
    metrics,
    log: log.log,
  });
  const instance = process.env.POD_NAME ?? hostname();
  const recorder = createEventRecorder({
    client,
    controller: 'apprelease.dev/operator',
    instance: instance.slice(0, 128),
    onError: (error) => {
      log.log(isNamespaceTerminating(error) ? 'debug' : 'warn', { error }, 'cannot send an event');
    },
  });
  const health = createHealth({ hasSynced: () => controller.hasSynced() });
  const controller = createController({
    ...reporting(log, metrics, recorder, health),
    client,
    clock,
    createResolver: registries.createResolver,
    workers: config.workers,
    namespaces: config.namespace,
    routes: config.routes,
    systemNamespaces: config.systemNamespace,
    assertLeading: () => {
      if (election && !election.isLeader()) throw notLeading();
    },
  });
  const finishWork = once(async () => {
    await controller.stop();
    await recorder.stop();
  });
  const election = config.leaderElect
    ? elect(config, electionClient, instance, { controller, metrics, log, finishWork })
    : undefined;

  const servers = await serve(config, health, metrics);
  onSignal(log, async () => {
    health.shutDown();
    await election?.stop();
    await finishWork();
    await Promise.all([registries.close(), client.close(), electionClient.close()]);
    await Promise.all(servers.map((server) => server.close()));
  });
  log.log('info', { version: manifest.version, config, ports: servers.map(({ port }) => port) }, 'started');
  controller.start();
  if (election) election.start();
  else lead(controller, metrics);
}

type Reporting = Pick<
  Parameters<typeof createController>[0],
  | 'record'
  | 'log'
  | 'onPlan'
  | 'within'
  | 'queueMetrics'
  | 'onPoolFigures'
  | 'onRelease'
  | 'onReconcile'
  | 'onCacheError'
>;

/** Reports of the controller: to the log, to the metrics, and as events. */
function reporting({ debugs, log, within }: Log, metrics: Metrics, recorder: EventRecorder, health: Health): Reporting {
  const audit = createAudit(log);
  return {
    log,
    ...(debugs && {
      onPlan: (last, actions) => {
        log('debug', { ...explain({ ...last, actions: [...actions] }) }, 'a pass ended');
      },
    }),
    within: (key, pass) => within(key, () => health.watch(key, pass)),
    queueMetrics: metrics.queue,
    onPoolFigures: metrics.pool,
    onRelease: (key, release) => {
      metrics.release(key, release);
      audit.release(key, release);
    },
    record: (release, { type, reason, note, metricOnly, data }) => {
      const { namespace, name, uid } = release.metadata;
      const regarding = { apiVersion: API_VERSION, kind: 'AppRelease', namespace, name, uid };
      metrics.notice(`${namespace}/${name}`, reason, data);
      audit.notice({ reason, note, ...(data && { data }) });
      if (!metricOnly) recorder.record({ regarding, type, reason, note, action: 'Reconcile' });
    },
    onReconcile: ({ key, seconds, error }) => {
      if (error === undefined) {
        metrics.reconciled('success', seconds);
        return;
      }
      const result = isStale(error) ? 'stale' : 'error';
      metrics.reconciled(result, seconds);
      const level = result === 'stale' ? 'debug' : 'error';
      log(level, { release: key, error }, 'a pass ended early and will be retried');
    },
    onCacheError: (error) => {
      metrics.cacheError();
      log('warn', { error }, 'a list or watch failed and will be retried');
    },
  };
}

interface Work {
  controller: Controller;
  metrics: Metrics;
  log: Log;
  /** Ends running work and sends pending events. */
  finishWork: () => Promise<void>;
}

function elect(config: Config, client: KubeClient, instance: string, work: Work): LeaderElection {
  const { log } = work.log;
  const identity = `${instance}_${randomUUID()}`;
  return createLeaderElection({
    client,
    lease: { namespace: config.leaseNamespace, name: config.leaseName },
    identity,
    // A restart of a pod's container proves that the previous process has ended. Outside a pod this is unknown.
    hasEnded: (holder) => process.env.POD_NAME !== undefined && holder.startsWith(`${instance}_`),
    leaseDurationMs: config.leaseDuration,
    renewDeadlineMs: config.renewDeadline,
    retryPeriodMs: config.retryPeriod,
    onStartedLeading: (signal) => {
      log('info', { identity }, 'leads');
      lead(work.controller, work.metrics, signal);
    },
    onStoppedLeading: async (why) => {
      work.metrics.leading(false);
      if (why === 'stopped') {
        await work.finishWork();
        return;
      }
      // The caches may be stale: the next process starts from the state of the API server.
      log('fatal', { identity }, 'lost the leadership: another process may lead already');
      process.exit(1);
    },
    onError: (error) => {
      log('warn', { error }, 'cannot acquire or renew the lease');
    },
  });
}

/** Starts to reconcile when the caches are filled. */
function lead(controller: Controller, metrics: Metrics, signal?: AbortSignal): void {
  metrics.leading(true);
  controller.synced.then(
    () => {
      if (!signal?.aborted) controller.lead();
    },
    // The controller was stopped before the caches were filled.
    () => undefined,
  );
}

function notLeading(): KubeError {
  return new KubeError({ code: 0, reason: 'NotLeader', message: 'not the leader', verb: 'write', path: '' });
}

async function serve({ healthAddress, metricsAddress }: Config, health: Health, metrics: Metrics) {
  const healthPages: Pages = { '/healthz': health.healthz, '/readyz': health.readyz };
  const metricsPages: Pages = {
    '/metrics': async () => ({ status: 200, body: await metrics.text(), contentType: metrics.contentType }),
  };
  const isShared = healthAddress && healthAddress.port !== 0 && isDeepStrictEqual(healthAddress, metricsAddress);
  if (isShared) return [await servePages(healthAddress, { ...healthPages, ...metricsPages })];
  return [
    ...(healthAddress ? [await servePages(healthAddress, healthPages)] : []),
    ...(metricsAddress ? [await servePages(metricsAddress, metricsPages)] : []),
  ];
}

function loadKubeConfig({ kubeconfig, context }: Config): KubeConfig {
  const loaded = new KubeConfig();
  if (kubeconfig === undefined) loaded.loadFromDefault();
  else loaded.loadFromFile(kubeconfig);
  if (context !== undefined) loaded.setCurrentContext(context);
  return loaded;
}

/** Shuts down in order at the first signal, at once at the second. */
function onSignal({ log }: Log, shutDown: () => Promise<void>): void {
  let isStopping = false;
  async function stop(signal: NodeJS.Signals): Promise<void> {
    if (isStopping) process.exit(1);
    isStopping = true;
    log('info', { signal }, 'stopping: finishing running work');
    setTimeout(() => {
      log('error', {}, 'running work does not end: exiting');
      process.exit(1);
    }, SHUTDOWN_MS).unref();
    await shutDown();
    log('info', {}, 'stopped');
    process.exit(0);
  }
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => (running ??= work());
}

await main();
