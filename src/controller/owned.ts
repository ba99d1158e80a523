/** Server-side apply of what a release owns: whose an object is, what was put back, what the API server made of it. */
import type { AppRelease } from '../api/app-release.ts';
import type { ObjectMeta } from '../api/common.ts';
import { FIELD_MANAGER } from '../api/meta.ts';
import type { KubeObject, Resource } from '../kube/types.ts';
import { desiredHash, ownedMetadata } from '../release/drift.ts';
import { canonicalJson } from '../release/names.ts';
import type { Desired } from '../release/objects.ts';
import type { Cache } from './caches.ts';
import type { ReleaseMemory } from './memory.ts';
import { notePutBack } from './memory.ts';
import { inTheWay, isControlled, isForeign, isLeftBehind, otherRelease, takenMessage, wayOut } from './ownership.ts';
import { AUTOSCALERS } from './resources.ts';
import type { ReconcileContext } from './types.ts';

/** For whom an action is done. */
export interface Scope {
  context: ReconcileContext;
  release: AppRelease;
  memory: ReleaseMemory;
}

/** `asked`: whatever others say. Where it is not, and the object is somebody else's, that is noted and no error. */
export async function applyOwned<T extends KubeObject, S>(
  scope: Scope,
  resource: Resource<T>,
  cache: Cache<S>,
  desired: Desired<unknown>,
  asked: boolean,
): Promise<void> {
  const { context, memory } = scope;
  const force = asked || isControlled(scope, cache, desired);
  const object = `${desired.kind}/${desired.metadata.name}`;
  const other = otherRelease(scope, cache, desired);
  if (other !== undefined) {
    noteTaken(
      scope,
      object,
      `${desired.kind} ${desired.metadata.name} belongs to AppRelease ${other}: ${wayOut(desired)}`,
    );
    return;
  }
  // Read before: what we take back from it ends its being named.
  const manager = otherManagerOf(cache, desired);
  try {
    const applied = await context.client.apply(resource, desired as never, { fieldManager: FIELD_MANAGER, force });
    const { uid, resourceVersion, generation } = applied.metadata;
    const hash = desiredHash(desired);
    if (force && memory.applied.get(uid)?.hash === hash) putBack(scope, object, manager);
    const metadata = ownedMetadata(desired, applied as unknown as { metadata: ObjectMeta });
    const spec = desired.kind === AUTOSCALERS.kind && {
      spec: canonicalJson((applied as unknown as { spec: object }).spec),
    };
    memory.applied.set(uid, { hash, generation, resourceVersion, metadata, ...spec });
    cache.observeWrite(applied);
  } catch (error) {
    if (force || !isForeign(error)) throw error;
    if (isLeftBehind(scope, cache, desired)) throw inTheWay(desired);
    noteTaken(scope, object, takenMessage(desired, error));
  }
}

function noteTaken({ context, release, memory }: Scope, object: string, message: string): void {
  memory.taken.set(object, { message, at: context.now() });
  context.record(release, { type: 'Warning', reason: 'NameTaken', note: message });
}

function otherManagerOf<S>(cache: Cache<S>, { metadata }: Desired<unknown>): string {
  const live = cache.get(metadata.namespace, metadata.name) as { otherManager?: string } | undefined;
  return live?.otherManager ?? 'another manager';
}

function putBack({ context, release, memory }: Scope, object: string, manager: string): void {
  const gaveUp = notePutBack(memory, object, manager, context.now());
  context.record(release, {
    type: 'Warning',
    reason: gaveUp ? 'Contested' : 'DriftPutBack',
    note: gaveUp
      ? `${object} is kept otherwise by ${manager}: left alone for a while`
      : `put back what ${manager} changed in ${object}`,
  });
}
