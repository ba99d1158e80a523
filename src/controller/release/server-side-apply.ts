/** Writes the objects that a release owns: creates by POST, changes by server-side apply, and remembers the stored form. */
import type { ObjectMeta } from '../../api/common.ts';
import { FIELD_MANAGER } from '../../api/meta.ts';
import { isInvalid } from '../../kube/errors.ts';
import { asApplied } from '../../kube/managed-fields.ts';
import type { Stored } from '../../kube/store.ts';
import type { KubeObject, Live, Resource } from '../../kube/types.ts';
import type { LiveObject } from '../../release/state/drift.ts';
import { desiredHash, hasStoredForm, objectKey } from '../../release/state/drift.ts';
import type { DesiredObject, FieldOwners } from '../../release/record/kube-objects.ts';
import { contentOf } from '../../release/record/kube-objects.ts';
import type { Cache } from '../kinds/caches.ts';
import { accessTo } from '../kinds/owned.ts';
import type { Scope } from './contact.ts';
import { conflict, makeNew } from './contact.ts';
import { noteRevert, noteStored } from './memory.ts';
import { formOf } from './stored-forms.ts';

type Cached = Stored & FieldOwners;

/**
 * `known`: the plan has seen the object, and the release owns it or has adopted it. Otherwise it is created by POST: an apply
 * would take over an object of somebody else, if no manager owns the fields. `before`: the live object of the plan.
 */
export async function applyOwned(
  scope: Scope,
  desired: DesiredObject,
  known: boolean,
  before = liveObject(scope, desired),
): Promise<void> {
  const { namespace, name } = desired.metadata;
  const { resource, cache } = accessTo(scope.context.caches, desired.kind);
  const live = cache.get(namespace, name) as Cached | undefined;
  if (!known && !isControlled(scope, live)) {
    await makeNew(scope, { resource, cache, name }, desired);
    return;
  }
  const target =
    live?.ownedByUpdate && !namesAll(desired, live) ? await ownByApply(scope, resource, cache, desired, live) : desired;
  const applied = await applyTo(scope, resource, target, live);
  // The apply may remove the other manager from the managed fields, so its name is read before.
  remember(scope, desired, applied, before, live?.otherManager ?? 'another manager');
  cache.observeWrite(applied);
}

export function liveObject({ context }: Scope, { kind, metadata }: DesiredObject): LiveObject | undefined {
  return accessTo(context.caches, kind).cache.get(metadata.namespace, metadata.name);
}

/** Whether an apply names every field of the live object that a release can own. */
export function namesAll(desired: DesiredObject, live: Pick<Cached, 'metadata'> & { spec?: unknown }): boolean {
  const { labels = {}, annotations = {}, ownerReferences = [] } = live.metadata as ObjectMeta;
  const { labels: ownLabels, annotations: ownAnnotations, ownerReferences: owners = [] } = desired.metadata;
  return (
    isNamed({ labels, annotations }, { labels: ownLabels ?? {}, annotations: ownAnnotations ?? {} }) &&
    ownerReferences.every(({ uid }) => owners.some((owner) => owner.uid === uid)) &&
    Object.entries(contentOf(desired)).every(([field, sent]) => isNamed(Reflect.get(live, field), sent))
  );
}

/** Fields of a Service that the API server sets, with the default that it sets; undefined: any value. */
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

/** Whether the release owns the object, whatever its labels and annotations are. */
function isControlled({ release }: Scope, live: Cached | undefined): boolean {
  const { ownerReferences } = (live?.metadata ?? {}) as Partial<ObjectMeta>;
  return ownerReferences?.some(({ uid }) => uid === release.metadata.uid) ?? false;
}

/** Without a resourceVersion, the apply has the live uid, so that it does not take over a new object of the same name. */
async function applyTo(
  { context }: Scope,
  resource: Resource,
  desired: DesiredObject,
  live: Cached | undefined,
): Promise<Live<KubeObject>> {
  const { resourceVersion, name } = desired.metadata;
  const uid = resourceVersion === undefined && live !== undefined && { uid: live.metadata.uid };
  const sent = { ...desired, metadata: { ...desired.metadata, ...uid } };
  try {
    return await context.client.apply(resource, sent, { fieldManager: FIELD_MANAGER, force: true });
  } catch (error) {
    if (!isInvalid(error) || !error.causes.some(({ field }) => field === 'metadata.uid')) throw error;
    throw conflict(name, `${desired.kind} ${name} was deleted and created again`);
  }
}

/**
 * After a POST or a patch, the operator owns fields by update, and an apply would not remove them. So the first apply moves
 * the ownership to apply. The POST does not, since most Deployments never need an apply.
 */
async function ownByApply(
  { context }: Scope,
  resource: Resource,
  cache: Cache<Stored>,
  desired: DesiredObject,
  known: Cached,
): Promise<DesiredObject> {
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

/** Notes the stored form. A put-back is an apply of the same desired state as before to an object that had drifted from it. */
function remember(
  scope: Scope,
  desired: DesiredObject,
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
      ? `${manager} keeps changing ${object}: the operator ${object.startsWith('Service/') ? 'puts its selector back every 5 s, and leaves the rest' : 'leaves it'} alone for a while`
      : `put back the changes of ${manager} in ${object}`,
  });
}
