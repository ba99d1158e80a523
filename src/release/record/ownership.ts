/** Whose an object is, that stands where one of a release would. Pure. */
import type { ObjectMeta } from '../../api/common.ts';
import { ANNOTATION, LABEL } from '../../api/meta.ts';

export type Ownership =
  /** By its owner reference. */
  | 'Ours'
  /** Nobody controls it, and it carries the release's labels: it was ours, before a restore, or an orphaning deletion. */
  | 'Orphan'
  /** Of an earlier release of the same name: it is on its way out with its owner. */
  | 'LeftBehind'
  | 'Foreign';

type Claimed = Pick<ObjectMeta, 'labels' | 'annotations' | 'ownerReferences'>;

export function ownershipOf(
  { labels, ownerReferences = [] }: Claimed,
  owner: Pick<ObjectMeta, 'name' | 'uid'>,
): Ownership {
  const controller = ownerReferences.find((reference) => reference.controller);
  const isControlledByOther = controller !== undefined && controller.uid !== owner.uid;
  if (!isControlledByOther && ownerReferences.some(({ uid }) => uid === owner.uid)) return 'Ours';
  if (controller?.kind === 'AppRelease' && controller.name === owner.name) return 'LeftBehind';
  const isMarked = labels?.[LABEL.managedBy] === 'apprelease' && labels[LABEL.release] === owner.name;
  return isMarked && controller === undefined ? 'Orphan' : 'Foreign';
}

/** Whether it is the release's, or may be taken back. */
export function isOurs({ metadata }: { metadata: Claimed }, owner: Pick<ObjectMeta, 'name' | 'uid'>): boolean {
  const ownership = ownershipOf(metadata, owner);
  return ownership === 'Ours' || ownership === 'Orphan';
}

/** A Service whose selector its owner hands over, to this release. */
export function isHandedOver({ metadata }: { metadata: Claimed }, owner: Pick<ObjectMeta, 'name' | 'uid'>): boolean {
  const ownership = ownershipOf(metadata, owner);
  const user = metadata.labels?.[LABEL.release] ?? owner.name;
  return (
    metadata.annotations?.[ANNOTATION.adopt] === 'true' &&
    user === owner.name &&
    (ownership === 'Foreign' || ownership === 'Orphan')
  );
}

/** What to do about an object of somebody else's. */
export function takenMessage(kind: string, { name, labels }: Claimed & { name: string }, release: string): string {
  const other = labels?.[LABEL.release] ?? release;
  if (other !== release) return `${kind} ${name} belongs to AppRelease ${other}: ${wayOut(kind)}`;
  const way =
    kind === 'Service'
      ? `annotate it with ${ANNOTATION.adopt}: "true" to hand its selector over, ${wayOut(kind)}`
      : wayOut(kind);
  return `${kind} ${name} belongs to somebody else: ${way}`;
}

function wayOut(kind: string): string {
  if (kind === 'Pod') return 'remove it';
  return kind === 'Service'
    ? 'remove it, or give the pool another serviceName'
    : 'remove it, or give the AppRelease another name';
}
