import type { Live } from '../../kube/types.ts';
import type { Deployment, DeploymentSpec, DeploymentStatus } from '../../release/record/kube-objects.ts';
import type { WireObject } from './wire.ts';
import { ownerOf, resource, toCachedMetadata, toCachedOwners } from './wire.ts';

export const DEPLOYMENTS = resource<WireObject<{ spec: DeploymentSpec; status?: DeploymentStatus }>>(
  'apps/v1',
  'Deployment',
  'deployments',
);

export function toCachedDeployment(
  object: Live<WireObject<{ spec: DeploymentSpec; status?: DeploymentStatus }>>,
): Deployment {
  const scaler = ownerOf('replicas', object.metadata.managedFields);
  return {
    metadata: toCachedMetadata(object),
    spec: object.spec,
    ...(object.status && { status: object.status }),
    ...(scaler !== undefined && { replicasOwner: scaler }),
    ...toCachedOwners(object),
  };
}
