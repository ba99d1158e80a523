/** JSON logs: one line each, with the pass over a release that it belongs to, and never a credential. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { DestinationStream, Logger } from 'pino';
import { pino } from 'pino';
import { isKubeError } from '../kube/errors.ts';
import type { LogLevel } from './config.ts';

export interface Log {
  /** Whether lines of level debug are written: what only they need is not made otherwise. */
  debugs: boolean;
  /** Lines of a pass carry its `release` and `reconcileID`. */
  log: (level: LogLevel, fields: Record<string, unknown>, message: string) => void;
  /** Runs a pass over the release `key` in a context of its own. */
  within: <T>(key: string, pass: () => Promise<T>) => Promise<T>;
}

export interface LogOptions {
  level: LogLevel;
  /** Default: standard output. */
  destination?: DestinationStream;
}

export function createLog({ level, destination }: LogOptions): Log {
  const root = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: describeError },
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
  const passes = new AsyncLocalStorage<Logger>();
  return {
    debugs: root.isLevelEnabled('debug'),
    log: (lineLevel, fields, message) => {
      (passes.getStore() ?? root)[lineLevel](fields, message);
    },
    within: (key, pass) => passes.run(root.child({ release: key, reconcileID: randomUUID() }), pass),
  };
}

const MAX_CAUSES = 3;

/**
 * An error as plain data, of which only known fields are taken: an error of an HTTP library may carry the request with
 * its headers. The library's `ApiException` even writes the answer's headers into its message.
 */
export function describeError(error: unknown, depth = 0): Record<string, unknown> {
  if (isKubeError(error)) {
    const { name: type, message, code, reason, verb, path, causes, retryAfterSeconds } = error;
    return { type, message: scrub(message), code, reason, verb, path, causes, retryAfterSeconds };
  }
  if (!(error instanceof Error)) return { type: typeof error };
  if ('body' in error && 'headers' in error) return { type: 'ApiException', code: 'code' in error ? error.code : 0 };
  const { name: type, message, stack, cause } = error;
  return {
    type,
    message: scrub(message),
    ...('code' in error && { code: error.code }),
    ...(stack !== undefined && { stack: scrub(stack) }),
    ...(cause !== undefined && depth < MAX_CAUSES && { cause: describeError(cause, depth + 1) }),
  };
}

/** For errors of libraries that quote a header or a URL with a password. */
function scrub(text: string): string {
  return text
    .replace(/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, '$1 ***')
    .replace(/(authorization["']?\s*[:=]\s*["']?)[^\s"',}]+/gi, '$1***')
    .replace(/(\/\/)[^/\s:@]+:[^/\s@]+@/g, '$1***@');
}
