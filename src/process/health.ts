/** Liveness and readiness of the process. */
import type { Page } from './server.ts';

export interface Health {
  /** Watches a pass, because a pass that never ends blocks a worker forever. */
  watch: <T>(key: string, pass: () => Promise<T>) => Promise<T>;
  /** Alive: the event loop answers, and no pass is stuck. */
  healthz: () => Page;
  /** Ready: the caches are filled. A standby is ready too, because it can take over. */
  readyz: () => Page;
  /** Makes the process not ready. */
  shutDown: () => void;
}

export interface HealthOptions {
  hasSynced: () => boolean;
  /** Longer than any pass can take, because every request has a timeout. Default 10 minutes. */
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
