/** The controller: caches, queue and workers around the reconciler. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { AppRelease, PodTemplate } from '../api/app-release.ts';
import type { ServerClock } from '../kube/server-clock.ts';
import type { KubeClient } from '../kube/types.ts';
import type { QueueMetrics } from '../kube/work-queue.ts';
import { createWorkQueue } from '../kube/work-queue.ts';
import type { DigestLookup } from '../release/state/observed.ts';
import { digestsByPlatform } from '../registry/manifest.ts';
import type { DigestRequest, DigestResolver } from '../registry/types.ts';
import { createCaches } from './kinds/caches.ts';
import { releaseOfLabel } from './kinds/indexes.ts';
import { isStale } from './release/conflicts.ts';
import type { PoolControllerOptions } from './vmpool/reconcile.ts';
import { createPoolController } from './vmpool/reconcile.ts';
import { createReconciler } from './release/reconcile.ts';
import type { ReconcileContext, ReconcileResult } from './release/context.ts';
import { createVmWaiters } from './vmpool/enqueue-on-vm-change.ts';

export interface ControllerOptions extends Pick<ReconcileContext, 'record' | 'assertLeading' | 'log' | 'onPlan'> {
  client: KubeClient;
  clock: Pick<ServerClock, 'now' | 'skewMs'>;
  /** `onChange` enqueues a release when an answer of the resolver changes. */
  createResolver: (onChange: (key: string) => void) => DigestResolver;
  workers: number;
  /** Left out or empty: all namespaces. */
  namespaces?: readonly string[];
  /** False: no optional kind is read, which are the routes. */
  routes?: boolean;
  /** Namespaces whose pods may run on every VM: the tenants of VMPools do not concern them. */
  systemNamespaces: readonly string[];
  /** Called with the error of a list or watch, which is retried. */
  onCacheError: (error: unknown) => void;
  /** Called after each pass; without a release if there is none of that key. */
  onRelease?: (key: string, release: AppRelease | undefined) => void;
  /** Called after each pass. */
  onReconcile?: (outcome: { key: string; seconds: number; error?: unknown }) => void;
  queueMetrics?: QueueMetrics;
  /** Called after each pass over a VMPool. */
  onPoolFigures?: PoolControllerOptions['onFigures'];
  /** Runs a pass, for example in a context that gives its log lines an id. */
  within?: (key: string, pass: () => Promise<ReconcileResult>) => Promise<ReconcileResult>;
}

export interface Controller {
  /** Fills the caches; until then nothing is reconciled. */
  start: () => void;
  /** Settles when the caches are filled. */
  synced: Promise<unknown>;
  hasSynced: () => boolean;
  /** Starts to reconcile, as the leader. */
  lead: () => void;
  /** Ends after the running passes and the writes that interrupted passes have left behind; no new pass starts. */
  stop: () => Promise<void>;
}

/** Least delay after a stale pass, so that the watches catch up (ms). Repeated failures back off. */
export const STALE_RETRY_MS = 20;
const MAX_DELAY_MS = 60_000;
/** How long after the change of leaders the caches may lack the last writes of the one before: longer than a lease (ms). */
const NEW_LEADER_MS = 60_000;
/** Rollbacks mostly wait for the API server. This many times `workers` run while rollbacks wait. */
const URGENT_FACTOR = 4;
/** Changes of pods, and of objects that controllers of Kubernetes write, come in swarms: one pass handles all within this time. */
const SETTLING_MS = 50;

/** A pass, as the code that runs in it or was left behind by it sees it. */
export interface Pass {
  key: string;
  hasEnded?: true;
}

/** Whether the pass runs: it observes again after each of its writes, but not after those that it has left behind. */
export function isRunning(pass: Pass | undefined, key: string): boolean {
  return pass?.key === key && !pass.hasEnded;
}

