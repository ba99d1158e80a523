/**
 * Finds the budgets that may select the pods of a release. Without the index, each pass would read all budgets of the
 * namespace, and so cost more with every further release.
 */
import type { ObjectMeta } from '../../api/common.ts';
import { LABEL } from '../../api/meta.ts';
import type { Store } from '../../kube/store.ts';
import type { Budget, Deployment } from '../../release/record/kube-objects.ts';
import { BUDGET_INDEX } from './indexes.ts';

/** Labels whose value belongs to one release: a budget with such a label in its selector selects no pods of others. */
const BINDING = [LABEL.workload, LABEL.release] as const;

type Binding = (typeof BINDING)[number];

/** The label that binds a budget's selector to one release; undefined if it may select the pods of any release. */
export function bindingOf({ spec: { selector } }: Budget): { label: Binding; value: string } | undefined {
  for (const label of BINDING) {
    const value = selector?.matchLabels?.[label];
    if (value !== undefined) return { label, value };
  }
  return undefined;
}

/** Keys: the binding of the selector, and the owners, since a budget of the release may have lost its label. */
export function indexBudget(budget: Budget): string[] {
  const { namespace, ownerReferences = [] } = budget.metadata;
  const binding = bindingOf(budget);
  const selected = binding ? boundTo(namespace, binding.label, binding.value) : unbound(namespace);
  // A budget without a selector selects no pod.
  return [...(budget.spec.selector ? [selected] : []), ...ownerReferences.map(({ uid }) => ownedBy(namespace, uid))];
}

function boundTo(namespace: string, label: Binding, value: string): string {
  return `${namespace}/${label}=${value}`;
}

function unbound(namespace: string): string {
  return `${namespace}/`;
}

function ownedBy(namespace: string, uid: string): string {
  return `${namespace}/owner ${uid}`;
}

/** The budgets without the label of the release that may select pods of its Deployments, or that it owns. */
export function budgetsBeside(
  { byIndex }: Pick<Store<Budget>, 'byIndex'>,
  { namespace, name, uid }: ObjectMeta,
  deployments: readonly Deployment[],
): Budget[] {
  const keys = deployments.flatMap(({ spec: { template } }) =>
    BINDING.flatMap((label) => {
      const value = template.metadata?.labels?.[label];
      return value === undefined ? [] : [boundTo(namespace, label, value)];
    }),
  );
  const all = new Set([unbound(namespace), ownedBy(namespace, uid), ...keys]);
  const found = new Set([...all].flatMap((key) => byIndex(BUDGET_INDEX, key)));
  return [...found].filter(({ metadata }) => metadata.labels?.[LABEL.release] !== name);
}
