/** Field ownership of server-side apply, from metadata.managedFields. */
import type { ManagedFieldsEntry } from './types.ts';

/** Whether a manager owns fields by create or patch. A later apply of the same manager cannot drop these fields. */
export function ownsByUpdate(entries: readonly ManagedFieldsEntry[] = [], manager: string): boolean {
  return entries.some((entry) => isOwn(entry, manager) && entry.operation === 'Update');
}

/** Converts all ownership of a manager to apply, as k8s.io/client-go/util/csaupgrade does. */
export function asApplied(entries: readonly ManagedFieldsEntry[], manager: string): ManagedFieldsEntry[] {
  const own = entries.filter((entry) => isOwn(entry, manager));
  const [base] = own.toSorted((a, b) => Number(b.operation === 'Apply') - Number(a.operation === 'Apply'));
  if (!base) return [...entries];
  const fieldsV1 = own.map((entry) => entry.fieldsV1 ?? {}).reduce(union, {});
  return [...entries.filter((entry) => !isOwn(entry, manager)), { ...base, operation: 'Apply', fieldsV1 }];
}

/** The fields that a manager owns by apply; undefined if there are none. */
export function appliedFields(entries: readonly ManagedFieldsEntry[] = [], manager: string): object | undefined {
  return entries.find((entry) => isOwn(entry, manager) && entry.operation === 'Apply')?.fieldsV1;
}

/** Whether a manager set the annotation, by apply, create or patch. */
export function ownsAnnotation(entries: readonly ManagedFieldsEntry[] = [], manager: string, name: string): boolean {
  return entries.some((entry) => {
    const fields = entry.fieldsV1 as { 'f:metadata'?: { 'f:annotations'?: Record<string, unknown> } } | undefined;
    return isOwn(entry, manager) && fields?.['f:metadata']?.['f:annotations']?.[`f:${name}`] !== undefined;
  });
}

function isOwn({ manager, subresource = '' }: ManagedFieldsEntry, name: string): boolean {
  return manager === name && subresource === '';
}

/** Merges two sets of fields, which are trees of maps. */
function union(a: object, b: object): object {
  const tree: Record<string, object> = { ...(a as Record<string, object>) };
  for (const [key, branch] of Object.entries(b) as [string, object][]) tree[key] = union(tree[key] ?? {}, branch);
  return tree;
}
