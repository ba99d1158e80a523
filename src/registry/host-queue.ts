export interface HostQueueConfig {
  /** Tasks that run at the same time, in all. */
  readonly concurrency: number;
  /** Tasks that run at the same time for one host. */
  readonly perHost: number;
  readonly now: () => number;
}

/** Runs tasks in their order within limits, so that one slow or impatient registry delays no other. */
export interface HostQueue {
  /** Adds a task, which must not reject. Returns a function that takes it out again while it waits. */
  readonly add: (host: string, task: () => Promise<void>) => () => void;
  /** Starts nothing for the host before `until` (ms since the epoch). */
  readonly pause: (host: string, until: number) => void;
  /** Until when the host is paused; undefined when it is not. */
  readonly pausedUntil: (host: string) => number | undefined;
  readonly stats: () => { readonly queued: number; readonly running: number };
  /** Drops what waits; resolves when nothing runs any more. */
  readonly stop: () => Promise<void>;
}

interface Waiting {
  readonly host: string;
  readonly task: () => Promise<void>;
}

export function createHostQueue({ concurrency, perHost, now }: HostQueueConfig): HostQueue {
  const waiting = new Set<Waiting>();
  const running = new Map<Promise<void>, string>();
  const pauses = new Map<string, { readonly until: number; readonly timer: NodeJS.Timeout }>();
  let isStopped = false;

  function start(): void {
    const busy = new Map<string, number>();
    for (const host of running.values()) busy.set(host, (busy.get(host) ?? 0) + 1);
    for (const item of waiting) {
      if (running.size >= concurrency) return;
      const used = busy.get(item.host) ?? 0;
      if (used < perHost && !pauses.has(item.host)) {
        busy.set(item.host, used + 1);
        waiting.delete(item);
        run(item);
      }
    }
  }

  function run({ host, task }: Waiting): void {
    const promise = task().finally(() => {
      running.delete(promise);
      start();
    });
    running.set(promise, host);
  }

  function pause(host: string, until: number): void {
    const current = pauses.get(host);
    if (isStopped || until <= now() || (current !== undefined && current.until >= until)) return;
    clearTimeout(current?.timer);
    const timer = setTimeout(() => {
      pauses.delete(host);
      start();
    }, until - now());
    timer.unref();
    pauses.set(host, { until, timer });
  }

  return {
    add(host, task) {
      const item = { host, task };
      if (!isStopped) waiting.add(item);
      start();
      return () => void waiting.delete(item);
    },
    pause,
    pausedUntil: (host) => pauses.get(host)?.until,
    stats: () => ({ queued: waiting.size, running: running.size }),
    async stop() {
      isStopped = true;
      waiting.clear();
      for (const { timer } of pauses.values()) clearTimeout(timer);
      pauses.clear();
      await Promise.all(running.keys());
    },
  };
}
