/** Conflicts that repeat, because a cache is wrong and its watch brings no correction. */
import { isAlreadyExists, isConflict, isNamespaceTerminating, isNotFound } from '../../kube/errors.ts';
import type { Action } from '../../release/record/actions.ts';
import type { Caches } from '../kinds/caches.ts';
import type { Scope, Subject } from './contact.ts';
import { findOut } from './contact.ts';
import { PROMOTIONS, ROLLBACKS } from '../kinds/api-kinds.ts';
import { AUTOSCALERS } from '../kinds/autoscalers.ts';
import { BUDGETS } from '../kinds/budgets.ts';
import { DEPLOYMENTS } from '../kinds/deployments.ts';
import { PODS } from '../kinds/pods.ts';
import { REVISIONS } from '../kinds/revisions.ts';
import { SERVICES } from '../kinds/services.ts';

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
  const { revisions, deployments, services, autoscalers, budgets, pods, rollbacks, promotions } = caches;
  switch (action.kind) {
    case 'AnnotateRevision':
    case 'DeleteRevision':
    case 'OwnRevision':
      return [{ resource: REVISIONS, cache: revisions, name: action.target.name }];
    case 'ApplyDeployment':
    case 'DeleteDeployment': {
      const name = action.kind === 'ApplyDeployment' ? action.deployment.metadata.name : action.target.name;
      const guard = action.guard && { resource: SERVICES, cache: services, name: action.guard.service };
      return [{ resource: DEPLOYMENTS, cache: deployments, name }, ...(guard ? [guard] : [])];
    }
    case 'ApplyService':
      return [{ resource: SERVICES, cache: services, name: action.service.metadata.name }];
    case 'DeleteService':
      return [{ resource: SERVICES, cache: services, name: action.target.name }];
    case 'ApplyAutoscaler':
      return [{ resource: AUTOSCALERS, cache: autoscalers, name: action.autoscaler.metadata.name }];
    case 'DeleteAutoscaler':
      return [{ resource: AUTOSCALERS, cache: autoscalers, name: action.target.name }];
    case 'ApplyBudget':
      return [{ resource: BUDGETS, cache: budgets, name: action.budget.metadata.name }];
    case 'DeleteBudget':
      return [{ resource: BUDGETS, cache: budgets, name: action.target.name }];
    case 'AnnotatePod':
    case 'DeletePull':
      return [{ resource: PODS, cache: pods, name: action.target.name }];
    case 'PatchRollback':
    case 'OwnRollback':
      return [{ resource: ROLLBACKS, cache: rollbacks, name: action.target.name, isLabelled: false }];
    case 'PatchPromotion':
      return [{ resource: PROMOTIONS, cache: promotions, name: action.target.name, isLabelled: false }];
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
