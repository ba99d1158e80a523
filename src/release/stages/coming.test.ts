import { expect, test } from 'vitest';
import type { Pod } from '../record/kube-objects.ts';
import { rollout } from '../testing.ts';
import type { Words } from '../world-testing.ts';
import { revisionNumbered, world } from '../world-testing.ts';
import { comingTo } from './coming.ts';

/** What revision 2 brings to pool b. `change`: of each pod of pool b. */
function coming(words: Words, change: (pod: Pod) => Partial<Pod> = () => ({})) {
  const made = world(words);
  const pods = made.pods.map((pod) => ({ ...pod, ...(pod.metadata.name.startsWith('web-b') && change(pod)) }));
  const seen = rollout({ ...made, pods });
  const pool = seen.pools.find(({ name }) => name === 'b');
  if (!pool) throw new Error('no pool b');
  return comingTo(seen, pool, revisionNumbered(seen, 2));
}

const admitted = {
  containers: [{ name: 'main', resources: { requests: { cpu: '250m' } } }],
  overhead: { cpu: '100m', memory: '1' },
};

test('the pods request what admission has added to a live pod', () => {
  expect(coming({}).shape.requests).toEqual({});
  expect(coming({}, () => ({ admitted })).shape.requests).toEqual({ cpu: 350, memory: 1 });
});

test('a pool without pods learns from the pods of another pool', () => {
  const words = { pools: { a: { serves: 0 } }, stages: { production: { pools: ['b', 'c'] } } };
  const seen = world({ ...words, pools: { ...words.pools, b: { serves: 0 } } });
  const pods = seen.pods.map((pod) => ({ ...pod, admitted }));
  const view = rollout({ ...seen, pods });
  const pool = view.pools.find(({ name }) => name === 'b');
  expect(pool && comingTo(view, pool, revisionNumbered(view, 2)).shape.requests).toMatchObject({ cpu: 350 });
});

test('pods that have ended are not there', () => {
  const words = { pools: { b: { beside: { 2: 1 } } } };
  const isEnded = ({ metadata }: Pod) => metadata.name.startsWith('web-b-2') && metadata.name.endsWith('-0');
  expect(coming(words).count).toBe(0);
  expect(coming(words, (pod) => (isEnded(pod) ? { phase: 'Failed' } : {})).count).toBe(1);
});

test('a spread by pod-template-hash counts only pods of the same Deployment', () => {
  const labelSelector = { matchLabels: { app: 'web' } };
  const matchLabelKeys = ['pod-template-hash'];
  const one = { topologyKey: 'zone', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', labelSelector, matchLabelKeys };
  const containers = [{ name: 'main', image: 'web:2', ports: [{ name: 'http', containerPort: 80 }] }];
  const template = { spec: { containers, topologySpreadConstraints: [one] } };
  const { shape, labelled } = coming({ pools: { b: { beside: { 2: 1 } } }, spec: { template } });
  const hash = shape.labels['pod-template-hash'];
  expect(hash).toBeDefined();
  const same = labelled.filter(({ labels }) => labels['pod-template-hash'] === hash);
  expect(same.flatMap(({ pods }) => pods.map(({ metadata }) => metadata.uid.replace(/-\d$/, '')))).toEqual(
    Array.from({ length: 2 }, () => expect.stringContaining('web-b-2') as string),
  );
  expect(labelled.length).toBeGreaterThan(1);
});
