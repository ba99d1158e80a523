import { describe, expect, test } from 'vitest';
import { LABEL } from '../../api/meta.ts';
import type { DesiredRoute, Route } from '../record/kube-objects.ts';
import { plan } from '../plan.ts';
import { meta, NOW } from '../testing.ts';
import type { Words } from '../world-testing.ts';
import { GOOD, world } from '../world-testing.ts';
import { refusalHash } from './desired-route.ts';
import { exposing } from './exposure-testing.ts';
import { GATEWAY, liveRouteOf } from './route-testing.ts';

const PORTS = [
  { name: 'http', port: 80, targetPort: 80 },
  { name: 'admin', port: 8080, targetPort: 8080 },
];

/** Both pools serve revision 1. */
function routed(route: object | undefined, more: Words = {}): Words {
  const pools = { a: { spec: { weight: 5 } }, b: { spec: { weight: 95 } } };
  return {
    wants: 1,
    revisions: { 1: { in: { a: GOOD, b: GOOD } } },
    pools,
    spec: { ...(route && { route: { ...GATEWAY, ...route } }), service: { ports: PORTS } },
    ...more,
  };
}

/** One port, so that a rule needs none. */
const ONE_PORT = { service: { ports: [PORTS[0]] } };

function routeActions(words: Words) {
  const { actions } = plan(world(words), NOW);
  return actions.filter(
    (action) =>
      action.kind.endsWith('Route') || (action.kind === 'DryRunApply' && action.desired.kind.endsWith('Route')),
  );
}

function desiredRoute(words: Words): DesiredRoute {
  const [action] = routeActions(words);
  if (action?.kind !== 'ApplyHTTPRoute' && action?.kind !== 'ApplyGRPCRoute') throw new Error('no route is applied');
  return action.desired;
}

describe('the route', () => {
  test('leads each rule to the Services of all pools, at its port', () => {
    const rules = [
      { port: 'http', timeouts: { request: '5s' } },
      { port: 'admin', matches: [{ path: { value: '/admin' } }] },
    ];
    expect(desiredRoute(routed({ rules })).spec).toEqual({
      ...GATEWAY,
      rules: [
        {
          timeouts: { request: '5s' },
          backendRefs: [
            { name: 'web-a', port: 80, weight: 5 },
            { name: 'web-b', port: 80, weight: 95 },
          ],
        },
        {
          matches: [{ path: { value: '/admin' } }],
          backendRefs: [
            { name: 'web-a', port: 8080, weight: 5 },
            { name: 'web-b', port: 8080, weight: 95 },
          ],
        },
      ],
    });
  });

  test('has one rule for all requests if the spec has none', () => {
    const backendRefs = [
      { name: 'web-a', port: 80, weight: 5 },
      { name: 'web-b', port: 80, weight: 95 },
    ];
    expect(desiredRoute(routed({}, { spec: { route: GATEWAY, ...ONE_PORT } })).spec.rules).toEqual([{ backendRefs }]);
  });

  test('has the metadata of the spec, and its own', () => {
    const metadata = {
      labels: { team: 'shop', [LABEL.release]: 'other' },
      annotations: { 'external-dns.alpha.kubernetes.io/ttl': '60' },
    };
    expect(desiredRoute(routed({ metadata, name: 'shop', rules: [{ port: 'http' }] })).metadata).toMatchObject({
      name: 'shop',
      namespace: 'shop',
      labels: { team: 'shop', [LABEL.release]: 'web', [LABEL.managedBy]: 'apprelease' },
      annotations: metadata.annotations,
      ownerReferences: [{ kind: 'AppRelease', name: 'web', controller: true }],
    });
  });

  test('may be a GRPCRoute', () => {
    expect(desiredRoute(routed({ kind: 'GRPCRoute', rules: [{ port: 'http' }] }))).toMatchObject({
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'GRPCRoute',
    });
  });
});

