/** Asks whether the API server accepts the template of a new revision. */
import { FIELD_MANAGER } from '../../api/meta.ts';
import {
  admissionProblem,
  isAlreadyExists,
  isClientTimeout,
  isDryRunUnsupported,
  isMalformed,
  serverText,
} from '../../kube/errors.ts';
import type { Action } from '../../release/record/actions.ts';
import { storedPods } from '../../release/record/same-pods.ts';
import { withoutRestart } from '../../release/record/template-of.ts';
import type { DryRun } from '../../release/state/observed.ts';
import { DEPLOYMENTS } from '../kinds/deployments.ts';
import type { Scope } from './contact.ts';
import { noteDryRun } from './memory.ts';
import { admissionTrouble, causesOf } from './trouble.ts';

/** Asks the API server, its admission policies and webhooks by a dry run whether they accept the template. */
export async function dryRun(
  { context, memory }: Scope,
  { deployment, hash, exists }: Extract<Action, { kind: 'DryRun' }>,
): Promise<void> {
  const options = { fieldManager: FIELD_MANAGER, dryRun: true };
  try {
    const answer = exists
      ? await context.client.apply(DEPLOYMENTS, deployment, { ...options, force: true })
      : await context.client.create(DEPLOYMENTS, deployment, { ...options, fieldValidation: 'Strict' });
    // A change of a Deployment keeps what kubectl wrote there.
    const template = withoutRestart(answer.spec.template, deployment.spec.template);
    noteDryRun(memory, hash, { ok: true, pods: storedPods(template) }, context.now());
  } catch (error) {
    noteDryRun(memory, hash, dryRunAnswer(error), context.now());
  }
}

const NO_ANSWER =
  'the API server, or an admission webhook that it asks, does not answer on spec.template, which is tried again';

/** Throws an error that says nothing about the template. */
function dryRunAnswer(error: unknown): DryRun {
  // Names and quotas are checked last, when everything else has accepted the template.
  if (isAlreadyExists(error) || admissionProblem(error) === 'QuotaExceeded') return { ok: true };
  // The write itself may be accepted.
  if (isDryRunUnsupported(error)) return { ok: true };
  const stopped = admissionTrouble(error, 'spec.template');
  if (stopped) return { ok: false, ...stopped };
  if (isClientTimeout(error))
    return { ok: false, reason: 'WebhookUnavailable', message: `${NO_ANSWER}: ${serverText(error)}` };
  if (!isMalformed(error)) throw error;
  const message = `Kubernetes refuses the template: ${causesOf(error)}. Correct spec.template; the running pods stay as they are`;
  return { ok: false, reason: 'TemplateRejected', message: message.slice(0, 2000) };
}
