export interface HostQueueConfig {
  /** Maximum of concurrent tasks. */
  readonly concurrency: number;
  /** Maximum of concurrent tasks for one host. */
  readonly perHost: number;
  /** Maximum of concurrent tasks for one owner; default: no further limit. */
  readonly perOwner?: number;
  readonly now: () => number;
}

/**
 * Runs tasks within limits, so that a slow or rate-limiting registry does not delay other registries, and an owner with
 * many tasks does not delay other owners.
 */
export interface HostQueue {
  /**
   * Adds a task, which must not reject. The owner with the fewest running tasks goes first; tasks of one owner run in
   * order. Returns a function that removes the task while it waits.
   */
  readonly add: (host: string, task: () => Promise<void>, owner?: string) => () => void;
  /** Starts no task for the host before `until` (ms since the epoch). */
  readonly pause: (host: string, until: number) => void;
  /** The end of the host's pause; undefined without a pause. */
  readonly pausedUntil: (host: string) => number | undefined;
  readonly stats: () => { readonly queued: number; readonly running: number };
  /** Drops waiting tasks; resolves when no task runs any more. */
  readonly stop: () => Promise<void>;
}

interface Task {
  readonly host: string;
  readonly owner: string;
  readonly run: () => Promise<void>;
}

// Users choose the host names, so the number of pauses is limited. A host that is asked too early just answers 429 again.
const MAX_PAUSES = 1000;

export function createHostQueue({ concurrency, perHost, perOwner = concurrency, now }: HostQueueConfig): HostQueue {
  const waiting = new Set<Task>();
  const running = new Set<Promise<void>>();
  const hosts = createCounts();
  const owners = createCounts();
  const pauses = new Map<string, { readonly until: number; readonly timer: NodeJS.Timeout }>();
  let isStopped = false;

  function start(): void {
    while (running.size < concurrency) {
      const task = findNext();
      if (task === undefined) return;
      waiting.delete(task);
      run(task);
    }
  }

  function findNext(): Task | undefined {
    let next: Task | undefined;
    for (const task of waiting) {
      const isFairer = next === undefined || owners.get(task.owner) < owners.get(next.owner);
      if (isFairer && mayRun(task)) next = task;
      if (next !== undefined && owners.get(next.owner) === 0) return next;
    }
    return next;
  }

  function mayRun({ host, owner }: Task): boolean {
    return hosts.get(host) < perHost && owners.get(owner) < perOwner && !pauses.has(host);
  }

  function run(task: Task): void {
    hosts.add(task.host, 1);
    owners.add(task.owner, 1);
    const promise = task.run().finally(() => {
      running.delete(promise);
      hosts.add(task.host, -1);
      owners.add(task.owner, -1);
      start();
    });
    running.add(promise);
  }

  function pause(host: string, until: number): void {
    const current = pauses.get(host);
    if (isStopped || until <= now() || (current !== undefined && current.until >= until)) return;
    if (current !== undefined) endPause(host);
    const [oldest] = pauses.keys();
    if (oldest !== undefined && pauses.size >= MAX_PAUSES) endPause(oldest);
    const timer = setTimeout(() => {
      endPause(host);
      start();
    }, until - now());
    timer.unref();
    pauses.set(host, { until, timer });
  }

  function endPause(host: string): void {
    clearTimeout(pauses.get(host)?.timer);
    pauses.delete(host);
  }

  return {
    add(host, run, owner = '') {
      const task = { host, owner, run };
      if (!isStopped) waiting.add(task);
      start();
      return () => void waiting.delete(task);
    },
    pause,
    pausedUntil: (host) => pauses.get(host)?.until,
    stats: () => ({ queued: waiting.size, running: running.size }),
    async stop() {
      isStopped = true;
      waiting.clear();
      for (const host of pauses.keys()) endPause(host);
      await Promise.all(running);
    },
  };
}

interface Counts {
  readonly get: (name: string) => number;
  readonly add: (name: string, change: 1 | -1) => void;
}

function createCounts(): Counts {
  const counts = new Map<string, number>();
  const get = (name: string) => counts.get(name) ?? 0;
  return {
    get,
    add(name, change) {
      const count = get(name) + change;
      if (count === 0) counts.delete(name);
      else counts.set(name, count);
    },
  };
}
