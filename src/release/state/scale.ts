/** Sets the scale of a Deployment, even if another manager owns it. Pure. */
import type { Action } from '../record/actions.ts';
import { makeDeployment } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import type { Rollout, Workload } from './view.ts';

export function scaleTo(
  { owner, topology }: Rollout,
  workload: Workload,
  revision: Revision,
  replicas: number,
  message: string,
): Action & { kind: 'ApplyDeployment' } {
  const deployment = makeDeployment({
    owner,
    identity: { ...workload, revision },
    track: workload.track,
    replicas,
    topology,
    live: workload.deployment,
  });
  return { kind: 'ApplyDeployment', message, desired: deployment, force: true };
}
