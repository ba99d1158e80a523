/** Errors of the API server, and failures to reach it. */

/** One cause in `metav1.StatusDetails`: the field of an Invalid answer, or the field and its manager for a conflict of server-side apply. */
export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

/** Reasons that this client sets; all other reasons are a `metav1.StatusReason`. */
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
 * A failed request as plain data. It contains no header, no body and no underlying error, so that logging it cannot
 * reveal a credential or a Secret.
 */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  /** HTTP status, or the status of an ERROR event in a watch; 0 without an answer. */
  readonly code: number;
  readonly reason: string;
  readonly causes: StatusCause[];
  /** How long the server asked clients to wait. */
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

/** The server's own text, without the verb and the path. */
export function serverText({ message }: KubeError): string {
  return message.replace(/^\S+ \S+: /, '');
}

/**
 * Why admission stopped a write; the object itself may be valid. `Denied`: by a webhook or a policy. `Unavailable`: a webhook
 * cannot be reached, or is overloaded or broken. `QuotaExceeded`: by a ResourceQuota.
 */
export type AdmissionProblem = 'Denied' | 'Unavailable' | 'QuotaExceeded';

const DENIED =
  /\badmission webhook "[^"]*" denied the request\b|policy '[^']*'(?: with binding '[^']*')? denied request\b/i;
const NO_ANSWER = /\bfailed calling webhook "/;
const QUOTA = /\b(?:exceeded quota|status unknown for quota|insufficient quota)\b/;

/** The text of a denial may quote other errors, so it is checked first. A webhook chooses the code of its denial. */
export function admissionProblem(error: unknown): AdmissionProblem | undefined {
  if (!isKubeError(error)) return undefined;
  const text = serverText(error);
  if (DENIED.test(text)) return isOverload(error.code) ? 'Unavailable' : 'Denied';
  if (isOverload(error.code) && NO_ANSWER.test(text)) return 'Unavailable';
  return error.code === 403 && QUOTA.test(text) ? 'QuotaExceeded' : undefined;
}

function isOverload(code: number): boolean {
  return code === 429 || code >= 500;
}

function isDenied(error: KubeError): boolean {
  return DENIED.test(error.message);
}

/** No answer in time: the server, or a webhook that it waits for, hangs. */
export function isClientTimeout(error: unknown): error is KubeError {
  return isKubeError(error) && error.reason === 'ClientTimeout';
}

/** A webhook that does not support dry runs says nothing about the object. */
export function isDryRunUnsupported(error: unknown): error is KubeError {
  return isKubeError(error) && error.code === 400 && error.message.includes('does not support dry run');
}

export function isNotFound(error: unknown): error is KubeError {
  return isKubeError(error) && error.code === 404 && !isDenied(error);
}

/** A changed resourceVersion or uid, or a field that another manager owns. For an existing name see `isAlreadyExists`. */
export function isConflict(error: unknown): error is KubeError {
  return isKubeError(error) && error.code === 409 && error.reason !== 'AlreadyExists' && !isDenied(error);
}

export function isAlreadyExists(error: unknown): error is KubeError {
  return isKubeError(error) && error.reason === 'AlreadyExists' && !isDenied(error);
}

/** Validation refused the request; a retry fails again. */
export function isInvalid(error: unknown): error is KubeError {
  return isKubeError(error) && error.code === 422 && !isDenied(error);
}

/** The object has an invalid value or an unknown field. Server-side apply reports an unknown field as an internal error. */
export function isMalformed(error: unknown): error is KubeError {
  if (!isKubeError(error) || admissionProblem(error) !== undefined) return false;
  return [400, 422].includes(error.code) || /field not declared in schema|failed to create typed/.test(error.message);
}

/** The server refused the object; a retry fails again, unless somebody changes the object, a policy, a quota or a right. */
export function isRefusal(error: unknown): error is KubeError {
  const problem = admissionProblem(error);
  if (problem !== undefined) return problem !== 'Unavailable';
  return isForbidden(error) || isMalformed(error);
}

export function isForbidden(error: unknown): error is KubeError {
  return isKubeError(error) && error.code === 403;
}

/** The namespace is being deleted, so nothing can be created in it (`NamespaceTerminatingCause` of k8s.io/api/core/v1). */
export function isNamespaceTerminating(error: unknown): error is KubeError {
  return isForbidden(error) && error.causes.some(({ reason }) => reason === 'NamespaceTerminating');
}

/** The credentials could not be loaded: no request was sent. */
export function isNoLogin(error: unknown): error is KubeError {
  return isKubeError(error) && error.reason === 'NoCredentials';
}

export function isTooManyRequests(error: unknown): error is KubeError {
  return isKubeError(error) && error.code === 429;
}

/** The resourceVersion or the continue token is too old. */
export function isGone(error: unknown): error is KubeError {
  return isKubeError(error) && error.code === 410;
}

/** The connection to the server failed or broke. */
export function isUnreachable(error: unknown): error is KubeError {
  return isKubeError(error) && error.reason === 'ConnectionFailed';
}

export function isAborted(error: unknown): error is KubeError {
  return isKubeError(error) && error.reason === 'Aborted';
}

/** The same request may succeed later: no answer, an overloaded or restarting server, a webhook that is down. */
export function isTransient(error: unknown): error is KubeError {
  if (!isKubeError(error) || error.reason === 'Aborted') return false;
  return error.code === 0 || error.code === 429 || (error.code >= 500 && error.code !== 501);
}

/** The error that undici gives to what is left of a connection when the connection is closed. */
export function isConnectionClosed(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'UND_ERR_DESTROYED';
}
