/** The reason of a failed write for users. Pure. */
import type { Reason } from '../../api/reasons.ts';
import type { AdmissionProblem, KubeError } from '../../kube/errors.ts';
import { admissionProblem, isKubeError, isRefusal, serverText } from '../../kube/errors.ts';
import type { Trouble } from '../../release/status/ready.ts';

const TEXT_LENGTH = 1500;

const REASONS: Record<AdmissionProblem, (what: string, text: string) => { reason: Reason; message: string }> = {
  Denied: (what, text) => ({
    reason: 'AdmissionDenied',
    message: `admission denies ${what}, which is tried again: ${text}`,
  }),
  QuotaExceeded: (what, text) => ({
    reason: 'QuotaExceeded',
    message: `a ResourceQuota stops ${what}, which is tried again: raise the quota, or remove objects that it counts: ${text}`,
  }),
  Unavailable: (what, text) => ({
    reason: 'WebhookUnavailable',
    message: `an admission webhook stops ${what}, which is tried again: restore the webhook: ${text}`,
  }),
};

/** Why admission stopped a write; undefined if something else did. */
export function admissionTrouble(error: unknown, what: string): { reason: Reason; message: string } | undefined {
  const problem = admissionProblem(error);
  return problem && REASONS[problem](what, serverText(error as KubeError).slice(0, TEXT_LENGTH));
}

/** The causes with their fields: the path of a template's field is the same in Deployment and AppRelease. */
export function causesOf(error: KubeError): string {
  const causes = error.causes.map(({ field, message }) =>
    field === undefined ? message : `${field}: ${message ?? ''}`,
  );
  return causes.length > 0 ? causes.join('; ') : serverText(error);
}

/** Why the writes of a pass failed. */
export function troubleOf(failure: unknown): Trouble {
  const stopped = admissionTrouble(failure, 'the next step');
  if (stopped) return { ...stopped, kind: stopped.reason === 'WebhookUnavailable' ? 'Waits' : 'Stalled' };
  const error = describe(failure);
  // A patch may also fail its uid test.
  if (isRefusal(failure) && failure.verb !== 'patch') {
    const message = `the API server refuses the next step, which is tried again: ${error}`;
    return { kind: 'Stalled', reason: 'Refused', message };
  }
  return { kind: 'Unknown', reason: 'ApiServerError', message: error };
}

export function describe(failure: unknown): string {
  return isKubeError(failure) ? `${failure.reason}: ${failure.message}` : 'an internal error: see the operator’s log';
}
