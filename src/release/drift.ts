import type { ObjectMeta } from '../api/common.ts';
import { canonicalJson, shortHash } from './names.ts';
import type { Desired } from './objects.ts';
import type { Memory } from './observed.ts';

/** A desired state's identity, whatever version of the object it was made for. */
export function desiredHash(desired: Desired<unknown>): string {
  const { resourceVersion: _version, ...metadata } = desired.metadata;
  return shortHash({ ...desired, metadata });
}

/** What the API server made of our labels, annotations and owners. */
export function ownedMetadata({ metadata }: Desired<unknown>, live: { metadata: ObjectMeta }): string {
  function pick(own: Record<string, string> = {}, from: Record<string, string> = {}): [string, string | undefined][] {
    return Object.keys(own).map((key) => [key, from[key]]);
  }
  const owners = new Set(live.metadata.ownerReferences?.map(({ uid }) => uid));
  return canonicalJson([
    pick(metadata.labels, live.metadata.labels),
    pick(metadata.annotations, live.metadata.annotations),
    (metadata.ownerReferences ?? []).map(({ uid }) => owners.has(uid)),
  ]);
}

/**
 * Whether a live object must be applied anew. Not where it is what the API server made of just this desired state
 * before: then an admission webhook changes what we ask for, and to ask again would be a war.
 */
export function needsApply(memory: Memory, desired: Desired<unknown>, live: { metadata: ObjectMeta }): boolean {
  if (isOwnedEqual(desired, live) || memory.contested.has(`${desired.kind}/${desired.metadata.name}`)) return false;
  const applied = memory.applied.get(live.metadata.uid);
  if (applied === undefined || applied.hash !== desiredHash(desired)) return true;
  // A generation counts changes of the spec alone.
  if (applied.metadata !== ownedMetadata(desired, live)) return true;
  if (applied.spec !== undefined) return applied.spec !== canonicalJson((live as { spec?: unknown }).spec);
  const { generation, resourceVersion } = live.metadata;
  // Kinds without a generation, such as Services, have nothing better than the version.
  return generation === undefined ? applied.resourceVersion !== resourceVersion : applied.generation !== generation;
}

/**
 * Whether a live object has what we own of it. Only owned fields count: what the API server defaults and what others
 * add is theirs. Lists must be as long as ours; a Service's selector is one atomic field, so it must be equal.
 */
function isOwnedEqual(desired: Desired<unknown>, live: unknown): boolean {
  if (live === undefined) return false;
  const { resourceVersion: _version, ownerReferences = [], ...metadata } = desired.metadata;
  const selector = (desired.spec as { selector?: object }).selector;
  const liveSelector = (live as { spec?: { selector?: object } }).spec?.selector;
  if (desired.kind === 'Service' && selector && Object.keys(liveSelector ?? {}).length !== Object.keys(selector).length)
    return false;
  const owners = (live as { metadata: ObjectMeta }).metadata.ownerReferences ?? [];
  if (!ownerReferences.every((own) => owners.some((owner) => isSubset(own, owner)))) return false;
  return isSubset({ metadata, spec: desired.spec }, live);
}

function isSubset(part: unknown, whole: unknown): boolean {
  if (Array.isArray(part)) {
    if (whole === undefined) return isEmpty(part);
    return (
      Array.isArray(whole) && part.length === whole.length && part.every((item, index) => isSubset(item, whole[index]))
    );
  }
  if (part !== null && typeof part === 'object') {
    if (whole === null || typeof whole !== 'object') return isEmpty(part) && whole === undefined;
    return Object.entries(part).every(([key, value]) => isSubset(value, (whole as Record<string, unknown>)[key]));
  }
  return part === whole || (part === undefined && whole === undefined);
}

/** The API server drops empty maps and lists: `nodeSelector: {}` and `tolerations: []` come back as nothing. */
function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0;
}
