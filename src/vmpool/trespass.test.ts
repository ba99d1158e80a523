import { expect, test } from 'vitest';
import type { Tenants } from '../api/vm-pool.ts';
import { placedPod } from '../scheduling/testing.ts';
import { trespassers } from './trespass.ts';

const LABELS: Record<string, Record<string, string>> = {
  shop: {},
  bank: { team: 'bank' },
  payments: { team: 'pay', tier: 'gold' },
  loans: { team: 'loans', tier: 'silver' },
  'kube-system': {},
};
const NAMESPACES = [...Object.keys(LABELS), 'just-created'];

type Selector = NonNullable<Tenants['namespaceSelector']>;

function selector(namespaceSelector: Selector): Tenants {
  return { namespaceSelector };
}

function expression(key: string, operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist', ...values: string[]): Tenants {
  return selector({ matchExpressions: [{ key, operator, ...(values.length > 0 && { values }) }] });
}

/** The same tenants as those of the policy in test/integration/tenants-controllers.test.ts. A namespace without known labels counts as selected. */
test.each<[what: string, tenants: Tenants | undefined, strangers: string[]]>([
  ['everybody', undefined, []],
  ['nobody', { namespaces: [] }, ['shop', 'bank', 'payments', 'loans', 'just-created']],
  ['by name', { namespaces: ['shop'] }, ['bank', 'payments', 'loans', 'just-created']],
  ['by labels', selector({ matchLabels: { team: 'pay', tier: 'gold' } }), ['shop', 'bank', 'loans']],
  [
    'by labels, in part',
    selector({ matchLabels: { team: 'bank', tier: 'gold' } }),
    ['shop', 'bank', 'payments', 'loans'],
  ],
  ['In', expression('team', 'In', 'bank', 'pay'), ['shop', 'loans']],
  ['NotIn', expression('team', 'NotIn', 'bank', 'pay'), ['bank', 'payments']],
  ['Exists', expression('tier', 'Exists'), ['shop', 'bank']],
  ['DoesNotExist', expression('tier', 'DoesNotExist'), ['payments', 'loans']],
  ['In nothing', expression('team', 'In'), ['shop', 'bank', 'payments', 'loans']],
  ['NotIn nothing', expression('team', 'NotIn'), ['shop', 'bank', 'payments', 'loans']],
  [
    'a name that every object has',
    selector({ matchLabels: { constructor: 'x' } }),
    ['shop', 'bank', 'payments', 'loans'],
  ],
  ['everybody by labels', selector({}), []],
  ['by name or by labels', { ...expression('tier', 'Exists'), namespaces: ['bank'] }, ['shop']],
])('tenants: %s', (_what, tenants, strangers) => {
  const pods = NAMESPACES.map((namespace) =>
    placedPod('vm', namespace, { metadata: { name: 'x', namespace, uid: namespace, resourceVersion: '1' } }),
  );
  const found = trespassers(tenants, pods, { labelsOf: (namespace) => LABELS[namespace], system: ['kube-system'] });
  expect(found.map(({ metadata }) => metadata.namespace)).toEqual(strangers);
});
