/** Whose an object is, that stands where one of ours would. */
import type { AppRelease } from '../api/app-release.ts';
import type { ObjectMeta } from '../api/common.ts';
import { ANNOTATION, LABEL } from '../api/meta.ts';
import { isConflict, isInvalid, KubeError } from '../kube/errors.ts';
import type { Desired } from '../release/objects.ts';
import type { Cache } from './caches.ts';

interface Claimant {
  release: AppRelease;
}

/** All releases write as one manager, so that the API server tells of no conflict between two of them. */
export function otherRelease<S>(
  { release }: Claimant,
  cache: Cache<S>,
  { metadata }: Desired<unknown>,
): string | undefined {
  const live = cache.get(metadata.namespace, metadata.name) as { metadata: ObjectMeta } | undefined;
  const owner = live?.metadata.labels?.[LABEL.release];
  return owner === release.metadata.name ? undefined : owner;
}

/** Made by this release, so that it is no first contact, whatever others made of its labels and annotations. */
export function isControlled<S>({ release }: Claimant, cache: Cache<S>, { metadata }: Desired<unknown>): boolean {
  const live = cache.get(metadata.namespace, metadata.name) as { metadata: ObjectMeta } | undefined;
  return live?.metadata.ownerReferences?.some(({ uid }) => uid === release.metadata.uid) ?? false;
}

/** Of an earlier release of this name: it is on its way out with its owner. */
export function isLeftBehind<S>({ release }: Claimant, cache: Cache<S>, { metadata }: Desired<unknown>): boolean {
  const { name, uid } = release.metadata;
  const live = cache.get(metadata.namespace, metadata.name) as { metadata: ObjectMeta } | undefined;
  return (live?.metadata.ownerReferences ?? []).some(
    (owner) => owner.kind === 'AppRelease' && owner.name === name && owner.uid !== uid,
  );
}

export function inTheWay({ kind, metadata }: Desired<unknown>): KubeError {
  const message = `${kind} ${metadata.name} of the release that was deleted is still there`;
  return new KubeError({ code: 409, reason: 'Conflict', message, verb: 'apply', path: metadata.name });
}

/** At the first contact: another manager owns a field, another owner controls the object, or what must not change differs. */
export function isForeign(error: unknown): error is KubeError {
  return isConflict(error) || (isInvalid(error) && /immutable|controller/i.test(error.message));
}

export function takenMessage(desired: Desired<unknown>, error: KubeError): string {
  const { kind, metadata } = desired;
  const way =
    kind === 'Service'
      ? `annotate it with ${ANNOTATION.adopt}: "true" to hand its selector over, ${wayOut(desired)}`
      : wayOut(desired);
  return `${kind} ${metadata.name} belongs to somebody else: ${way} (${error.message.replace(/^\S+ \S+: /, '').slice(0, 300)})`;
}

export function wayOut({ kind }: Desired<unknown>): string {
  return kind === 'Service'
    ? 'remove it, or give the pool another serviceName'
    : 'remove it, or give the AppRelease another name';
}
