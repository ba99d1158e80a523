import { describe, expect, test } from 'vitest';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import { makeAutoscaler } from '../pools/autoscaler.ts';
import { makeBudget } from '../pools/disruption-budget.ts';
import { meta, revision, spec } from '../testing.ts';
import { makeDeployment } from './desired.ts';
import type { DesiredObject } from './kube-objects.ts';
import { topologyOf } from './revision.ts';
import { hasOtherKeys, hasWorkloadMetadata, withWorkloadMetadata } from './workload-metadata.ts';

const TEAM = {
  labels: { team: 'shop', [LABEL.managedBy]: 'Helm' },
  annotations: { 'example.com/cost': '42' },
};
const owner = meta('web');
const key = 'k';

function made(workloadMetadata?: object): DesiredObject[] {
  const wanted = spec({ ...(workloadMetadata && { workloadMetadata }) });
  const topology = topologyOf(wanted);
  const placement = { nodeSelector: {}, tolerations: [] };
  const identity = { pool: 'a', revision: revision(1, wanted), placement, strategy: 'BlueGreen' as const, key };
  const autoscaling = { minReplicas: 1, maxReplicas: 2 };
  return [
    makeDeployment({ owner, identity, track: 't', replicas: 1, topology }),
    makeAutoscaler({ owner, pool: 'a', autoscaling, target: 'web-a-1', topology }),
    makeBudget({ owner, topology }, { name: 'web-a-1', pool: 'a' }),
  ];
}

test('Deployments, autoscalers and budgets have the metadata of the user', () => {
  for (const { metadata } of made(TEAM)) {
    expect(metadata.labels).toMatchObject({ team: 'shop', [LABEL.managedBy]: 'Helm', [LABEL.pool]: 'a' });
    expect(metadata.annotations).toMatchObject({ 'example.com/cost': '42' });
  }
});

test('the pods do not have it', () => {
  const [with_, without] = [made(TEAM), made()].map(
    ([deployment]) => (deployment?.spec as { template: object }).template,
  );
  expect(with_).toEqual(without);
});

test('without it the objects are as before', () => {
  expect(made({})).toEqual(made());
  for (const { metadata } of made())
    expect(metadata.annotations ?? {}).not.toHaveProperty([ANNOTATION.workloadMetadata]);
});

describe('a live object', () => {
  function withKeys(labels: Record<string, string>, annotations: Record<string, string> = {}) {
    return { workloadMetadata: { labels, annotations } };
  }
  function live(topology: object) {
    return { metadata: withWorkloadMetadata(topology, { labels: { other: 'x' }, annotations: { other: 'x' } }) };
  }
  const topology = withKeys({ team: 'shop' }, { cost: '42' });

  test.each([
    ['the same metadata', topology, true],
    ['another value of a label', withKeys({ team: 'bank' }, { cost: '42' }), false],
    ['another value of an annotation', withKeys({ team: 'shop' }, { cost: '43' }), false],
    ['a label less', withKeys({}, { cost: '42' }), false],
    ['an annotation more', withKeys({ team: 'shop' }, { cost: '42', more: '1' }), false],
    ['no metadata of the user', {}, false],
  ])('with %s', (_what, before, expected) => {
    expect(hasWorkloadMetadata(topology, live(before))).toBe(expected);
  });

  test('has other keys after a removal, and not after a change of a value', () => {
    const desired = live(topology);
    expect(hasOtherKeys(desired, live(withKeys({ team: 'shop', more: '1' }, { cost: '42' })))).toBe(true);
    expect(hasOtherKeys(live({}), desired)).toBe(true);
    expect(hasOtherKeys(desired, live(withKeys({ team: 'bank' }, { cost: '42' })))).toBe(false);
    expect(hasOtherKeys(live({}), live({}))).toBe(false);
  });
});
