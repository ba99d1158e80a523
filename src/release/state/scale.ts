/** Sets the scale of a Deployment, whoever owned it. Pure. */
import type { Action } from '../record/actions.ts';
import { makeDeployment } from '../record/desired.ts';
import type { Rollout, Workload } from './view.ts';

export function scaleTo(
  view: Rollout,
  workload: Workload,
  replicas: number,
  message: string,
): Action & { kind: 'ApplyDeployment' } {
  const revision = view.revisions.find(({ number }) => number === workload.revision);
  if (!revision) throw new Error(`${workload.name} of no known revision is not scaled`);
  const deployment = makeDeployment({
    owner: view.owner,
    identity: { ...workload, revision },
    track: workload.track,
    replicas,
    topology: view.topology,
    resourceVersion: workload.deployment.metadata.resourceVersion,
  });
  return { kind: 'ApplyDeployment', message, deployment, force: true };
}
