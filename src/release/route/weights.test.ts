import { describe, expect, test } from 'vitest';
import { ago, NOW, rollout } from '../testing.ts';
import type { PoolWords, Words } from '../world-testing.ts';
import { GOOD, world } from '../world-testing.ts';
import type { RouteWords } from './route-testing.ts';
import type { ExposureWords } from './exposure-testing.ts';
import { exposing } from './exposure-testing.ts';
import { GATEWAY, liveRouteOf } from './route-testing.ts';
import { percentOf, scaled, sharesOf } from './weights.ts';

/** Both pools serve revision 1, behind a route. */
function routed(pools: Record<string, PoolWords>, more: Words = {}): Words {
  return { wants: 1, revisions: { 1: { in: { a: GOOD, b: GOOD } } }, spec: { route: GATEWAY }, pools, ...more };
}

function weighted(a: number, b: number, words: Record<string, PoolWords> = {}): Words {
  return routed({
    a: { ...words['a'], spec: { weight: a, ...words['a']?.spec } },
    b: { ...words['b'], spec: { weight: b, ...words['b']?.spec } },
  });
}

function weightsOf(words: Words, live?: RouteWords): Record<string, number> {
  const seen = rollout(world(words));
  return Object.fromEntries(
    sharesOf(seen, live && liveRouteOf(live)).shares.map(({ service, weight }) => [service, weight]),
  );
}

/** A pool without ready pods. */
const DOWN: PoolWords = { ready: 0 };
/** The pods have been ready for these seconds. */
function readyFor(seconds: number): Words['more'] {
  const readySince = new Date(NOW - seconds * 1000).toISOString();
  const { pods } = world(weighted(5, 95));
  return { pods: pods.map((pod) => ({ ...pod, readySince })) };
}

describe('the weights', () => {
  test.each<[string, Words, Record<string, number>, RouteWords?]>([
    ['are those of the spec', weighted(5, 95), { 'web-a': 5, 'web-b': 95 }],
    [
      'are the sizes of the pools without any',
      routed({ a: { replicas: 1 }, b: { replicas: 9 } }),
      { 'web-a': 1, 'web-b': 9 },
    ],
    [
      'are the same if all pools have no replicas',
      routed({ a: { replicas: 0 }, b: { replicas: 0 } }),
      { 'web-a': 1, 'web-b': 1 },
    ],
    ['leave out a pool without a Service', weighted(5, 95, { b: { serves: 0 } }), { 'web-a': 5 }],
    [
      'are 0 for a pool without a ready pod, at once',
      weighted(50, 50, { a: DOWN }),
      { 'web-a': 0, 'web-b': 50 },
      { weights: { 'web-a': 50, 'web-b': 50 } },
    ],
    [
      'stay if no pool has a ready pod',
      weighted(50, 50, { a: DOWN, b: DOWN }),
      { 'web-a': 50, 'web-b': 50 },
      { weights: { 'web-a': 0, 'web-b': 50 } },
    ],
    ['stay if the other pools have a weight of 0', weighted(0, 50, { b: DOWN }), { 'web-a': 0, 'web-b': 50 }],
    [
      'stay 0 while a pod is ready for less than 10 s',
      { ...weighted(5, 95), more: readyFor(9) },
      { 'web-a': 0, 'web-b': 95 },
      { weights: { 'web-a': 0, 'web-b': 95 } },
    ],
    [
      'come back after 10 s',
      { ...weighted(5, 95), more: readyFor(10) },
      { 'web-a': 5, 'web-b': 95 },
      { weights: { 'web-a': 0, 'web-b': 95 } },
    ],
    ['are there at once in a new route', { ...weighted(5, 95), more: readyFor(1) }, { 'web-a': 5, 'web-b': 95 }],
    [
      'stay after a switch to new pods',
      { ...weighted(5, 95), more: readyFor(1) },
      { 'web-a': 5, 'web-b': 95 },
      { weights: { 'web-a': 5, 'web-b': 95 } },
    ],
  ])('%s', (_what, words, weights, live) => {
    expect(weightsOf(words, live)).toEqual(weights);
  });

  test('of pools that share a Service are added', () => {
    const shared = { serviceName: 'web', weight: 20 };
    const words = routed(
      { a: { spec: shared }, c: { spec: shared }, b: { spec: { weight: 60 } } },
      { stages: { canary: { pools: ['a', 'c'] } }, revisions: { 1: { in: { a: GOOD, b: GOOD, c: GOOD } } } },
    );
    expect(weightsOf(words)).toEqual({ web: 40, 'web-b': 60 });
  });

  test('say when a pod has been ready for long enough', () => {
    const seen = rollout(world({ ...weighted(5, 95), more: readyFor(4) }));
    expect(sharesOf(seen, liveRouteOf({ weights: { 'web-a': 0, 'web-b': 95 } })).due).toEqual([NOW + 6000]);
  });
});

