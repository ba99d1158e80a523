/** What the files of the kinds share: their resources, the shape of objects on the wire, and what is kept of any object. */
import type { ObjectMeta } from '../../api/common.ts';
import { FIELD_MANAGER } from '../../api/meta.ts';
import { ownsByUpdate } from '../../kube/managed-fields.ts';
import type { KubeObject, Live, ManagedFieldsEntry, Resource } from '../../kube/types.ts';
import type { FieldOwners } from '../../release/record/kube-objects.ts';

/** An object as it is on the wire, with the parts that transforms read. */
export type WireObject<Fields> = KubeObject & Fields;

export interface WireCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export function resource<T extends KubeObject>(
  apiVersion: string,
  kind: string,
  plural: string,
  namespaced = true,
): Resource<T> {
  return { apiVersion, kind, plural, namespaced };
}

export function toCachedMetadata({ metadata }: Live<KubeObject>): ObjectMeta {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata as ObjectMeta;
  const { generation, deletionTimestamp, labels, annotations, ownerReferences } = metadata as ObjectMeta;
  return {
    name,
    namespace,
    uid,
    resourceVersion,
    creationTimestamp,
    ...(generation !== undefined && { generation }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(labels && { labels }),
    ...(annotations && { annotations: withoutLastApplied(annotations) }),
    ...(ownerReferences && { ownerReferences }),
  };
}

/** kubectl's copy of the whole object is never read. */
function withoutLastApplied(annotations: Record<string, string>): Record<string, string> {
  const { 'kubectl.kubernetes.io/last-applied-configuration': _copy, ...kept } = annotations;
  return kept;
}

/** Who owns a field of the spec, where the operator does not: of replicas an HPA, or kubectl scale. */
export function ownerOf(
  field: 'replicas' | 'selector',
  entries: readonly ManagedFieldsEntry[] = [],
): string | undefined {
  const owners = entries.filter(({ fieldsV1 }) => {
    const fields = fieldsV1 as { 'f:spec'?: Record<string, unknown> } | undefined;
    return fields?.['f:spec']?.[`f:${field}`] !== undefined;
  });
  // With the same value several own it; whoever changes it owns it alone.
  return owners.some(({ manager }) => manager === FIELD_MANAGER) ? undefined : owners.at(0)?.manager;
}

/** Who else than the operator and the controllers of Kubernetes wrote last. */
function otherManager(entries: readonly ManagedFieldsEntry[] = []): string | undefined {
  return entries
    .filter(
      ({ manager, subresource }) =>
        manager !== FIELD_MANAGER && subresource !== 'status' && manager !== 'kube-controller-manager',
    )
    .toSorted((a, b) => ((a.time ?? '') < (b.time ?? '') ? -1 : 1))
    .at(-1)?.manager;
}

/** Of the fields' owners, what is asked of them. */
export function toCachedOwners({ metadata }: Live<KubeObject>): FieldOwners {
  const { managedFields } = metadata as { managedFields?: ManagedFieldsEntry[] };
  const other = otherManager(managedFields);
  return {
    ...(other !== undefined && { otherManager: other }),
    ...(ownsByUpdate(managedFields, FIELD_MANAGER) && { ownedByUpdate: true as const }),
  };
}
