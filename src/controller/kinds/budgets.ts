import type { AppRelease } from '../../api/app-release.ts';
import type { Live } from '../../kube/types.ts';
import type { Budget, BudgetSpec } from '../../release/record/kube-objects.ts';
import { releaseOfLabel } from './indexes.ts';
import type { WireObject } from './wire.ts';
import { resource, toCachedMetadata, toCachedOwners } from './wire.ts';

export const BUDGETS = resource<WireObject<{ spec: BudgetSpec }>>(
  'policy/v1',
  'PodDisruptionBudget',
  'poddisruptionbudgets',
);

export function toCachedBudget(object: Live<WireObject<{ spec: BudgetSpec }>>): Budget {
  return { metadata: toCachedMetadata(object), spec: object.spec, ...toCachedOwners(object) };
}

/** A budget that belongs to no release may select the pods of every release of its namespace. */
export function neighboursOf(budget: Budget, releases: readonly AppRelease[]): string[] {
  const { namespace } = budget.metadata;
  if (releaseOfLabel(budget).length > 0) return [];
  return releases
    .filter(({ metadata }) => metadata.namespace === namespace)
    .map(({ metadata }) => `${namespace}/${metadata.name}`);
}
