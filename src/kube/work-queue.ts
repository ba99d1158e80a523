/** A queue of keys for concurrent workers, with the semantics of client-go's rate-limited work queue. */

import { isKubeError } from './errors.ts';

export type Priority = 'high' | 'normal';

export interface AddOptions {
  /** `high` keys go before `normal` ones. The priority of a waiting key can rise, but not fall. */
  priority?: Priority;
}

/** The result of a successful handler. */
export interface HandlerResult {
  requeueAfterMs?: number;
}

/** The signal aborts when the key is added with priority `high` while it is handled: the handler should return soon. */
export type Handler = (key: string, interruption: AbortSignal) => Promise<HandlerResult | undefined>;

export interface Workers {
  workers: number;
  /** The maximum number of workers while keys of priority `high` wait. Default: `workers`. */
  urgentWorkers?: number;
}

/** Callbacks for metrics, named as in client-go. */
export interface QueueMetrics {
  /** The number of keys that wait for a worker. */
  depth?: (keys: number) => void;
  /** The time from the add to the start of a worker. */
  latency?: (seconds: number) => void;
  workDuration?: (seconds: number) => void;
  retry?: () => void;
}

export interface WorkQueueOptions {
  /** The delay after a key's first failure; doubles with each further failure. Default 5. */
  baseDelayMs?: number;
  /** Default 300 000. */
  maxDelayMs?: number;
  /** The minimum delay after an error. Other adds may still shorten it. Default 0. */
  leastDelayMs?: (error: unknown) => number;
  metrics?: QueueMetrics;
  /** Receives the error of a handler, whose key is retried. */
  onError?: (key: string, error: unknown) => void;
}

export interface WorkQueue {
  /** A key waits at most once and has at most one handler at a time. A key that is added during its handling is handled again. */
  add: (key: string, options?: AddOptions) => void;
  /** Among several delayed adds of one key, only the earliest counts. */
  addAfter: (key: string, ms: number, options?: AddOptions) => void;
  /** Adds the key after its growing delay. */
  addRateLimited: (key: string, options?: AddOptions) => void;
  /** Resets the delay of the key. */
  forget: (key: string) => void;
  /** How often the key was added rate-limited since the last `forget`. */
  retries: (key: string) => number;
  /** The number of keys that wait for a worker, without delayed ones. */
  depth: () => number;
  /**
   * Handles keys until the shutdown. If a handler throws, its key is added rate-limited, or at the time that a KubeError
   * names; until then only `high` adds it sooner. If a handler returns, its key is forgotten.
   */
  run: (handler: Handler, options: Workers) => Promise<void>;
  /** Accepts and starts no more keys, and drops waiting keys. Resolves when the running handlers have finished. */
  shutDown: () => Promise<void>;
}

