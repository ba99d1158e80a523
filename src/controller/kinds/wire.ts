/** Helpers of the kinds: resources, the shape of objects on the wire, and the cached metadata. */
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
  const { generation, deletionTimestamp, finalizers, labels, annotations, ownerReferences } = metadata as ObjectMeta;
  return {
    name,
    namespace,
    uid,
    resourceVersion,
    creationTimestamp,
    ...(generation !== undefined && { generation }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp, ...(finalizers && { finalizers }) }),
    ...(labels && { labels }),
    ...(annotations && { annotations: withoutLastApplied(annotations) }),
    ...(ownerReferences && { ownerReferences }),
  };
}

/** Without kubectl's copy of the whole object, which no rule reads. */
function withoutLastApplied(annotations: Record<string, string>): Record<string, string> {
  const { 'kubectl.kubernetes.io/last-applied-configuration': _copy, ...kept } = annotations;
  return kept;
}

/** The manager that owns a field of the spec, if the operator does not: of replicas an autoscaler or `kubectl scale`. */
export function ownerOf(
  field: 'replicas' | 'selector',
  entries: readonly ManagedFieldsEntry[] = [],
): string | undefined {
  const owners = ownersOf(field, entries);
  // Several managers own a field that they set to the same value; a manager that changes it owns it alone.
  return owners.includes(FIELD_MANAGER) ? undefined : owners.at(0);
}

export function ownersOf(field: 'replicas' | 'selector', entries: readonly ManagedFieldsEntry[]): string[] {
  return entries
    .filter(({ fieldsV1 }) => {
      const fields = fieldsV1 as { 'f:spec'?: Record<string, unknown> } | undefined;
      return fields?.['f:spec']?.[`f:${field}`] !== undefined;
    })
    .map(({ manager = '' }) => manager);
}

/** The manager that wrote last, without the operator and the controllers of Kubernetes. */
function otherManager(entries: readonly ManagedFieldsEntry[] = []): string | undefined {
  return entries
    .filter(
      ({ manager, subresource }) =>
        manager !== FIELD_MANAGER && subresource !== 'status' && manager !== 'kube-controller-manager',
    )
    .toSorted((a, b) => ((a.time ?? '') < (b.time ?? '') ? -1 : 1))
    .at(-1)?.manager;
}

/** The owners of fields that rules read. */
export function toCachedOwners({ metadata }: Live<KubeObject>): FieldOwners {
  const { managedFields } = metadata as { managedFields?: ManagedFieldsEntry[] };
  const other = otherManager(managedFields);
  return {
    ...(other !== undefined && { otherManager: other }),
    ...(ownsByUpdate(managedFields, FIELD_MANAGER) && { ownedByUpdate: true as const }),
  };
}
