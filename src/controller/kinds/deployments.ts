import type { Live, ManagedFieldsEntry } from '../../kube/types.ts';
import type { Deployment, DeploymentSpec, DeploymentStatus } from '../../release/record/kube-objects.ts';
import { FIELD_MANAGER } from '../../api/meta.ts';
import type { WireObject } from './wire.ts';
import { ownerOf, ownersOf, resource, toCachedMetadata, toCachedOwners } from './wire.ts';

/** The name, for messages, of a manager that the managed fields do not name. */
const UNKNOWN_MANAGER = 'another manager';

export const DEPLOYMENTS = resource<WireObject<{ spec: DeploymentSpec; status?: DeploymentStatus }>>(
  'apps/v1',
  'Deployment',
  'deployments',
);

export function toCachedDeployment(
  object: Live<WireObject<{ spec: DeploymentSpec; status?: DeploymentStatus }>>,
): Deployment {
  const scaler = replicasOwner(object.metadata.managedFields);
  return {
    metadata: toCachedMetadata(object),
    spec: object.spec,
    ...(object.status && { status: object.status }),
    ...(scaler !== undefined && { replicasOwner: scaler }),
    ...toCachedOwners(object),
  };
}

/**
 * The manager that owns spec.replicas, if not the operator. A Scale object leaves out 0, so after a scale to zero nobody owns
 * the replicas, and no later scale changes that. The operator owns the replicas that it sets.
 */
function replicasOwner(entries: readonly ManagedFieldsEntry[] = []): string | undefined {
  const isOurs = entries.some(({ manager }) => manager === FIELD_MANAGER);
  return isOurs && ownersOf('replicas', entries).length === 0 ? UNKNOWN_MANAGER : ownerOf('replicas', entries);
}
