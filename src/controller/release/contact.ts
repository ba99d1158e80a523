/**
 * Creates objects, and reads existing ones from the API server if the caches are wrong. The owner reference decides whose an
 * object is: an apply has no conflict in fields that no manager owns.
 */
import type { AppRelease } from '../../api/app-release.ts';
import { FIELD_MANAGER, LABEL } from '../../api/meta.ts';
import { getIfThere } from '../../kube/client.ts';
import { isAlreadyExists, KubeError } from '../../kube/errors.ts';
import type { KubeObject, Live, Resource } from '../../kube/types.ts';
import type { Stored } from '../../kube/store.ts';
import { ownershipOf, takenMessage } from '../../release/record/ownership.ts';
import type { Cache } from '../kinds/caches.ts';
import type { ReleaseMemory } from './memory.ts';
import type { ReconcileContext } from './context.ts';

/** The release of an action, with the memory of it. */
export interface Scope {
  context: ReconcileContext;
  release: AppRelease;
  memory: ReleaseMemory;
}

/** An object of a kind, by its name in the release's namespace. */
export interface Subject<T extends KubeObject = KubeObject> {
  resource: Resource<T>;
  cache: Cache<Stored>;
  name: string;
  /** False for objects that users create: the caches select them without a label. */
  isLabelled?: boolean;
}

/**
 * Creates an object that the caches do not have. If it exists, `findOut` reads it into the caches for the next round of the
 * pass; an object of somebody else is noted as a name conflict.
 */
export async function makeNew<T extends KubeObject>(scope: Scope, subject: Subject<T>, object: object): Promise<void> {
  const { context, memory, release } = scope;
  const { resource, cache, name } = subject;
  try {
    const options = { fieldManager: FIELD_MANAGER, fieldValidation: 'Strict' as const };
    const made = await context.client.create(resource, object as never, options);
    memory.nameConflicts.delete(`${resource.kind}/${name}`);
    cache.observeWrite(made);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const { found, live } = await findOut(scope, subject);
    if (found === 'Foreign' && live)
      noteTaken(scope, resource.kind, takenMessage(resource.kind, live.metadata, release.metadata.name), name);
    if (found === 'LeftBehind') throw conflict(name, `${resource.kind} ${name} of the deleted release still exists`);
    if (found === 'Leaving') throw conflict(name, `${resource.kind} ${name} is being deleted`);
    // The caches have not changed: the next round would fail in the same way.
    if (found === 'Nothing' || (found === 'Ours' && !cache.get(release.metadata.namespace, name))) throw error;
  }
}

/** The owner of an object with a name that the release uses. */
type Found = 'Nothing' | 'Ours' | 'Leaving' | 'LeftBehind' | 'Foreign';

/**
 * Reads an object from the API server and corrects the caches. An object of the release gets its label back; a deleted one
 * is removed.
 */
export async function findOut<T extends KubeObject>(
  scope: Scope,
  subject: Subject<T>,
): Promise<{ found: Found; live?: Live<T> }> {
  const { context, release } = scope;
  const { resource, cache, name, isLabelled = true } = subject;
  const { namespace } = release.metadata;
  const live = await getIfThere(context.client, resource, { namespace, name });
  const known = cache.get(namespace, name);
  if (known && known.metadata.uid !== live?.metadata.uid) cache.observeDelete(known);
  if (!live) return { found: 'Nothing' };
  const { labels, deletionTimestamp }: Labelled = live.metadata;
  const ownership = ownershipOf(live.metadata, release.metadata);
  const label = labels?.[LABEL.release];
  if (isLabelled && ownership === 'Ours' && label !== release.metadata.name) await labelAgain(scope, subject, live);
  else if (!isLabelled || label !== undefined) cache.observeWrite(live);
  if (ownership === 'Foreign' || ownership === 'LeftBehind') return { found: ownership, live };
  return { found: deletionTimestamp === undefined ? 'Ours' : 'Leaving', live };
}

interface Labelled {
  labels?: Record<string, string>;
  deletionTimestamp?: string;
}

/** Restores the label, without which no cache selects the object. */
async function labelAgain<T extends KubeObject>(
  { context, release }: Scope,
  { resource, cache, name }: Subject<T>,
  { metadata: { resourceVersion } }: Live<T>,
): Promise<void> {
  const body = { metadata: { resourceVersion, labels: { [LABEL.release]: release.metadata.name } } };
  const key = { namespace: release.metadata.namespace, name };
  const labelled = await context.client.patch(resource, key, { type: 'merge', body }, { fieldManager: FIELD_MANAGER });
  cache.observeWrite(labelled);
}

export function conflict(path: string, message: string): KubeError {
  return new KubeError({ code: 409, reason: 'Conflict', message, verb: 'get', path });
}

/** Notes a name conflict, with one event for as long as it lasts. */
export function noteTaken({ context, release, memory }: Scope, kind: string, message: string, name: string): void {
  const object = `${kind}/${name}`;
  if (memory.nameConflicts.get(object)?.message !== message)
    context.record(release, { type: 'Warning', reason: 'NameTaken', note: message });
  memory.nameConflicts.set(object, { message, at: context.now() });
}
