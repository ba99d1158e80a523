/** Sets the scale of a Deployment, even if another manager owns it, and its other fields. Pure. */
import type { Action } from '../record/actions.ts';
import { makeDeployment } from '../record/desired.ts';
import type { ForeignScale } from '../record/recorded-data.ts';
import type { Revision } from '../record/revision.ts';
import { hasWorkloadMetadata } from '../record/workload-metadata.ts';
import { putRight } from './drift.ts';
import type { Rollout, Workload } from './view.ts';

export function scaleTo(
  { owner, topology }: Rollout,
  workload: Workload,
  revision: Revision,
  replicas: number | undefined,
  message: string,
  carried?: ForeignScale,
): Action & { kind: 'ApplyDeployment' } {
  const deployment = makeDeployment({
    owner,
    identity: { ...workload, revision },
    track: workload.track,
    replicas,
    carried,
    topology,
    live: workload.deployment,
  });
  return { kind: 'ApplyDeployment', message, desired: deployment, force: true };
}

/** Puts right spec.workloadMetadata on a Deployment that stands by. Its other fields are put right when it is scaled or serves. */
export function describeAgain(view: Rollout, workload: Workload, revision: Revision): Action | undefined {
  const { deployment, name } = workload;
  if (hasWorkloadMetadata(view.topology, deployment)) return undefined;
  const replicas = deployment.replicasOwner === undefined ? deployment.spec.replicas : undefined;
  const write = scaleTo(view, workload, revision, replicas, `set the labels and annotations of ${name}`);
  return putRight(view.observed.memory, write.desired, deployment, write)[0];
}