describe('sizes as weights', () => {
  const SIZES = { 'web-a': 10, 'web-b': 10 };
  function written(minutes: number): RouteWords {
    return { weights: SIZES, sizes: { at: ago(minutes), of: SIZES } };
  }
  test.each<[string, [a: number, b: number], RouteWords, Record<string, number>]>([
    ['stay while no share changes by a tenth', [11, 10], written(5), SIZES],
    ['change with a share of a tenth', [13, 10], written(5), { 'web-a': 13, 'web-b': 10 }],
    ['change at most once a minute', [20, 10], written(0.5), SIZES],
    [
      'change at once if a Service comes',
      [10, 10],
      { weights: { 'web-a': 10 }, sizes: { at: ago(0), of: { 'web-a': 10 } } },
      SIZES,
    ],
    ['are those of now if the annotation cannot be read', [12, 10], { weights: SIZES }, { 'web-a': 12, 'web-b': 10 }],
  ])('%s', (_what, [a, b], live, weights) => {
    expect(weightsOf(routed({ a: { replicas: a }, b: { replicas: b } }), live)).toEqual(weights);
  });

  test('say when they may change', () => {
    const seen = rollout(world(routed({ a: { replicas: 20 }, b: { replicas: 10 } })));
    expect(sharesOf(seen, liveRouteOf(written(0.5))).due).toEqual([NOW + 30_000]);
  });
});

test.each([
  [
    [1000, 500],
    [999, 500],
  ],
  [
    [100_000, 1],
    [999, 1],
  ],
  [
    [100_000, 0],
    [999, 0],
  ],
  [
    [999, 3],
    [999, 3],
  ],
  [
    [0, 0],
    [1, 1],
  ],
  [[], []],
])('the weights %j become %j', (weights, fitting) => {
  expect(scaled(weights)).toEqual(fitting);
});

test.each([
  [5, 95, '5%'],
  [1, 2, '33.3%'],
  [1, 1000, '0.1%'],
  [0, 0, '0%'],
])('%i beside %i are %s', (weight, other, percent) => {
  const { shares } = sharesOf(rollout(world(weighted(1, 1))), undefined);
  const [a, b] = shares.map((share, index) => ({ ...share, weight: index === 0 ? weight : other }));
  expect(a && b && percentOf([a], [a, b])).toBe(percent);
});

describe('an exposure', () => {
  const STEP = { phase: 'Stepping', step: 0 } as const;
  test.each<[what: string, words: ExposureWords, weights: Record<string, number>]>([
    [
      'has no weight while it settles',
      { record: { phase: 'Settling' } },
      { 'web-a': 20, 'web-a-next': 0, 'web-b': 80 },
    ],
    ['has none without a record', {}, { 'web-a': 20, 'web-a-next': 0, 'web-b': 80 }],
    [
      'gets a part of the weight of its pool',
      { record: { ...STEP } },
      { 'web-a': 216, 'web-a-next': 24, 'web-b': 960 },
    ],
    [
      'gets nothing in a step of 0%',
      { record: { ...STEP }, exposure: [{ percent: 0, for: '1m' }] },
      { 'web-a': 20, 'web-a-next': 0, 'web-b': 80 },
    ],
    [
      'gets all of the weight at the end',
      { record: { phase: 'Full', step: 1 } },
      { 'web-a': 0, 'web-a-next': 20, 'web-b': 80 },
    ],
    [
      'gives it back after the switch',
      { record: { phase: 'Returning', step: 1 }, serves: 2 },
      { 'web-a': 20, 'web-a-next': 0, 'web-b': 80 },
    ],
    [
      'without a ready pod leaves the pool its weight',
      { record: { ...STEP }, ready: 0 },
      { 'web-a': 20, 'web-a-next': 0, 'web-b': 80 },
    ],
    [
      'keeps its part if the version before has no ready pod',
      { record: { ...STEP }, pool: { ready: 0 } },
      { 'web-a': 0, 'web-a-next': 24, 'web-b': 960 },
    ],
    [
      'is over in a rollback',
      { record: { ...STEP }, words: { rollback: { against: 2, to: { a: 1 } } } },
      { 'web-a': 20, 'web-a-next': 0, 'web-b': 80 },
    ],
    ['has no Service before it is made', { next: 0 }, { 'web-a': 20, 'web-b': 80 }],
  ])('%s', (_what, words, weights) => {
    const seen = rollout(exposing(words));
    const [live] = seen.observed.httpRoutes;
    expect(Object.fromEntries(sharesOf(seen, live).shares.map(({ service, weight }) => [service, weight]))).toEqual(
      weights,
    );
  });
});

test.each<[what: string, pods: number, weights: number[]]>([
  ['lead to the second Services of the stage, by the weights of its pools', 2, [20, 5]],
  ['lead past one without a ready pod', 0, [0, 5]],
])('requests with the headers of a match %s', (_what, ready, weights) => {
  const match = [{ headers: [{ name: 'x-release', value: 'next', type: 'Exact' as const }] }];
  const stages = { canary: { pools: ['a', 'd'], match } };
  const base = exposing({
    next: 1,
    pool: { ready },
    words: {
      stages,
      wants: 1,
      revisions: { 1: { in: { a: GOOD, b: GOOD, d: GOOD } } },
      pools: { a: { ready, spec: { weight: 20 } }, b: { spec: { weight: 80 } }, d: { spec: { weight: 5 } } },
    },
  });
  const other = base.services.flatMap((service) =>
    service.metadata.name === 'web-d' ? [{ ...service, metadata: { ...service.metadata, name: 'web-d-next' } }] : [],
  );
  const { matched } = sharesOf(rollout({ ...base, services: [...base.services, ...other] }), undefined);
  expect(matched.map(({ stage, shares }) => [stage.name, ...shares.map(({ weight }) => weight)])).toEqual([
    ['canary', ...weights],
  ]);
});
