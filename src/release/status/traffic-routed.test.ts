import { describe, expect, test } from 'vitest';
import type { RouteWords } from '../route/route-testing.ts';
import { GATEWAY, liveRouteOf, parent } from '../route/route-testing.ts';
import type { Words } from '../world-testing.ts';
import { GOOD, viewOf } from '../world-testing.ts';
import { stalled } from './ready.ts';
import { poolTraffic, trafficRouted } from './traffic-routed.ts';

const WEIGHTS = { weights: { 'web-a': 5, 'web-b': 95 } };

function routed(live?: RouteWords, more: Words = {}): Words {
  return {
    wants: 1,
    revisions: { 1: { in: { a: GOOD, b: GOOD } } },
    pools: { a: { spec: { weight: 5 } }, b: { spec: { weight: 95 } } },
    spec: { route: GATEWAY },
    ...(live && { more: { httpRoutes: [liveRouteOf(live)] } }),
    ...more,
  };
}

const refused = new Map([['HTTPRoute/web', { hash: '', reason: 'RouteRejected' as const, message: 'unknown field' }]]);
const taken = new Map([['HTTPRoute/web', 'HTTPRoute web belongs to somebody else']]);

describe('TrafficRouted', () => {
  test.each<[string, Words, string, RegExp, boolean?]>([
    ['is True once every Gateway has accepted the route', routed(WEIGHTS), 'True Accepted', /HTTPRoute web$/],
    [
      'is False without an answer',
      routed({ ...WEIGHTS, parents: [] }),
      'False WaitingForGateway',
      /gateways\/public has not answered/,
    ],
    [
      "has a Gateway's own words",
      routed({ ...WEIGHTS, parents: [parent({ Accepted: ['NoMatchingParent', 'no such listener'] })] }),
      'False NotAccepted',
      /NoMatchingParent\): no such listener/,
    ],
    ['is False before a pool has a Service', routed(), 'False NoService', /once a pool has its Service/],
    [
      'is False without the CRD, which a person installs',
      routed(undefined, { more: { routeAbsence: () => 'NotFound' } }),
      'False GatewayAPIMissing',
      /install the CRDs/,
      true,
    ],
    [
      'is False without the rights, which a person gives',
      routed(undefined, { more: { routeAbsence: () => 'Forbidden' } }),
      'False GatewayAPIMissing',
      /route\.enabled/,
      true,
    ],
    [
      'is False if the name belongs to somebody else',
      routed(undefined, { memory: { nameConflicts: taken } }),
      'False NameTaken',
      /somebody else/,
      true,
    ],
    [
      'is False if the API server refuses the route',
      routed(WEIGHTS, { memory: { refused } }),
      'False RouteRejected',
      /unknown field/,
      true,
    ],
    [
      'is True while a route stays that the spec no longer names',
      { ...routed(), spec: {}, more: { httpRoutes: [liveRouteOf(WEIGHTS)] } },
      'True RouteStays',
      /is removed once/,
    ],
  ])('%s', (_what, words, expected, message, needsAPerson = false) => {
    const seen = viewOf(words);
    const [condition] = trafficRouted(seen);
    expect(`${condition?.status} ${condition?.reason}`).toBe(expected);
    expect(condition?.message).toMatch(message);
    expect(stalled(seen)).toEqual(
      needsAPerson ? { reason: condition?.reason, message: condition?.message } : undefined,
    );
  });

  test('is absent without a route', () => {
    expect(trafficRouted(viewOf(routed(undefined, { spec: {} })))).toEqual([]);
  });
});

test('TrafficRouted is False with its own reason if a policy denies the route', () => {
  const denied = new Map([['HTTPRoute/web', { hash: '', reason: 'AdmissionDenied' as const, message: 'no' }]]);
  const seen = viewOf(routed(WEIGHTS, { memory: { refused: denied } }));
  expect(trafficRouted(seen)).toMatchObject([{ status: 'False', reason: 'RouteRejected', message: 'no' }]);
  expect(stalled(seen)).toEqual({ reason: 'AdmissionDenied', message: 'no' });
});

describe('the traffic of a pool', () => {
  function trafficOf(words: Words) {
    const seen = viewOf(words);
    return seen.pools.map((pool) => poolTraffic(seen, pool));
  }

  test('is the share of its Service', () => {
    expect(trafficOf(routed(WEIGHTS))).toEqual([
      { percent: '5%', weight: 5 },
      { percent: '95%', weight: 95 },
    ]);
  });

  test('says why it has none', () => {
    const words = routed(WEIGHTS, { pools: { a: { ready: 0, spec: { weight: 5 } }, b: { spec: { weight: 95 } } } });
    expect(trafficOf({ ...words, more: { httpRoutes: [liveRouteOf(WEIGHTS)] } })).toEqual([
      { percent: '0%', weight: 0, message: 'no pod is ready: the other pools get its share' },
      { percent: '100%', weight: 95 },
    ]);
  });

  test('is unknown while there is no route', () => {
    expect(trafficOf(routed())).toEqual([undefined, undefined]);
  });
});
