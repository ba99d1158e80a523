/** The form in which the API server stores a desired state: taken from the answer to an apply or to a dry run. */
import { FIELD_MANAGER } from '../../api/meta.ts';
import type { KubeError } from '../../kube/errors.ts';
import { isConflict, isRefusal } from '../../kube/errors.ts';
import { appliedFields } from '../../kube/managed-fields.ts';
import type { KubeObject, Live } from '../../kube/types.ts';
import type { LiveObject } from '../../release/state/drift.ts';
import { desiredHash, hasStoredForm, objectKey, storedForm } from '../../release/state/drift.ts';
import type { FieldSet } from '../../release/record/fields.ts';
import type { DesiredObject } from '../../release/record/kube-objects.ts';
import type { StoredForm } from '../../release/state/observed.ts';
import { KIND_ROWS } from '../kinds/kinds.ts';
import { accessTo, OWNED_ROWS } from '../kinds/owned.ts';
import type { Scope } from './contact.ts';
import { noteStored } from './memory.ts';

/** The cached form of an object that a release owns. */
export function keptOf(desired: DesiredObject, object: Live<KubeObject>): LiveObject {
  return KIND_ROWS[OWNED_ROWS[desired.kind]].toCached(object as never);
}

/** The stored form of a desired state, by the answer to an apply. */
export function formOf(desired: DesiredObject, answer: Live<KubeObject>): StoredForm {
  return storedForm(desired, keptOf(desired, answer), ownFields(answer));
}

/** The fields that the operator owns by apply; an empty set if the answer names none. */
function ownFields({ metadata }: Live<KubeObject>): FieldSet {
  return (appliedFields(metadata.managedFields, FIELD_MANAGER) as FieldSet | undefined) ?? { '.': {} };
}

/** Whether another manager causes the conflict. The operator conflicts with itself in fields that it owns by update. */
function isTakenBy({ causes }: KubeError): boolean {
  return causes.some(({ message = '' }) => !message.startsWith(`conflict with "${FIELD_MANAGER}"`));
}

/** Asks the API server by a dry run how it would store the desired state of an object that exists. */
export async function askStored({ context, memory }: Scope, desired: DesiredObject): Promise<void> {
  const { client, caches } = context;
  const { namespace, name, resourceVersion: _version, ...metadata } = desired.metadata;
  const { resource, cache } = accessTo(caches, desired.kind);
  // Without a resourceVersion: a write to the status must not make a conflict.
  const asked = { ...desired, metadata: { namespace, name, ...metadata } };
  const [object, hash] = [objectKey(desired), desiredHash(desired)];

  async function tryApply(force: boolean): Promise<{ answer: Live<KubeObject>; isTaken: boolean }> {
    const how = { fieldManager: FIELD_MANAGER, force, dryRun: true };
    try {
      return { answer: await client.apply(resource, asked, how), isTaken: false };
    } catch (error) {
      if (force || !isConflict(error)) throw error;
      return { ...(await tryApply(true)), isTaken: isTakenBy(error) };
    }
  }

  try {
    const { answer, isTaken } = await tryApply(false);
    const form = formOf(desired, answer);
    const live = cache.get(namespace, name);
    // `held` is false if another manager has changed a field that the operator owned.
    noteStored(memory, object, { hash, form, held: isTaken || (live !== undefined && hasStoredForm(form, live)) });
  } catch (error) {
    // For example, a webhook refuses dry runs.
    if (!isRefusal(error)) throw error;
    noteStored(memory, object, { hash, held: false });
  }
}
