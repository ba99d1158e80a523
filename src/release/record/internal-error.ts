/** An exception of a rule is a bug in the operator. The operator reports it in a condition, and the other rules continue. */
import type { Reason } from '../../api/reasons.ts';

export interface InternalProblem {
  reason: Reason & 'InternalError';
  message: string;
  /** The exception, for the log. */
  cause: unknown;
}

/** An exception with the field of the spec that the rule was reading. */
class FieldError extends Error {}

/** Calls `read`. An exception then names the field of the spec. */
export function reading<Result>(field: string, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    throw cause instanceof FieldError ? cause : new FieldError(field, { cause });
  }
}

export function internalProblem(error: unknown): InternalProblem {
  const [field, cause] = error instanceof FieldError ? [error.message, error.cause] : ['spec', error];
  const message = `${field}: the operator fails on the value of the field (${String(cause).slice(0, 200)}), which is a bug in the operator: change the field and report the bug; running pods stay as they are, and rollbacks still work`;
  return { reason: 'InternalError', message, cause };
}

/** The result of a rule, or `otherwise` if the rule throws. */
export function orElse<Result>(otherwise: Result, rule: () => Result): Result {
  try {
    return rule();
  } catch {
    return otherwise;
  }
}
