/** Conflicts that stay: the caches tell what is not so, and no news of it comes. */
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

/** News is some milliseconds late; what is still not told after so many tries in a row is read. */
const LOOK_AFTER = 3;

/** The plan was made on old news: the next pass has better. Soon there is no release in a namespace that goes away. */
export function isStale(error: unknown): boolean {
  return isConflict(error) || isAlreadyExists(error) || isNotFound(error) || isNamespaceTerminating(error);
}

/** After a write on old news: counts it, and reads what it was about once that has happened too often. */
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

/** What an action writes to, and what it is guarded by. What is made anew is read at once: see makeNew. */
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
    default:
      return [];
  }
}
