/** What a rule throws is a fault of the operator, by something that a user wrote: it is told, and keeps nothing else back. */
import type { Reason } from '../../api/reasons.ts';

export interface InternalProblem {
  reason: Reason & 'InternalError';
  message: string;
  /** For the log: it tells where. */
  cause: unknown;
}

/** Which field was read when it was thrown. */
class FieldError extends Error {}

/** Does something with a field of the spec; what is thrown then names the field. */
export function reading<Result>(field: string, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    throw cause instanceof FieldError ? cause : new FieldError(field, { cause });
  }
}

export function internalProblem(error: unknown): InternalProblem {
  const [field, cause] = error instanceof FieldError ? [error.message, error.cause] : ['spec', error];
  const message = `${field}: the operator fails on what stands there (${String(cause).slice(0, 200)}), which is a fault of the operator: change the field and report it; what runs stays as it is, and rollbacks go on`;
  return { reason: 'InternalError', message, cause };
}

/** The result of a rule; something else where it throws. */
export function orElse<Result>(otherwise: Result, rule: () => Result): Result {
  try {
    return rule();
  } catch {
    return otherwise;
  }
}
