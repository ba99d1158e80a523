/** Names that the release cannot use, because an object that is being deleted still has them. Pure. */
import type { ObjectMeta } from '../../api/common.ts';
import type { Action } from '../record/actions.ts';
import { isApply } from '../record/actions.ts';
import { APPLIED_KINDS } from '../record/kube-objects.ts';
import { ownershipOf } from '../record/ownership.ts';
import type { Observed } from './observed.ts';
import { OWNED_FIELDS } from './observed.ts';

/** Kind/name → why the name is not free. */
export type HeldNames = ReadonlyMap<string, string>;

/** The objects of the release that are being deleted, and those of an earlier release of this name. */
export function heldNames(observed: Observed): HeldNames {
  const { metadata: owner } = observed.release;
  return new Map(
    [...APPLIED_KINDS, 'ControllerRevision' as const].flatMap((kind) =>
      observed[OWNED_FIELDS[kind]]
        .filter((object) => isLeaving(object.metadata, owner))
        .map(({ metadata }) => [`${kind}/${metadata.name}`, messageOf(kind, metadata)] as const),
    ),
  );
}

function isLeaving(metadata: ObjectMeta, owner: ObjectMeta): boolean {
  const ownership = ownershipOf(metadata, owner);
  return ownership === 'LeftBehind' || (ownership !== 'Foreign' && metadata.deletionTimestamp !== undefined);
}

function messageOf(kind: string, { name, finalizers = [], deletionTimestamp }: ObjectMeta): string {
  if (deletionTimestamp === undefined)
    return `${kind} ${name} of the deleted AppRelease of this name still exists: the garbage collector removes it, or remove it`;
  const what = `${kind} ${name} is being deleted`;
  return finalizers.length === 0
    ? `${what}, and its name is not free yet`
    : `${what}, and its finalizers keep its name: wait for their controllers, or remove them: ${finalizers.join(', ')}`;
}

/** Why an action that creates an object has to wait: the name is not free, or nothing can be created. */
export function creationWait(
  { memory }: Pick<Observed, 'memory'>,
  held: HeldNames,
  action: Action,
): string | undefined {
  const object = createdBy(action);
  if (object === undefined) return undefined;
  return memory.terminating ? 'the namespace is being deleted' : held.get(object);
}

/** Kind/name of the object that an action creates; undefined if it changes or removes one. */
function createdBy(action: Action): string | undefined {
  if (isApply(action)) return action.force ? undefined : `${action.desired.kind}/${action.desired.metadata.name}`;
  switch (action.kind) {
    case 'CreateRevision':
    case 'CreateLedger':
      return `ControllerRevision/${action.name}`;
    case 'CreatePull':
      return `Pod/${action.pod.metadata.name}`;
    case 'CreateRollback':
      return `ReleaseRollback/${action.name}`;
    case 'DryRun':
      return action.exists ? undefined : `Deployment/${action.deployment.metadata.name} (dry run)`;
    default:
      return undefined;
  }
}
