/** Whether the process is alive, and whether it is ready to lead. */
import type { Page } from './server.ts';

export interface Health {
  /** Watches a pass: one that never ends holds a worker for good. */
  watch: <T>(key: string, pass: () => Promise<T>) => Promise<T>;
  /** Alive: this answers, so the event loop turns, and no pass is stuck. */
  healthz: () => Page;
  /** Ready: a standby is, too: it takes over with full caches. */
  readyz: () => Page;
  /** From now on not ready. */
  shutDown: () => void;
}

export interface HealthOptions {
  hasSynced: () => boolean;
  /** Longer than any pass can take: every request has a timeout and every pass an end. Default 10 minutes. */
  stuckAfterMs?: number;
  /** Monotonic, in milliseconds. */
  now?: () => number;
}

export function createHealth(options: HealthOptions): Health {
  const { hasSynced, stuckAfterMs = 600_000, now = () => performance.now() } = options;
  const began = new Map<symbol, { key: string; at: number }>();
  let isShuttingDown = false;

  async function watch<T>(key: string, pass: () => Promise<T>): Promise<T> {
    const id = Symbol(key);
    began.set(id, { key, at: now() });
    try {
      return await pass();
    } finally {
      began.delete(id);
    }
  }

  function healthz(): Page {
    const stuck = [...began.values()].filter(({ at }) => now() - at > stuckAfterMs).map(({ key }) => key);
    return stuck.length === 0 ? ok() : unavailable(`stuck at ${stuck.join(', ')}`);
  }

  function readyz(): Page {
    if (isShuttingDown) return unavailable('shutting down');
    return hasSynced() ? ok() : unavailable('the caches are not filled yet');
  }

  return { watch, healthz, readyz, shutDown: () => (isShuttingDown = true) };
}

function ok(): Page {
  return { status: 200, body: 'ok' };
}

function unavailable(body: string): Page {
  return { status: 503, body };
}