/** The maximum of setTimeout. A key with a longer delay comes early, which is harmless. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

interface Waiting {
  priority: Priority;
  since: number;
}

interface Delayed {
  at: number;
  priority: Priority;
  timer: NodeJS.Timeout;
}

export function createWorkQueue(options: WorkQueueOptions = {}): WorkQueue {
  const { baseDelayMs = 5, maxDelayMs = 300_000, leastDelayMs = () => 0, metrics = {}, onError } = options;
  const lines = { high: new Map<string, Waiting>(), normal: new Map<string, Waiting>() };
  const processing = new Map<string, AbortController>();
  /** Keys that were added while they are handled. */
  const dirty = new Map<string, Waiting>();
  const delayed = new Map<string, Delayed>();
  const failures = new Map<string, number>();
  /** The time until which the server asked to wait with a key (`performance.now()`). */
  const held = new Map<string, number>();
  const drained = Promise.withResolvers<undefined>();
  let shuttingDown = false;
  let active: (Required<Workers> & { handler: Handler }) | undefined;

  function add(key: string, { priority = 'normal' }: AddOptions = {}): void {
    if (shuttingDown) return;
    if (priority === 'normal' && isHeld(key)) return;
    const waiting = lines.high.get(key) ?? lines.normal.get(key) ?? dirty.get(key);
    if (waiting && (waiting.priority === 'high' || priority === 'normal')) return;
    const since = waiting?.since ?? performance.now();
    const handling = processing.get(key);
    if (handling) {
      dirty.set(key, { priority, since });
      if (priority === 'high') handling.abort();
      return;
    }
    lines.normal.delete(key);
    lines[priority].set(key, { priority, since });
    metrics.depth?.(depth());
    pump();
  }

  /** Whether a failed key is delayed already, so that it need not be added. */
  function isHeld(key: string): boolean {
    if ((held.get(key) ?? 0) > performance.now()) return true;
    held.delete(key);
    return false;
  }

  /** Also cancels an earlier delayed add, unless its priority is `high`. */
  function hold(key: string, ms: number): void {
    held.set(key, performance.now() + ms);
    const sooner = delayed.get(key);
    if (sooner?.priority !== 'normal') return;
    clearTimeout(sooner.timer);
    delayed.delete(key);
  }

  function addAfter(key: string, ms: number, given?: AddOptions): void {
    if (given?.priority !== 'high' && isHeld(key)) return;
    schedule(key, ms, given);
  }

  function schedule(key: string, ms: number, { priority = 'normal' }: AddOptions = {}): void {
    if (shuttingDown) return;
    if (ms <= 0) {
      add(key, { priority });
      return;
    }
    const before = delayed.get(key);
    const at = Math.min(performance.now() + ms, before?.at ?? Infinity);
    const raised = before?.priority === 'high' ? 'high' : priority;
    clearTimeout(before?.timer);
    function due(): void {
      delayed.delete(key);
      held.delete(key);
      add(key, { priority: raised });
    }
    // The first key may be overdue if its timer has not run yet.
    const timer = setTimeout(due, Math.max(0, Math.min(at - performance.now(), MAX_TIMEOUT_MS)));
    delayed.set(key, { at, priority: raised, timer });
  }

  function addRateLimited(key: string, given?: AddOptions): void {
    addFailed(key, 0, 0, given);
  }

  /** `heldMs`: how long the server asked to wait. */
  function addFailed(key: string, leastMs: number, heldMs: number, given?: AddOptions): void {
    if (shuttingDown) return;
    const failed = failures.get(key) ?? 0;
    failures.set(key, failed + 1);
    metrics.retry?.();
    if (heldMs > 0) hold(key, heldMs);
    const delay = Math.min(maxDelayMs, baseDelayMs * 2 ** Math.min(failed, 50));
    schedule(key, Math.max(delay, leastMs, heldMs), given);
  }

  function depth(): number {
    return lines.high.size + lines.normal.size;
  }

  function next({ workers, urgentWorkers }: Required<Workers>): [string, Waiting] | undefined {
    const running = processing.size;
    const open = running < workers ? [lines.high, lines.normal] : running < urgentWorkers ? [lines.high] : [];
    for (const line of open) {
      for (const entry of line) {
        line.delete(entry[0]);
        return entry;
      }
    }
    return undefined;
  }

  function pump(): void {
    while (active && !shuttingDown) {
      const taken = next(active);
      if (!taken) return;
      const [key, { priority, since }] = taken;
      const handling = new AbortController();
      processing.set(key, handling);
      metrics.depth?.(depth());
      metrics.latency?.((performance.now() - since) / 1000);
      void work(active.handler, key, priority, handling.signal);
    }
  }

  async function work(handler: Handler, key: string, priority: Priority, interruption: AbortSignal): Promise<void> {
    const began = performance.now();
    try {
      const result = await handler(key, interruption);
      failures.delete(key);
      held.delete(key);
      if (result?.requeueAfterMs !== undefined) addAfter(key, result.requeueAfterMs);
    } catch (error) {
      addFailed(key, leastDelayMs(error), retryAfterMs(error), { priority });
      report(key, error);
    }
    metrics.workDuration?.((performance.now() - began) / 1000);
    done(key);
  }

  function report(key: string, error: unknown): void {
    try {
      onError?.(key, error);
    } catch {
      // A failing reporter must not end a worker.
    }
  }

  function done(key: string): void {
    processing.delete(key);
    const again = dirty.get(key);
    dirty.delete(key);
    if (shuttingDown) {
      if (processing.size === 0) drained.resolve(undefined);
      return;
    }
    if (again && (again.priority === 'high' || !isHeld(key))) {
      lines[again.priority].set(key, again);
      metrics.depth?.(depth());
    }
    pump();
  }

  function run(handler: Handler, { workers, urgentWorkers = workers }: Workers): Promise<void> {
    if (active) throw new Error('the queue is already running');
    active = { handler, workers, urgentWorkers };
    pump();
    return drained.promise;
  }

  function shutDown(): Promise<void> {
    shuttingDown = true;
    for (const { timer } of delayed.values()) clearTimeout(timer);
    for (const waiting of [delayed, dirty, held, lines.high, lines.normal]) waiting.clear();
    metrics.depth?.(0);
    if (processing.size === 0) drained.resolve(undefined);
    return drained.promise;
  }

  return {
    add,
    addAfter,
    addRateLimited,
    forget: (key) => failures.delete(key),
    retries: (key) => failures.get(key) ?? 0,
    depth,
    run,
    shutDown,
  };
}

function retryAfterMs(error: unknown): number {
  return isKubeError(error) ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
}
