import { expect, test } from 'vitest';
import { LABEL } from '../../api/meta.ts';
import { createStore } from '../../kube/store.ts';
import type { Budget, Deployment } from '../../release/record/kube-objects.ts';
import { meta } from '../../release/testing.ts';
import { bindingOf, budgetsBeside, indexBudget } from './budget-index.ts';
import { BUDGET_INDEX } from './indexes.ts';

const WEB = meta('web');
const DEPLOYMENT: Deployment = {
  metadata: meta('web-a-1'),
  spec: {
    template: {
      metadata: { labels: { [LABEL.release]: 'web', [LABEL.workload]: 'web-a-1' } },
      spec: { containers: [] },
    },
  } as unknown as Deployment['spec'],
};

function budget(name: string, selector: Budget['spec']['selector'], more: Partial<Budget['metadata']> = {}): Budget {
  return { metadata: meta(name, more), spec: { ...(selector && { selector }) } };
}

function by(label: string, value: string): Budget['spec']['selector'] {
  return { matchLabels: { [label]: value } };
}

/** The names of the budgets found for a release, and the number of budgets read from the cache. */
function beside(...budgets: Budget[]): { names: string[]; read: number } {
  const store = createStore<Budget>({ indexes: { [BUDGET_INDEX]: indexBudget }, onChange: () => undefined });
  for (const one of budgets) store.put(one, 'stream');
  let read = 0;
  function byIndex(index: string, value: string): readonly Budget[] {
    const found = store.byIndex(index, value);
    read += found.length;
    return found;
  }
  return { names: budgetsBeside({ byIndex }, WEB, [DEPLOYMENT]).map(({ metadata }) => metadata.name), read };
}

const owned = { ownerReferences: [{ apiVersion: 'v1', kind: 'AppRelease', name: 'web', uid: WEB.uid }] };

test.each<[what: string, seen: Budget, isBeside: boolean]>([
  ['that selects other labels', budget('any', by('app', 'web')), true],
  ['that selects every pod', budget('all', {}), true],
  ['that selects no pod', budget('none', undefined), false],
  ['with only expressions', budget('in', { matchExpressions: [{ key: LABEL.workload, operator: 'Exists' }] }), true],
  ['that selects the release', budget('release', by(LABEL.release, 'web')), true],
  ['that selects another release', budget('other', by(LABEL.release, 'api')), false],
  ['that selects a Deployment of the release', budget('workload', by(LABEL.workload, 'web-a-1')), true],
  ['that selects a Deployment of another release', budget('theirs', by(LABEL.workload, 'api-a-1')), false],
  ['that the release owns, without a label and a selector', budget('lost', undefined, owned), true],
  [
    'that has the label of the release',
    budget('own', by(LABEL.workload, 'web-a-1'), { labels: { [LABEL.release]: 'web' } }),
    false,
  ],
  ['in another namespace', budget('far', by('app', 'web'), { namespace: 'bank' }), false],
])('a budget %s', (_what, seen, isBeside) => {
  expect(beside(seen).names).toEqual(isBeside ? [seen.metadata.name] : []);
});

test('the budgets of other releases are not read', () => {
  const others = Array.from({ length: 1000 }, (_, index) =>
    budget(`api-${index}`, by(LABEL.workload, `api-${index}`), { labels: { [LABEL.release]: 'api' } }),
  );
  expect(beside(...others, budget('all', {}))).toEqual({ names: ['all'], read: 1 });
});

test('the narrower of two labels binds a budget to a release', () => {
  const both = { matchLabels: { [LABEL.release]: 'web', [LABEL.workload]: 'web-a-1' } };
  expect(bindingOf(budget('both', both))).toEqual({ label: LABEL.workload, value: 'web-a-1' });
  expect(bindingOf(budget('any', by('app', 'web')))).toBeUndefined();
});
