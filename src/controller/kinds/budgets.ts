import { LABEL } from '../../api/meta.ts';
import type { Live } from '../../kube/types.ts';
import type { Budget, BudgetSpec } from '../../release/record/kube-objects.ts';
import { bindingOf } from './budget-index.ts';
import { NAMESPACE_INDEX, releaseOfLabel } from './indexes.ts';
import type { NeighbourCaches } from './row.ts';
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

/** The releases whose pods a budget that belongs to no release may select. */
export function neighboursOf(budget: Budget, { releases, deployments }: NeighbourCaches): string[] {
  const { namespace } = budget.metadata;
  if (releaseOfLabel(budget).length > 0 || !budget.spec.selector) return [];
  const binding = bindingOf(budget);
  if (binding?.label === LABEL.release) return [`${namespace}/${binding.value}`];
  if (binding) {
    const deployment = deployments.get(namespace, binding.value);
    return deployment ? releaseOfLabel(deployment) : [];
  }
  return releases.byIndex(NAMESPACE_INDEX, namespace).map(({ metadata }) => `${namespace}/${metadata.name}`);
}
