/** Gives memory back once the work is done: the engine itself keeps the room that a burst of work has taken. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export interface MemoryTrimmer {
  /** Something was done: the memory is trimmed, twice, when nothing more is for a while. */
  worked: () => void;
}

export interface MemoryTrimmerOptions {
  /** Quiet for so long. Default: five seconds. */
  quietMs?: number;
  /** Not more often. Default: half a minute. */
  leastMs?: number;
  /** Default: a full garbage collection, some tens of milliseconds. */
  trim?: () => void;
}

/** What a collection frees is first kept for use again, and given back at the next one. */
const AGAIN_MS = 10_000;

export function createMemoryTrimmer(options: MemoryTrimmerOptions = {}): MemoryTrimmer {
  const { quietMs = 5_000, leastMs = 30_000, trim = collector() } = options;
  let trimmedAt = -Infinity;
  let timer: NodeJS.Timeout | undefined;

  function quiet(): void {
    trimmedAt = performance.now();
    trim();
    timer = setTimeout(trim, AGAIN_MS).unref();
  }

  function worked(): void {
    clearTimeout(timer);
    const ms = Math.max(quietMs, trimmedAt + leastMs - performance.now());
    timer = setTimeout(quiet, ms).unref();
  }

  return { worked };
}

/** Node shows it to no one who does not ask at the start; contexts made later have it. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
