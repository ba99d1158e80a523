/** The owner of an object whose name the release needs. Pure. */
import type { ObjectMeta } from '../../api/common.ts';
import { ANNOTATION, LABEL } from '../../api/meta.ts';

export type Ownership =
  /** By its owner reference. */
  | 'Ours'
  /** The operator made the object for the release, and it has no controller, as after a restore or a deletion that orphans. */
  | 'Orphan'
  /** The object belongs to an earlier release of the same name, and is garbage collected with it. */
  | 'LeftBehind'
  | 'Foreign';

type Claimed = Pick<ObjectMeta, 'labels' | 'annotations' | 'ownerReferences'>;

export function ownershipOf(claimed: Claimed, owner: Pick<ObjectMeta, 'name' | 'uid'>): Ownership {
  const { labels, ownerReferences = [] } = claimed;
  const controller = ownerReferences.find((reference) => reference.controller);
  const isControlledByOther = controller !== undefined && controller.uid !== owner.uid;
  if (!isControlledByOther && ownerReferences.some(({ uid }) => uid === owner.uid)) return 'Ours';
  if (controller?.kind === 'AppRelease' && controller.name === owner.name) return 'LeftBehind';
  const isMarked = labels?.[LABEL.release] === owner.name && isMade(claimed);
  return isMarked && controller === undefined ? 'Orphan' : 'Foreign';
}

/** Annotations of objects on which a label of the user may replace app.kubernetes.io/managed-by. */
const MARKS = [ANNOTATION.revision, ANNOTATION.workloadMetadata];

/** Whether the operator made the object. */
export function isMade({ labels, annotations }: Claimed): boolean {
  return labels?.[LABEL.managedBy] === 'apprelease' || MARKS.some((mark) => annotations?.[mark] !== undefined);
}

/** Whether the object belongs to the release, or is an orphan that the release may adopt. */
export function isOurs({ metadata }: { metadata: Claimed }, owner: Pick<ObjectMeta, 'name' | 'uid'>): boolean {
  const ownership = ownershipOf(metadata, owner);
  return ownership === 'Ours' || ownership === 'Orphan';
}

/** Whether the annotation of a foreign Service hands its selector over to this release. */
export function isHandedOver({ metadata }: { metadata: Claimed }, owner: Pick<ObjectMeta, 'name' | 'uid'>): boolean {
  const ownership = ownershipOf(metadata, owner);
  const user = metadata.labels?.[LABEL.release] ?? owner.name;
  return (
    metadata.annotations?.[ANNOTATION.adopt] === 'true' &&
    user === owner.name &&
    (ownership === 'Foreign' || ownership === 'Orphan')
  );
}

/** The message about an object of somebody else, with the way out. */
export function takenMessage(kind: string, { name, labels }: Claimed & { name: string }, release: string): string {
  const other = labels?.[LABEL.release] ?? release;
  if (other !== release) return `${kind} ${name} belongs to AppRelease ${other}: ${wayOut(kind)}`;
  const way =
    kind === 'Service'
      ? `annotate it with ${ANNOTATION.adopt}: "true" to hand over its selector, ${wayOut(kind)}`
      : wayOut(kind);
  return `${kind} ${name} belongs to somebody else: ${way}`;
}

/** The message about a Service of somebody else with the name of a pool's second Service, which is never adopted. */
export function nextTakenMessage({ name }: { name: string }): string {
  return `Service ${name} belongs to somebody else, and a stage with match or exposure needs the name: ${wayOut('Service')}`;
}

function wayOut(kind: string): string {
  if (kind === 'Pod') return 'remove it';
  if (kind.endsWith('Route')) return 'remove it, or give the route another name in spec.route.name';
  return kind === 'Service'
    ? 'remove it, or give the pool another serviceName'
    : 'remove it, or give the AppRelease another name';
}
