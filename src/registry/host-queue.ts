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
   * Adds a task, which must not reject. The owner with the fewest running tasks goes first, and among those the one that
   * has waited longest since its last task began: each owner has its turn, however many others come with many tasks. Tasks
   * of one owner run in order. Returns a function that removes the task while it waits.
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
  readonly run: () => Promise<void>;
}

interface Owner {
  readonly waiting: Set<Task>;
  running: number;
}

interface Next {
  readonly name: string;
  readonly owner: Owner;
  readonly task: Task;
}

// Users choose the host names, so the number of pauses is limited. A host that is asked too early just answers 429 again.
const MAX_PAUSES = 1000;

export function createHostQueue({ concurrency, perHost, perOwner = concurrency, now }: HostQueueConfig): HostQueue {
  /** Those with tasks. The owner whose last task began longest ago comes first. */
  const owners = new Map<string, Owner>();
  const running = new Set<Promise<void>>();
  const hosts = createCounts();
  const pauses = new Map<string, { readonly until: number; readonly timer: NodeJS.Timeout }>();
  let isStopped = false;

  function start(): void {
    while (running.size < concurrency) {
      const next = findNext();
      if (next === undefined) return;
      run(next);
    }
  }

  function findNext(): Next | undefined {
    let next: Next | undefined;
    for (const [name, owner] of owners) {
      if (owner.running >= Math.min(perOwner, next?.owner.running ?? Infinity)) continue;
      const task = findTask(owner);
      if (task !== undefined) next = { name, owner, task };
      if (next?.owner.running === 0) break;
    }
    return next;
  }

  function findTask({ waiting }: Owner): Task | undefined {
    for (const task of waiting) if (hosts.get(task.host) < perHost && !pauses.has(task.host)) return task;
    return undefined;
  }

  function run({ name, owner, task }: Next): void {
    owner.waiting.delete(task);
    owner.running += 1;
    hosts.add(task.host, 1);
    // To the end of the line.
    owners.delete(name);
    owners.set(name, owner);
    const promise = task.run().finally(() => {
      running.delete(promise);
      owner.running -= 1;
      hosts.add(task.host, -1);
      forgetIdle(name, owner);
      start();
    });
    running.add(promise);
  }

  function ownerOf(name: string): Owner {
    const owner = owners.get(name) ?? { waiting: new Set(), running: 0 };
    owners.set(name, owner);
    return owner;
  }

  function forgetIdle(name: string, owner: Owner): void {
    if (owner.running === 0 && owner.waiting.size === 0 && owners.get(name) === owner) owners.delete(name);
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
    add(host, run, name = '') {
      if (isStopped) return () => undefined;
      const task = { host, run };
      const owner = ownerOf(name);
      owner.waiting.add(task);
      start();
      return () => {
        owner.waiting.delete(task);
        forgetIdle(name, owner);
      };
    },
    pause,
    pausedUntil: (host) => pauses.get(host)?.until,
    stats: () => ({
      queued: [...owners.values()].reduce((sum, { waiting }) => sum + waiting.size, 0),
      running: running.size,
    }),
    async stop() {
      isStopped = true;
      for (const { waiting } of owners.values()) waiting.clear();
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
