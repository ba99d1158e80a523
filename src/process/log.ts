/** JSON logs: one line per entry, with the release and pass that it belongs to, and without credentials. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { DestinationStream, Logger } from 'pino';
import { pino } from 'pino';
import { isKubeError } from '../kube/errors.ts';
import type { LogLevel } from './config.ts';

export interface Log {
  /** Whether the log writes debug lines. Otherwise callers skip the work for them. */
  debugs: boolean;
  /** Lines of a pass have its `release` and `reconcileID`. */
  log: (level: LogLevel, fields: Record<string, unknown>, message: string) => void;
  /** Runs a pass over the release `key` in its own log context. */
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
 * An error as plain data with only known fields: an error of an HTTP library may contain the request with its headers.
 * The `ApiException` of @kubernetes/client-node even has the headers of the answer in its message.
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

/** Removes credentials from messages of libraries that quote a header or a URL with a password. */
function scrub(text: string): string {
  return text
    .replace(/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, '$1 ***')
    .replace(/(authorization["']?\s*[:=]\s*["']?)[^\s"',}]+/gi, '$1***')
    .replace(/(\/\/)[^/\s:@]+:[^/\s@]+@/g, '$1***@');
}
