/** Conflicts that repeat, because a cache is wrong and its watch brings no correction. */
import { isAlreadyExists, isConflict, isNamespaceTerminating, isNotFound } from '../../kube/errors.ts';
import type { Action, Target } from '../../release/record/actions.ts';
import { isApply, isDelete, ownedKind, ownedName } from '../../release/record/actions.ts';
import type { Caches } from '../kinds/caches.ts';
import type { Scope, Subject } from './contact.ts';
import { findOut } from './contact.ts';
import { PROMOTIONS, ROLLBACKS } from '../kinds/api-kinds.ts';
import { accessTo } from '../kinds/owned.ts';

/** A watch is usually some milliseconds late. After this number of conflicts in a row the object is read. */
const LOOK_AFTER = 3;

/** Whether the plan was made on stale data. A release in a namespace that terminates is deleted soon, too. */
export function isStale(error: unknown): boolean {
  return isConflict(error) || isAlreadyExists(error) || isNotFound(error) || isNamespaceTerminating(error);
}

/** Counts a write on stale data, and reads its objects from the API server after too many in a row. */
export async function noteConflict(scope: Scope, action: Action): Promise<void> {
  const { conflicts } = scope.memory;
  const subjects = subjectsOf(scope.context.caches, action);
  const [key] = subjects.map(keyOf);
  if (key === undefined) return;
  const times = (conflicts.get(key) ?? 0) + 1;
  conflicts.set(key, times);
  if (times >= LOOK_AFTER) await Promise.all(subjects.map((subject) => findOut(scope, subject)));
}

export function forgetConflict({ context, memory }: Scope, action: Action): void {
  for (const subject of subjectsOf(context.caches, action)) memory.conflicts.delete(keyOf(subject));
}

function keyOf({ resource, name }: Subject): string {
  return `${resource.kind}/${name}`;
}

/** The objects that an action writes to or is guarded by. Creations are left out: makeNew reads existing objects at once. */
function subjectsOf(caches: Caches, action: Action): Subject[] {
  if (isApply(action) || isDelete(action)) {
    const { guard } = action;
    return [
      { ...accessTo(caches, ownedKind(action)), name: ownedName(action) },
      ...(guard?.services ?? []).map(({ name }) => ({ ...accessTo(caches, 'Service'), name })),
    ];
  }
  switch (action.kind) {
    case 'AnnotateRevision':
    case 'OwnRevision':
      return [{ ...accessTo(caches, 'ControllerRevision'), name: action.target.name }];
    case 'AnnotatePod':
      return [{ ...accessTo(caches, 'Pod'), name: action.target.name }];
    case 'PatchRollback':
      return [rollback(caches, action.target)];
    case 'PatchPromotion':
      return [promotion(caches, action.target)];
    case 'KeepAnswer':
      return [action.of === 'ReleaseRollback' ? rollback(caches, action.target) : promotion(caches, action.target)];
    case 'CreateRevision':
    case 'CreateLedger':
    case 'CreatePull':
    case 'CreateRollback':
    case 'DryRun':
    case 'DryRunApply':
    case 'FindLost':
      return [];
  }
}

function rollback({ rollbacks }: Caches, { name }: Target): Subject {
  return { resource: ROLLBACKS, cache: rollbacks, name, isLabelled: false };
}

function promotion({ promotions }: Caches, { name }: Target): Subject {
  return { resource: PROMOTIONS, cache: promotions, name, isLabelled: false };
}
