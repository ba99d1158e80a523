/** Delays that grow while something keeps failing. */

export interface Backoff {
  /** Milliseconds to wait now; the next one is longer. */
  next: () => number;
  reset: () => void;
}

/** Doubles from `baseMs` to `maxMs`; up to as much again is added at random, within `maxMs`, so that many don't retry at once. */
export function createBackoff(baseMs: number, maxMs: number, random: () => number = Math.random): Backoff {
  let failures = 0;
  return {
    next: () => Math.min(maxMs, baseMs * 2 ** Math.min(failures++, 30) * (1 + random())),
    reset: () => {
      failures = 0;
    },
  };
}

/** Waits, but not beyond an abort. */
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