describe('the route is written', () => {
  const plain = { ...routed({}), spec: { route: GATEWAY, ...ONE_PORT } };
  const standing = { weights: { 'web-a': 5, 'web-b': 95 } };
  function withRoutes(httpRoutes: Route[], more: Words['more'] = {}): Words {
    return { ...plain, more: { httpRoutes, ...more } };
  }
  const refused = { reason: 'RouteRejected', message: 'no' } as const;
  const rows: [string, Words, string | undefined][] = [
    ['if there is none', plain, 'ApplyHTTPRoute'],
    ['not if it is as it should be', withRoutes([liveRouteOf(standing)]), undefined],
    ['if its weights differ', withRoutes([liveRouteOf({ weights: { 'web-a': 1, 'web-b': 1 } })]), 'ApplyHTTPRoute'],
    [
      'after a dry run if another field differs',
      withRoutes([liveRouteOf({ ...standing, spec: { hostnames: ['other.example.com'] } })]),
      'DryRunApply',
    ],
    [
      'not before a pool has its Service',
      { ...plain, pools: { a: { serves: 0 }, b: { serves: 0 } }, revisions: { 1: {} } },
      undefined,
    ],
    [
      'not while the cluster has no such kind',
      { ...plain, more: { routeAbsence: () => 'NotFound' as const } },
      undefined,
    ],
    [
      'not if its name belongs to somebody else',
      { ...plain, memory: { nameConflicts: new Map([['HTTPRoute/web', 'taken']]) } },
      undefined,
    ],
    [
      'not again if the API server refused it',
      {
        ...plain,
        memory: { refused: new Map([['HTTPRoute/web', { hash: refusalHash(desiredRoute(plain)), ...refused }]]) },
      },
      undefined,
    ],
    [
      'again if another one was refused',
      { ...plain, memory: { refused: new Map([['HTTPRoute/web', { hash: 'other', ...refused }]]) } },
      'ApplyHTTPRoute',
    ],
    ['while the release is paused', { ...plain, paused: 'holidays' }, 'ApplyHTTPRoute'],
  ];
  test.each(rows)('%s', (_what, words, expected) => {
    expect(routeActions(words).map(({ kind }) => kind)).toEqual(expected === undefined ? [] : [expected]);
  });

  test('beside a route of somebody else, which is left alone', () => {
    const foreign = { ...liveRouteOf(standing), metadata: meta('web', { labels: { [LABEL.release]: 'web' } }) };
    const [action] = routeActions(withRoutes([foreign]));
    expect(action).toMatchObject({ kind: 'ApplyHTTPRoute', force: false });
  });
});

describe('a stage with a match', () => {
  function rulesOf(rules: object[] | undefined): unknown {
    const match = [
      { headers: [{ name: 'x-release', value: 'next', type: 'Exact' as const }] },
      { headers: [{ name: 'cookie', value: 'next=1', type: 'RegularExpression' as const }] },
    ];
    const base = exposing({
      next: 1,
      weights: 'none',
      words: {
        stages: { canary: { match } },
        wants: 1,
        revisions: { 1: { in: { a: GOOD, b: GOOD } } },
        spec: { route: { ...GATEWAY, ...(rules && { rules }) } },
      },
    });
    const written = plan(base, NOW).actions.find(({ kind }) => kind === 'ApplyHTTPRoute');
    return written?.kind === 'ApplyHTTPRoute' && written.desired.spec.rules;
  }
  const first = { headers: [{ name: 'x-release', value: 'next', type: 'Exact' }] };
  const second = { headers: [{ name: 'cookie', value: 'next=1', type: 'RegularExpression' }] };
  const NEXT = [{ name: 'web-a-next', port: 80, weight: 20 }];
  const ALL = [
    { name: 'web-a', port: 80, weight: 20 },
    { name: 'web-b', port: 80, weight: 80 },
  ];

  test('has a rule for its headers before the rule for all requests', () => {
    expect(rulesOf(undefined)).toEqual([{ matches: [first, second], backendRefs: NEXT }, { backendRefs: ALL }]);
  });

  test('has each rule once more, with its headers in every match, and its filters', () => {
    const rule = {
      name: 'api',
      matches: [
        { path: { type: 'PathPrefix', value: '/api' }, headers: [{ name: 'x', value: 'y' }] },
        { method: 'GET' },
      ],
      filters: [{ type: 'ResponseHeaderModifier' }],
    };
    const [api, get] = rule.matches;
    expect(rulesOf([rule])).toEqual([
      {
        matches: [
          { ...api, headers: [{ name: 'x', value: 'y' }, ...first.headers] },
          { ...api, headers: [{ name: 'x', value: 'y' }, ...second.headers] },
          { ...get, ...first },
          { ...get, ...second },
        ],
        filters: rule.filters,
        backendRefs: NEXT,
      },
      { ...rule, backendRefs: ALL },
    ]);
  });
});
