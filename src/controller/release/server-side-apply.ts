/** The writes to what a release owns: made by POST, kept by server-side apply, and what the API server made of both. */
import type { ObjectMeta } from '../../api/common.ts';
import { FIELD_MANAGER } from '../../api/meta.ts';
import { isInvalid } from '../../kube/errors.ts';
import { asApplied } from '../../kube/managed-fields.ts';
import type { Stored } from '../../kube/store.ts';
import type { KubeObject, Live, Resource } from '../../kube/types.ts';
import type { LiveObject } from '../../release/state/drift.ts';
import { desiredHash, hasStoredForm, objectKey } from '../../release/state/drift.ts';
import type { Desired, FieldOwners } from '../../release/record/kube-objects.ts';
import type { Cache } from '../kinds/caches.ts';
import type { Scope } from './contact.ts';
import { conflict, makeNew } from './contact.ts';
import { noteRevert, noteStored } from './memory.ts';
import { formOf } from './stored-forms.ts';

type Cached = Stored & FieldOwners;

/**
 * `known`: the plan saw it, and that it is ours or was handed over. Where it did not, it is made by POST: an apply would
 * take over what exists, wherever nobody owns the fields. `before`: the live object that the plan was made on.
 */
export async function applyOwned<T extends KubeObject, S extends Stored>(
  scope: Scope,
  resource: Resource<T>,
  cache: Cache<S>,
  desired: Desired<unknown>,
  known: boolean,
  before = liveObject(cache, desired),
): Promise<void> {
  const { namespace, name } = desired.metadata;
  const live = cache.get(namespace, name) as Cached | undefined;
  if (!known && !isControlled(scope, live)) {
    await makeNew(scope, { resource, cache, name }, desired);
    return;
  }
  const target =
    live?.ownedByUpdate && !namesAll(desired, live) ? await ownByApply(scope, resource, cache, desired, live) : desired;
  const applied = await applyTo(scope, resource, target, live);
  // What is taken back from another manager ends its being named.
  remember(scope, desired, applied, before, live?.otherManager ?? 'another manager');
  cache.observeWrite(applied);
}

export function liveObject<S>(cache: Cache<S>, { metadata }: Desired<unknown>): LiveObject | undefined {
  return cache.get(metadata.namespace, metadata.name) as LiveObject | undefined;
}

/** Whether an apply names every field that the live object has of those that a release may name. */
export function namesAll(desired: Desired<unknown>, live: Pick<Cached, 'metadata'> & { spec?: unknown }): boolean {
  const { labels = {}, annotations = {}, ownerReferences = [] } = live.metadata as ObjectMeta;
  const { labels: ownLabels, annotations: ownAnnotations, ownerReferences: owners = [] } = desired.metadata;
  return (
    isNamed({ labels, annotations }, { labels: ownLabels ?? {}, annotations: ownAnnotations ?? {} }) &&
    ownerReferences.every(({ uid }) => owners.some((owner) => owner.uid === uid)) &&
    isNamed(live.spec, desired.spec)
  );
}

/** What the API server fills in of a Service, whatever was sent. */
const FILLED_IN: Readonly<Record<string, unknown>> = {
  clusterIP: undefined,
  nodePort: undefined,
  sessionAffinity: 'None',
};

function isNamed(part: unknown, sent: unknown): boolean {
  if (part === null || typeof part !== 'object') return true;
  if (Array.isArray(part))
    return (
      Array.isArray(sent) && part.length === sent.length && part.every((item, index) => isNamed(item, sent[index]))
    );
  const named = (sent ?? {}) as Record<string, unknown>;
  return Object.entries(part).every(([key, value]) =>
    key in named ? isNamed(value, named[key]) : key in FILLED_IN && (FILLED_IN[key] ?? value) === value,
  );
}

/** Made by this release, so that it is no first contact, whatever others made of its labels and annotations. */
function isControlled({ release }: Scope, live: Cached | undefined): boolean {
  const { ownerReferences } = (live?.metadata ?? {}) as Partial<ObjectMeta>;
  return ownerReferences?.some(({ uid }) => uid === release.metadata.uid) ?? false;
}

/** One without a version to be of is bound to the object that the plan saw: another of its name is not taken over. */
async function applyTo<T extends KubeObject>(
  { context }: Scope,
  resource: Resource<T>,
  desired: Desired<unknown>,
  live: Cached | undefined,
): Promise<Live<T>> {
  const { resourceVersion, name } = desired.metadata;
  const uid = resourceVersion === undefined && live !== undefined && { uid: live.metadata.uid };
  const sent = { ...desired, metadata: { ...desired.metadata, ...uid } };
  try {
    return await context.client.apply(resource, sent as never, { fieldManager: FIELD_MANAGER, force: true });
  } catch (error) {
    if (!isInvalid(error) || !error.causes.some(({ field }) => field === 'metadata.uid')) throw error;
    throw conflict(name, `${desired.kind} ${name} was made anew by somebody`);
  }
}

/**
 * What is owned since a POST, or a patch, is owned by update: an apply would leave what it no longer names. So it is owned
 * by apply first, unless the apply names all that is there: then it leaves nothing, and comes at once.
 */
async function ownByApply<T extends KubeObject, S extends Stored>(
  { context }: Scope,
  resource: Resource<T>,
  cache: Cache<S>,
  desired: Desired<unknown>,
  known: Cached,
): Promise<Desired<unknown>> {
  const { namespace, name, resourceVersion: planned } = desired.metadata;
  const { metadata } = await context.client.get(resource, { namespace, name });
  const { uid, resourceVersion, managedFields = [] } = metadata;
  if (uid !== known.metadata.uid || (planned !== undefined && planned !== resourceVersion))
    throw conflict(name, `${desired.kind} ${name} has changed`);
  const operations = [
    { op: 'replace' as const, path: '/metadata/managedFields', value: asApplied(managedFields, FIELD_MANAGER) },
    { op: 'replace' as const, path: '/metadata/resourceVersion', value: resourceVersion },
  ];
  const patch = { type: 'json' as const, operations };
  const moved = await context.client.patch(resource, { namespace, name }, patch, { fieldManager: FIELD_MANAGER });
  cache.observeWrite(moved);
  if (planned === undefined) return desired;
  return { ...desired, metadata: { ...desired.metadata, resourceVersion: moved.metadata.resourceVersion } };
}

/** A put-back is a field of ours that has its value again: the same was desired before, and there. */
function remember(
  scope: Scope,
  desired: Desired<unknown>,
  applied: Live<KubeObject>,
  before: LiveObject | undefined,
  manager: string,
): void {
  const { memory } = scope;
  const object = objectKey(desired);
  const [hash, form, known] = [desiredHash(desired), formOf(desired, applied), memory.stored.get(object)];
  noteStored(memory, object, { hash, form, held: true });
  const drifted = before !== undefined && !hasStoredForm(form, before);
  if (known?.hash === hash && known.held && drifted) putBack(scope, object, hash, manager);
}

function putBack({ context, release, memory }: Scope, object: string, hash: string, manager: string): void {
  const gaveUp = noteRevert(memory, object, { hash, manager, now: context.now() });
  context.record(release, {
    type: 'Warning',
    reason: gaveUp ? 'Contested' : 'DriftPutBack',
    note: gaveUp
      ? `${object} is kept otherwise by ${manager}: left alone for a while`
      : `put back what ${manager} changed in ${object}`,
  });
}
