/**
 * Which budgets may select the pods of a release. Every release owns some, so that to look at all of a namespace in each pass
 * would cost every release more with each further one.
 */
import type { ObjectMeta } from '../../api/common.ts';
import { LABEL } from '../../api/meta.ts';
import type { Store } from '../../kube/store.ts';
import type { Budget, Deployment } from '../../release/record/kube-objects.ts';
import { BUDGET_INDEX } from './indexes.ts';

/** Labels whose value belongs to one release alone: a budget that asks for it selects no pods of others. */
const BINDING = [LABEL.workload, LABEL.release] as const;

type Binding = (typeof BINDING)[number];

/** What ties the selector of a budget to one release; undefined for one that may select the pods of any. */
export function bindingOf({ spec: { selector } }: Budget): { label: Binding; value: string } | undefined {
  for (const label of BINDING) {
    const value = selector?.matchLabels?.[label];
    if (value !== undefined) return { label, value };
  }
  return undefined;
}

/** By what its selector is bound to, and by its owners: one of a release's own may have lost its label. */
export function indexBudget(budget: Budget): string[] {
  const { namespace, ownerReferences = [] } = budget.metadata;
  const binding = bindingOf(budget);
  const selected = binding ? boundTo(namespace, binding.label, binding.value) : unbound(namespace);
  // One without a selector selects no pod.
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

/** The budgets without a release's label that may select pods of its Deployments, or are its own. */
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
