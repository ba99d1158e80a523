import { describe, expect, test } from 'vitest';
import type { PodTemplate } from '../../api/app-release.ts';
import { revision, spec } from '../testing.ts';
import { hasSamePods, hasSamePorts, storedPods } from './same-pods.ts';
import type { Revision } from './revision.ts';

const MAIN = { name: 'main', image: 'web:1.0.0', ports: [{ name: 'http', containerPort: 80 }] };

/** `stored`: the hash of the pods of pool a as the API server stores them. */
function recorded(
  more: Record<string, unknown> = {},
  stored?: string,
  change: Partial<Revision['data']> = {},
): Revision {
  const base = revision(1, spec(more));
  return { ...base, data: { ...base.data, ...change, ...(stored !== undefined && { stored: { a: stored } }) } };
}

function withPod(container: object, pod: object = {}): Record<string, unknown> {
  return { template: { spec: { containers: [{ ...MAIN, ...container }], ...pod } } };
}

/** An override of one pool, the other one without any. */
function overridden(name: string): Record<string, unknown> {
  const [canary, production] = spec().stages;
  const template = { spec: { containers: [{ name: 'main', env: [{ name: 'DEBUG', value: 'on' }] }] } };
  return {
    stages: [canary, production].map((stage) => ({
      ...stage,
      pools: stage?.pools.map((pool) => (pool.name === name ? { ...pool, template } : pool)),
    })),
  };
}

const CPU = withPod({ resources: { requests: { cpu: '1' } } });
const MILLIS = withPod({ resources: { requests: { cpu: '1000m' } } });
const SPOT = { tolerations: [{ key: 'spot', operator: 'Exists' }] };

test.each<[what: string, one: Revision, other: Revision, same: boolean]>([
  ['the same template', recorded(), recorded(), true],
  ['another image', recorded(), recorded(withPod({ image: 'web:2' })), false],
  ['an override of another pool', recorded(), recorded(overridden('b')), true],
  ['an override of this pool', recorded(), recorded(overridden('a')), false],
  ['another version', recorded(), recorded({ version: '2.0.0' }), true],
  [
    'other ports of the Service',
    recorded(),
    recorded({ service: { ports: [{ port: 81, targetPort: 'http' }] } }),
    true,
  ],
  ['a barrier', recorded(), recorded({ rollback: { barrier: true } }), true],
  ['another spelling, stored in the same way', recorded(CPU, 'x'), recorded(MILLIS, 'x'), true],
  ['another spelling, stored otherwise', recorded(CPU, 'x'), recorded(MILLIS, 'y'), false],
  ['another spelling, of which one answer is missing', recorded(CPU, 'x'), recorded(MILLIS), false],
  ['other tolerations, which the stored form leaves out', recorded({}, 'x'), recorded(withPod({}, SPOT), 'x'), false],
  ['another renderer with the same result', recorded({}, undefined, { renderer: 1 }), recorded(), true],
  [
    'another renderer, by which the label of the user wins',
    recorded(
      {
        template: {
          metadata: { labels: { 'app.kubernetes.io/managed-by': 'us' } },
          ...(withPod({}).template as object),
        },
      },
      undefined,
      { renderer: 1 },
    ),
    recorded({
      template: { metadata: { labels: { 'app.kubernetes.io/managed-by': 'us' } }, ...(withPod({}).template as object) },
    }),
    false,
  ],
])('pods with %s', (_what, one, other, same) => {
  expect(hasSamePods(one, other, 'a')).toBe(same);
  expect(hasSamePods(other, one, 'a')).toBe(same);
});

test.each<[what: string, ports: object[], same: boolean]>([
  ['the same', [{ port: 80, targetPort: 'http' }], true],
  ['another number', [{ port: 81, targetPort: 'http' }], false],
  ['another target', [{ port: 80 }], false],
  [
    'one more',
    [
      { name: 'a', port: 80, targetPort: 'http' },
      { name: 'b', port: 81 },
    ],
    false,
  ],
])('ports: %s', (_what, ports, same) => {
  expect(hasSamePorts(recorded(), recorded({ service: { ports } }))).toBe(same);
});

test('ports in another order are the same', () => {
  const ports = [
    { name: 'a', port: 80 },
    { name: 'b', port: 81 },
  ];
  expect(hasSamePorts(recorded({ service: { ports } }), recorded({ service: { ports: ports.toReversed() } }))).toBe(
    true,
  );
});

describe('the hash of a stored pod template', () => {
  const base: PodTemplate = { metadata: { labels: { app: 'web' } }, spec: { containers: [MAIN] } };

  test.each<[what: string, template: PodTemplate, same: boolean]>([
    ['labels of the operator', { ...base, metadata: { labels: { app: 'web', 'apprelease.dev/revision': '2' } } }, true],
    [
      'annotations of the operator',
      { ...base, metadata: { labels: { app: 'web' }, annotations: { 'apprelease.dev/version': '2' } } },
      true,
    ],
    ['the VMs', { ...base, spec: { ...base.spec, nodeSelector: { pool: 'a' }, ...SPOT } }, true],
    ['a label', { ...base, metadata: { labels: { app: 'other' } } }, false],
    ['an annotation', { ...base, metadata: { ...base.metadata, annotations: { restartedAt: 'now' } } }, false],
    ['a finalizer', { ...base, metadata: { ...base.metadata, finalizers: ['a/b'] } }, false],
    ['a field of a container', { ...base, spec: { containers: [{ ...MAIN, tty: true }] } }, false],
  ])('with other %s', (_what, template, same) => {
    expect(storedPods(template) === storedPods(base)).toBe(same);
  });
});
