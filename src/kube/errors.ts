/** What the API server refused, or why it could not be asked. */

/** One cause in `metav1.StatusDetails`: for an Invalid answer the field, for a conflict of server-side apply the field and its manager. */
export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

/** Reasons that this client gives itself; every other reason is a `metav1.StatusReason`. */
export type ClientReason =
  'Aborted' | 'BadResponse' | 'ClientTimeout' | 'ConnectionFailed' | 'NoCredentials' | 'NotLeader';

export interface KubeErrorFields {
  code: number;
  reason: string;
  message: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
  verb: string;
  path: string;
}

/**
 * A failed request as plain data. It holds no header, no body and no underlying error, so that logging it whole can't
 * give a credential or a Secret away.
 */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  /** HTTP status, or the status of an ERROR event in a watch; 0 where no answer came. */
  readonly code: number;
  readonly reason: string;
  readonly causes: StatusCause[];
  /** How long the server asked to be left alone. */
  readonly retryAfterSeconds: number | undefined;
  readonly verb: string;
  /** The path without its query. */
  readonly path: string;

  constructor(fields: KubeErrorFields) {
    super(`${fields.verb} ${fields.path}: ${fields.message}`);
    this.code = fields.code;
    this.reason = fields.reason;
    this.causes = fields.causes ?? [];
    this.retryAfterSeconds = fields.retryAfterSeconds;
    this.verb = fields.verb;
    this.path = fields.path;
  }
}

export function isKubeError(error: unknown): error is KubeError {
  return error instanceof KubeError;
}

export function isNotFound(error: unknown): error is KubeError {
  return isKubeError(error) && error.code === 404;
}

/** A changed resourceVersion or uid, or a field that another manager owns. A name that is taken is `isAlreadyExists`. */
export function isConflict(error: unknown): error is KubeError {
  return isKubeError(error) && error.code === 409 && error.reason !== 'AlreadyExists';
}

export function isAlreadyExists(error: unknown): error is KubeError {
  return isKubeError(error) && error.reason === 'AlreadyExists';
}

/** Refused by validation: the same request will be refused again. */
export function isInvalid(error: unknown): error is KubeError {
  return isKubeError(error) && error.code === 422;
}

/** The object itself is refused: no retry helps. An unknown field comes as an internal error from server-side apply. */
export function isRefusal(error: unknown): error is KubeError {
  if (!isKubeError(error)) return false;
  return (
    [400, 403, 422].includes(error.code) || /field not declared in schema|failed to create typed/.test(error.message)
  );
}

function isForbidden(error: unknown): error is KubeError {
  return isKubeError(error) && error.code === 403;
}

/** Nothing can be created in a namespace that is being deleted (`NamespaceTerminatingCause` of k8s.io/api/core/v1). */
export function isNamespaceTerminating(error: unknown): error is KubeError {
  return isForbidden(error) && error.causes.some(({ reason }) => reason === 'NamespaceTerminating');
}

export function isTooManyRequests(error: unknown): error is KubeError {
  return isKubeError(error) && error.code === 429;
}

/** The resourceVersion, or the continue token, is too old to be served. */
export function isGone(error: unknown): error is KubeError {
  return isKubeError(error) && error.code === 410;
}

/** No connection to the server came about, or it broke. */
export function isUnreachable(error: unknown): error is KubeError {
  return isKubeError(error) && error.reason === 'ConnectionFailed';
}

export function isAborted(error: unknown): error is KubeError {
  return isKubeError(error) && error.reason === 'Aborted';
}

/** The same request may well succeed later: no answer, an overloaded or restarting server, a webhook that is down. */
export function isTransient(error: unknown): error is KubeError {
  if (!isKubeError(error) || error.reason === 'Aborted') return false;
  return error.code === 0 || error.code === 429 || (error.code >= 500 && error.code !== 501);
}
