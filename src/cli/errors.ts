/** Errors in the words of kubectl, with the way out where there is one. */
import { GROUP } from '../api/meta.ts';
import { isKubeError, isNotFound, serverText } from '../kube/errors.ts';
import type { KubeError } from '../kube/errors.ts';
import { CliError } from './exit-codes.ts';

export function describeError(error: unknown): string {
  if (isKubeError(error)) return describeKubeError(error);
  // A fault of ours: the stack says where.
  return error instanceof CliError ? `error: ${error.message}` : `internal error: ${stackOf(error)}`;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function describeKubeError(error: KubeError): string {
  const text = serverText(error);
  if (isMissingKind(error))
    return `error: the server does not know the kinds of ${GROUP}: install the chart, or choose another cluster by --context`;
  switch (error.reason) {
    case 'ConnectionFailed':
      return `error: the API server cannot be reached: ${text}`;
    case 'ClientTimeout':
      return `error: the API server did not answer in time: ${text}`;
    case 'NoCredentials':
      return `error: no login to the cluster: ${text}`;
    case 'Unauthorized':
      return 'error: you are not logged in to the cluster (Unauthorized): log in again, or choose another user by --user';
    default:
      return error.code === 0 ? `error: ${text}` : `Error from server (${error.reason}): ${text}`;
  }
}

/** The path exists for no object: the CRD is not installed. The answer then names no object. */
function isMissingKind(error: KubeError): boolean {
  return isNotFound(error) && error.path.startsWith(`/apis/${GROUP}/`) && !/ "[^"]+" not found/.test(error.message);
}
