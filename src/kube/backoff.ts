/** Delays that grow with repeated failures. */

export interface Backoff {
  /** Milliseconds to wait now. The next delay is longer. */
  next: () => number;
  reset: () => void;
}

/** Doubles from `baseMs` to `maxMs`, plus up to 100% jitter, at most `maxMs`, so that clients do not retry together. */
export function createBackoff(baseMs: number, maxMs: number, random: () => number = Math.random): Backoff {
  let failures = 0;
  return {
    next: () => Math.min(maxMs, baseMs * 2 ** Math.min(failures++, 30) * (1 + random())),
    reset: () => {
      failures = 0;
    },
  };
}

/** Waits until the time is over or the signal aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    function end(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    }
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
