// The checker of the invariant detects violations, and nothing else.
import { describe, expect, test } from 'vitest';
import { LABEL } from '../../src/api/meta.ts';
import type { StateChange, Watched } from './invariant.ts';
import { judge } from './invariant.ts';

const release: Watched = { metadata: {}, spec: { stages: [{ pools: [{ name: 'a', replicas: 3 }] }] } };

function service(track: string): Watched {
  return { metadata: {}, spec: { selector: { [LABEL.track]: track } } };
}

function deployment(track: string, replicas: number): Watched {
  const labels = { [LABEL.track]: track, [LABEL.workload]: track };
  return { metadata: {}, spec: { replicas, template: { metadata: { labels } } } };
}

function pod(track: string, ready: boolean): Watched {
  const labels = { [LABEL.track]: track, [LABEL.workload]: track };
  return { metadata: { labels }, status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] } };
}

type Step = [kind: StateChange['kind'], name: string, object: Watched | undefined];

/** Three ready pods of version 1 serve; version 2 has the given number of ready pods. */
function world(readyOfTwo: number): Step[] {
  const pods = (track: string, ready: number): Step[] =>
    [0, 1, 2].map((index) => ['Pod', `${track}-${index}`, pod(track, index < ready)]);
  return [
    ['AppRelease', 'web', release],
    ['Service', 'web-a', service('1')],
    ['Deployment', 'web-1', deployment('1', 3)],
    ['Deployment', 'web-2', deployment('2', 3)],
    ...pods('1', 3),
    ...pods('2', readyOfTwo),
  ];
}

function violations(...steps: Step[]): string[] {
  // Events of different kinds arrive in any order; only their versions give the order.
  const history = steps.map(([kind, name, object], index) => ({ version: index + 1, kind, name, object })).toReversed();
  return judge(history).violations;
}

test('a switch to the same number of ready pods is allowed, to fewer is not', () => {
  expect(violations(...world(3), ['Service', 'web-a', service('2')])).toEqual([]);
  expect(violations(...world(2), ['Service', 'web-a', service('2')])).toEqual([
    expect.stringMatching(/^@11 .*: Service web-a went from 3 ready pods to 2, of 3$/),
  ]);
});

test('a pod that becomes ready after the switch does not count', () => {
  const late: Step = ['Pod', '2-2', pod('2', true)];
  expect(violations(...world(2), late, ['Service', 'web-a', service('2')])).toEqual([]);
  expect(violations(...world(2), ['Service', 'web-a', service('2')], late)).toHaveLength(1);
});

test('a rollback to no fewer ready pods is allowed', () => {
  const broken: Step[] = [0, 1].map((index) => ['Pod', `1-${index}`, pod('1', false)]);
  expect(violations(...world(1), ...broken, ['Service', 'web-a', service('2')])).toEqual([]);
});

test('a serving Deployment must not be scaled down or deleted', () => {
  expect(violations(...world(3), ['Deployment', 'web-1', deployment('1', 2)])).toHaveLength(1);
  expect(violations(...world(3), ['Deployment', 'web-1', undefined])).toHaveLength(1);
  expect(violations(...world(3), ['Service', 'web-a', undefined])).toHaveLength(1);
  const leaving = { ...deployment('1', 3), metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } };
  expect(violations(...world(3), ['Deployment', 'web-1', leaving])).toHaveLength(1);
});

test('a Deployment that does not serve may be deleted', () => {
  expect(violations(...world(3), ['Deployment', 'web-2', undefined])).toEqual([]);
  expect(violations(...world(3), ['Service', 'web-a', service('2')], ['Deployment', 'web-1', undefined])).toEqual([]);
});

test('fewer pods are allowed if fewer are wanted', () => {
  const smaller: Watched = { metadata: {}, spec: { stages: [{ pools: [{ name: 'a', replicas: 1 }] }] } };
  const scaled: Step = ['Deployment', 'web-1', deployment('1', 1)];
  expect(violations(...world(0), ['AppRelease', 'web', smaller], scaled)).toEqual([]);
  expect(violations(...world(0), scaled, ['AppRelease', 'web', smaller])).toHaveLength(1);
});

test('everything may be deleted with its release', () => {
  expect(violations(...world(0), ['AppRelease', 'web', undefined], ['Service', 'web-a', undefined])).toEqual([]);
});

test('writes that were not seen in order are not checked', () => {
  const history = [...world(0), ['Service', 'web-a', service('2')] satisfies Step].map(
    ([kind, name, object], index) => ({ version: index + 1, kind, name, object }),
  );
  expect(judge(history).judged).toBe(1);
  expect(judge(history, (version) => version > 10)).toEqual({ violations: [], judged: 0 });
});

describe('a Service of a release', () => {
  function ofRelease(object: Watched, name: string, more: object = {}): Watched {
    const { metadata, spec, ...rest } = object;
    const labels = { ...metadata.labels, [LABEL.release]: name };
    return { ...rest, metadata: { ...metadata, labels }, spec: { ...spec, ...more } };
  }
  const web = ofRelease(service('1'), 'web');
  const other = ofRelease(pod('1', true), 'other');
  const own = ofRelease(pod('1', true), 'web', { containers: [{ ports: [{ name: 'http' }] }] });
  const named = ofRelease(service('1'), 'web', { ports: [{ targetPort: 'grpc' }] });

  test.each<[string, Step[], string[]]>([
    [
      'leads to a pod of its own',
      [
        ['Service', 'web', web],
        ['Pod', 'p', own],
      ],
      [],
    ],
    [
      'must not lead to a pod of another that starts',
      [
        ['Service', 'web', web],
        ['Pod', 'p', other],
      ],
      ['@2 Service web leads to pod p of another release'],
    ],
    [
      'must not be switched to a pod of another',
      [
        ['Pod', 'p', other],
        ['Service', 'web', web],
      ],
      ['@2 Service web leads to pod p of another release'],
    ],
    [
      'is accused once',
      [
        ['Pod', 'p', other],
        ['Service', 'web', web],
        ['Service', 'web', web],
        ['Pod', 'p', other],
      ],
      ['@2 Service web leads to pod p of another release'],
    ],
    [
      'has no port that its pods have not',
      [
        ['Pod', 'p', own],
        ['Service', 'web', web],
        ['Service', 'web', named],
      ],
      ['@3 Service web has a port that pod p has not'],
    ],
  ])('%s', (_what, steps, expected) => {
    expect(violations(...steps)).toEqual(expected);
  });
});