export function createController(options: ControllerOptions): Controller {
  const { client, clock, namespaces } = options;
  const queue = createWorkQueue({
    maxDelayMs: MAX_DELAY_MS,
    leastDelayMs: (error) => (isStale(error) ? STALE_RETRY_MS : 0),
    ...(options.queueMetrics && { metrics: options.queueMetrics }),
  });
  const resolver = options.createResolver((key) => {
    queue.add(key);
  });
  let ledAt = 0;
  const passing = new AsyncLocalStorage<Pass>();
  /** Writes that interrupted passes have left behind. */
  const left = new Set<Promise<unknown>>();
  const running = createCaches({
    client,
    enqueue: (key) => {
      queue.add(key);
    },
    // Rollbacks go before all other changes.
    enqueueFirst: (key) => {
      queue.add(key, { priority: 'high' });
    },
    enqueueSoon: (key) => {
      queue.addAfter(key, SETTLING_MS);
    },
    isInPass: (key) => isRunning(passing.getStore(), key),
    onPoolChange: (change) => {
      pools.onChange(change);
      waiters.onChange(change);
    },
    onError: options.onCacheError,
    ...(namespaces !== undefined && { namespaces }),
    ...(options.routes === false && { withoutOptional: true as const }),
  });
  const waiters = createVmWaiters(
    (key) => {
      queue.add(key);
    },
    () => running.caches.releases.list(),
    (vm) => new Set(running.caches.pods.list().flatMap((pod) => (pod.nodeName === vm ? releaseOfLabel(pod) : []))),
  );
  const reconcile = createReconciler({
    client,
    caches: running.caches,
    seesAllPods: namespaces === undefined || namespaces.length === 0,
    lookupDigest: (release, image, template) => lookUp(resolver, requestFor(release, image, template)),
    movedDigest: (release, image, template, pinned) => {
      const check = resolver.recheck(requestFor(release, image, template), pinned);
      return check.state === 'moved' ? check.digest : undefined;
    },
    retainImages: (release, images, template) => {
      const requests = images.map((image) => requestFor(release, image, template));
      resolver.retain(`${release.metadata.namespace}/${release.metadata.name}`, requests);
    },
    now: clock.now,
    clockSkewMs: clock.skewMs,
    record: options.record,
    assertLeading: options.assertLeading,
    leadsAnew: () => performance.now() < ledAt + NEW_LEADER_MS,
    log: options.log,
    ...(options.onPlan && { onPlan: options.onPlan }),
  });

  const pools = createPoolController({
    client,
    caches: running.caches,
    systemNamespaces: options.systemNamespaces,
    seesAllPods: namespaces === undefined || namespaces.length === 0,
    now: clock.now,
    ...(options.onPoolFigures && { onFigures: options.onPoolFigures }),
    assertLeading: options.assertLeading,
    log: options.log,
  });

  function keepLeft(writes: Promise<unknown>): void {
    left.add(writes);
    void writes.finally(() => left.delete(writes));
  }

  async function handle(key: string, interruption: AbortSignal): Promise<ReconcileResult> {
    const started = performance.now();
    const pass: Pass = { key };
    const [releaseNamespace = '', name = ''] = key.split('/');
    if (!running.caches.releases.get(releaseNamespace, name)) resolver.forget(key);
    try {
      const result = await passing.run(pass, () =>
        options.within ? options.within(key, () => reconcile(key, interruption)) : reconcile(key, interruption),
      );
      if (result.left) keepLeft(result.left);
      waiters.note(key, result.waitsForVms ?? false);
      if (result.freesRoom) waiters.onRoom();
      options.onReconcile?.({ key, seconds: (performance.now() - started) / 1000 });
      return result;
    } catch (error) {
      options.onReconcile?.({ key, seconds: (performance.now() - started) / 1000, error });
      throw error;
    } finally {
      pass.hasEnded = true;
      const release = running.caches.releases.get(releaseNamespace, name);
      pools.onRelease(release);
      options.onRelease?.(key, release);
    }
  }

  return {
    start: running.start,
    synced: running.synced,
    hasSynced: running.hasSynced,
    lead: () => {
      ledAt = performance.now();
      void queue.run(handle, { workers: options.workers, urgentWorkers: options.workers * URGENT_FACTOR });
      pools.lead();
    },
    stop: async () => {
      await Promise.all([queue.shutDown(), pools.stop()]);
      await Promise.all(left);
      await resolver.stop();
      await running.stop();
    },
  };
}

function requestFor({ metadata }: AppRelease, image: string, template: PodTemplate): DigestRequest {
  const { namespace, name } = metadata;
  return { key: `${namespace}/${name}`, image, namespace, podSpec: template.spec };
}

function lookUp(resolver: DigestResolver, request: DigestRequest): DigestLookup {
  const answer = resolver.lookup(request);
  switch (answer.state) {
    case 'resolved': {
      return {
        state: 'resolved',
        image: answer.pinned,
        digest: answer.digest,
        ...(answer.platforms.length > 0 && { platforms: digestsByPlatform(answer.platforms) }),
      };
    }
    case 'pending':
      return { state: 'pending', ...(answer.isQueued && { isQueued: true }) };
    case 'failed':
      return { state: 'failed', reason: answer.reason, message: answer.message, retryable: answer.retryable };
  }
}
