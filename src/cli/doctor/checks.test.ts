import { describe, expect, test } from 'vitest';
import { toCustomResourceDefinition } from '../../api/crd.ts';
import { KINDS } from '../../api/kinds.ts';
import type { Facts } from './facts.ts';
import { CHECKS } from './checks.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const meta = { uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' };

type Crds = NonNullable<Facts['crds']>;
type Operator = NonNullable<Facts['operators']>[number];
type Release = NonNullable<Facts['releases']>[number];

const crds: Crds = new Map(
  KINDS.map((kind) => {
    const crd = structuredClone(toCustomResourceDefinition(kind));
    const status = { conditions: [{ type: 'Established', status: 'True' }] };
    return [kind.plural, { ...crd, metadata: { ...crd.metadata, ...meta }, status }] as const;
  }),
);

function withSpec(change: (properties: Record<string, object>) => void): Crds {
  const changed = structuredClone(crds);
  const { properties } =
    changed.get('appreleases')?.spec?.versions[0]?.schema?.openAPIV3Schema?.properties?.['spec'] ?? {};
  change(properties ?? {});
  return changed;
}

function deployment(ready: number, namespace = 'apprelease-system'): Operator {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'apprelease-operator', namespace, ...meta },
    spec: { replicas: 2, template: { spec: { containers: [{ name: 'operator', image: 'r/operator:1' }] } } },
    status: { readyReplicas: ready },
  };
}

function lease(holderIdentity: string, renewTime = '2026-01-01T00:00:00.000000Z'): Facts['lease'] {
  const spec = { holderIdentity, renewTime };
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'x', ...meta }, spec };
}

function release(name: string, ready?: { status: string; reason: string }, stalled = false): Release {
  const conditions = [
    ready && { type: 'Ready', ...ready },
    stalled && { type: 'Stalled', status: 'True', reason: 'x' },
  ];
  const status = ready && { observedGeneration: 1, conditions: conditions.filter((one) => one) };
  return { metadata: { name, namespace: 'shop', ...meta }, spec: {}, status } as unknown as Release;
}

const WELL: Facts = {
  serverVersion: 'v1.36.3',
  crds,
  operators: [deployment(2)],
  lease: lease('pod-1'),
  policies: new Set(['requested-by', 'gates', 'records', 'tenants'].map((name) => `${name}.apprelease.dev`)),
  releases: [release('web', { status: 'True', reason: 'Released' })],
  now: NOW,
};

function findings(facts: Partial<Facts>): string[] {
  return CHECKS.flatMap(({ find }) => find({ ...WELL, ...facts }))
    .filter(({ state }) => state !== 'ok')
    .map(({ state, text }) => `${state}: ${text}`);
}

test('a good installation has no finding, and each check says what it saw', () => {
  expect(findings({})).toEqual([]);
  expect(CHECKS.map(({ find }) => find(WELL).length)).toEqual(CHECKS.map(() => 1));
});

describe('a finding says the way out:', () => {
  test.each<[string, Partial<Facts>, string[]]>([
    ['an old API server', { serverVersion: 'v1.33.9' }, ['bad: v1.33.9 is too old: AppRelease needs 1.34 or newer']],
    [
      'a kind that is not installed',
      { crds: new Map([...crds, ['vmpools', undefined]]) },
      ['bad: vmpools.apprelease.dev is not installed: kubectl apply --server-side -k crds, or install the chart'],
    ],
    [
      'older CRDs',
      { crds: withSpec((spec) => delete spec['route']) },
      [
        'warning: appreleases.apprelease.dev is older than this plugin, and lacks spec.route: upgrade the CRDs before the operator',
      ],
    ],
    [
      'newer CRDs',
      { crds: withSpec((spec) => Object.assign(spec, { a: {}, b: {}, c: {}, d: {} })) },
      [
        'warning: appreleases.apprelease.dev is newer than this plugin, and has spec.a, spec.b, spec.c and 1 more fields: upgrade the plugin',
      ],
    ],
    [
      'no operator',
      { operators: [], lease: undefined },
      [expect.stringMatching(/^bad: no Deployment has the label .*: install the operator/) as string],
    ],
    [
      'an operator that does not start',
      { operators: [deployment(0)], lease: 'none' },
      [
        'bad: apprelease-system/apprelease-operator has no ready pod of 2: kubectl logs -n apprelease-system deployment/apprelease-operator',
        'bad: no operator has led yet: see the log of the operator',
      ],
    ],
    [
      'an operator without its standby',
      { operators: [deployment(1)] },
      ['warning: apprelease-system/apprelease-operator has 1 of 2 ready pods (r/operator:1)'],
    ],
    [
      'two operators',
      { operators: [deployment(2), deployment(2, 'other')] },
      ['warning: operators run in the namespaces apprelease-system, other: each must watch namespaces of its own'],
    ],
    ['no leader', { lease: lease('') }, ['bad: no operator leads: nothing is promoted or rolled back']],
    [
      'a leader that hangs',
      { lease: lease('pod-1', '2025-12-31T23:58:00Z') },
      ['bad: pod-1 leads, and has not renewed its Lease for 120 s: is it running?'],
    ],
    [
      'a missing policy',
      { policies: new Set([...(WELL.policies ?? [])].filter((name) => !name.startsWith('gates'))) },
      [expect.stringMatching(/^warning: gates.apprelease.dev is not in force: who may edit a release may/) as string],
    ],
    [
      'releases that nobody sees, and some that need a person',
      {
        releases: [
          ...['a', 'b', 'c', 'd'].map((name) => release(name)),
          release('web', { status: 'False', reason: 'Failed' }, true),
          release('waits', { status: 'False', reason: 'Soaking' }),
        ],
      },
      [
        'bad: no operator has seen shop/a, shop/b, shop/c and 1 more releases: it does not run, or watches other namespaces',
        'warning: shop/web need a person: see kubectl apprelease get',
      ],
    ],
  ])('%s', (_what, facts, expected) => {
    expect(findings(facts)).toEqual(expected);
  });
});

test('policies of an operator for some namespaces count', () => {
  const policies = [...(WELL.policies ?? [])].map((name) =>
    name.replace('.apprelease.dev', '.shop-operator.apprelease.dev'),
  );
  expect(findings({ policies: new Set(policies) })).toEqual([]);
});

test('without rights nothing is claimed', () => {
  const nothing = { crds: undefined, operators: undefined, lease: undefined, policies: undefined, releases: undefined };
  expect(findings(nothing).map((text) => text.split(':')[0])).toEqual(Array.from({ length: 5 }, () => 'unknown'));
});
