import { describe, expect, it, test } from 'vitest';
import type { Toleration } from '../api/app-release.ts';
import { admits, isFor, podShape, selects, tolerates } from './shape.ts';
import { vm } from './testing.ts';

function shape(spec: object) {
  return podShape({ spec: { containers: [{ name: 'main', image: 'web' }], ...spec } });
}

function affinity(...nodeSelectorTerms: object[]): object {
  return { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } } };
}

const taint = { key: 'pool', value: 'a', effect: 'NoSchedule' };

test.each<[string, Toleration, boolean]>([
  ['the same key, value and effect', { key: 'pool', operator: 'Equal', value: 'a', effect: 'NoSchedule' }, true],
  ['Equal by default, every effect', { key: 'pool', value: 'a' }, true],
  ['another value', { key: 'pool', value: 'b' }, false],
  ['another effect', { key: 'pool', operator: 'Exists', effect: 'NoExecute' }, false],
  ['another key', { key: 'gpu', operator: 'Exists' }, false],
  ['every key', { operator: 'Exists' }, true],
])('a toleration of %s', (_what, toleration, expected) => {
  expect(tolerates(toleration, taint)).toBe(expected);
});

test.each<[string, string, string, boolean]>([
  ['Gt', '3', '5', true],
  ['Gt', '5', '5', false],
  ['Lt', '5', '3', true],
  ['Lt', '3', '5', false],
])('a toleration %s %s of the value %s', (operator, bound, value, expected) => {
  const toleration = { key: 'pool', operator, value: bound } as Toleration;
  expect(tolerates(toleration, { ...taint, value })).toBe(expected);
});

describe('a VM admits', () => {
  test.each<[string, object, boolean]>([
    ['a pod without constraints', {}, true],
    ['by a label', { nodeSelector: { zone: 'a' } }, true],
    ['not by another', { nodeSelector: { zone: 'b' } }, false],
    ['In', affinity({ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a', 'b'] }] }), true],
    ['NotIn', affinity({ matchExpressions: [{ key: 'zone', operator: 'NotIn', values: ['a'] }] }), false],
    ['Exists', affinity({ matchExpressions: [{ key: 'gpu', operator: 'Exists' }] }), false],
    ['DoesNotExist', affinity({ matchExpressions: [{ key: 'gpu', operator: 'DoesNotExist' }] }), true],
    ['Gt', affinity({ matchExpressions: [{ key: 'disks', operator: 'Gt', values: ['1'] }] }), true],
    ['Lt', affinity({ matchExpressions: [{ key: 'disks', operator: 'Lt', values: ['2'] }] }), false],
    ['by name', affinity({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a-1'] }] }), true],
    [
      'not by another name',
      affinity({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a-2'] }] }),
      false,
    ],
    ['not by an empty term', affinity({}), false],
    [
      'by one of two terms',
      affinity(
        { matchExpressions: [{ key: 'gpu', operator: 'Exists' }] },
        {
          matchExpressions: [{ key: 'zone', operator: 'Exists' }],
        },
      ),
      true,
    ],
  ])('%s', (_what, spec, expected) => {
    expect(admits(vm('a-1', { labels: { zone: 'a', disks: '2' } }), shape(spec))).toBe(expected);
  });

  it('no pod that does not tolerate its taints; PreferNoSchedule keeps nothing out', () => {
    const tolerations = [{ key: 'pool', operator: 'Exists' }];
    expect(admits(vm('a', { taints: [taint] }), shape({}))).toBe(false);
    expect(admits(vm('a', { taints: [taint] }), shape({ tolerations }))).toBe(true);
    expect(admits(vm('a', { taints: [{ ...taint, effect: 'PreferNoSchedule' }] }), shape({}))).toBe(true);
  });

  it('no pod while it is cordoned, even before it has the taint', () => {
    expect(admits(vm('a', { unschedulable: true }), shape({}))).toBe(false);
  });
});

it('a VM is for its pods in any state, but not for pods that its pool’s taint keeps out', () => {
  const cordoned = [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }];
  const leaving = vm('a', { unschedulable: true, taints: [...cordoned, taint] });
  expect(isFor(leaving, shape({}))).toBe(false);
  expect(isFor(leaving, shape({ tolerations: [{ key: 'pool', operator: 'Exists' }] }))).toBe(true);
  expect(isFor(vm('a', { taints: [{ key: 'karpenter.sh/disrupted', effect: 'NoSchedule' }] }), shape({}))).toBe(true);
});

it('only constraints that keep a pod pending count', () => {
  const spread = { topologyKey: 'zone', maxSkew: 1 };
  const { spreads } = shape({
    topologySpreadConstraints: [
      { ...spread, whenUnsatisfiable: 'DoNotSchedule' },
      { ...spread, whenUnsatisfiable: 'ScheduleAnyway' },
    ],
  });
  expect(spreads).toHaveLength(1);
});

it('a selector must match completely', () => {
  const selector = { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'tier', operator: 'Exists' }] };
  expect(selects(selector, { app: 'web', tier: 'front' })).toBe(true);
  expect(selects(selector, { app: 'web' })).toBe(false);
  expect(selects({}, { app: 'web' })).toBe(true);
});
