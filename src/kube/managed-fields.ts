/** Who owns which fields of an object, as server-side apply keeps it in metadata.managedFields. */
import type { ManagedFieldsEntry } from './types.ts';

/** Whether a manager owns fields by create or patch: a later apply of the same manager drops none of them. */
export function ownsByUpdate(entries: readonly ManagedFieldsEntry[] = [], manager: string): boolean {
  return entries.some((entry) => isOwn(entry, manager) && entry.operation === 'Update');
}

/** All that a manager owns as owned by apply: what k8s.io/client-go/util/csaupgrade writes. */
export function asApplied(entries: readonly ManagedFieldsEntry[], manager: string): ManagedFieldsEntry[] {
  const own = entries.filter((entry) => isOwn(entry, manager));
  const [base] = own.toSorted((a, b) => Number(b.operation === 'Apply') - Number(a.operation === 'Apply'));
  if (!base) return [...entries];
  const fieldsV1 = own.map((entry) => entry.fieldsV1 ?? {}).reduce(union, {});
  return [...entries.filter((entry) => !isOwn(entry, manager)), { ...base, operation: 'Apply', fieldsV1 }];
}

/** The fields that a manager owns by apply; undefined where there are none. */
export function appliedFields(entries: readonly ManagedFieldsEntry[] = [], manager: string): object | undefined {
  return entries.find((entry) => isOwn(entry, manager) && entry.operation === 'Apply')?.fieldsV1;
}

function isOwn({ manager, subresource = '' }: ManagedFieldsEntry, name: string): boolean {
  return manager === name && subresource === '';
}

/** A set of fields is a tree of maps; both trees' branches. */
function union(a: object, b: object): object {
  const tree: Record<string, object> = { ...(a as Record<string, object>) };
  for (const [key, branch] of Object.entries(b) as [string, object][]) tree[key] = union(tree[key] ?? {}, branch);
  return tree;
}
