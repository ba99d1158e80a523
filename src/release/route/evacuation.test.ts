import { describe, expect, test } from 'vitest';
import { ANNOTATION } from '../../api/meta.ts';
import type { VmPool } from '../../api/vm-pool.ts';
import { plan } from '../plan.ts';
import { meta, NOW, rollout } from '../testing.ts';
import type { PoolWords, Words } from '../world-testing.ts';
import { GOOD, world } from '../world-testing.ts';
import { isEvacuated } from './reconcile-route.ts';
import { exposing } from './exposure-testing.ts';
import type { RouteWords } from './route-testing.ts';
import { GATEWAY, liveRouteOf, parent, template } from './route-testing.ts';
import { sharesOf } from './weights.ts';

function since(seconds: number): string {
  return new Date(NOW - seconds * 1000).toISOString();
}

function maintained(name: string, more: Partial<NonNullable<VmPool['spec']['maintenance']>> = {}): VmPool {
  const maintenance = { reason: 'kernel patch', minRemaining: '50%', force: false, ...more };
  return { metadata: meta(name), spec: { maintenance } };
}

/** Pools a and b serve revision 1, half of the traffic each; these VMPools are in maintenance. */
function words(vmPools: VmPool[], pools: Record<string, PoolWords> = {}): Words {
  const weight = { weight: 50 };
  return {
    wants: 1,
    revisions: { 1: { in: { a: GOOD, b: GOOD } } },
    spec: { route: GATEWAY },
    pools: { a: { spec: weight, ...pools['a'] }, b: { spec: weight, ...pools['b'] } },
    more: { vmPools },
  };
}

const HALVES = { weights: { 'web-a': 50, 'web-b': 50 } };

/** The percent of the traffic that goes to pool a, and the evacuation that is noted. */
function partOf(situation: Words, live: RouteWords = HALVES): [percent: number, noted: string | undefined] {
  const { shares, evacuations } = sharesOf(rollout(world(situation)), liveRouteOf(live));
  const [a, b] = shares.map(({ weight }) => weight);
  const { since: from, to } = evacuations['web-a'] ?? {};
  const noted = from === undefined ? undefined : `${to ?? ''} ${(NOW - Date.parse(from)) / 1000}`;
  return [Math.round((100 * (a ?? 0)) / ((a ?? 0) + (b ?? 0))), noted];
}

function leaving(seconds: number, to: 'Away' | 'Back' = 'Away'): RouteWords {
  return { ...HALVES, evacuations: { 'web-a': { since: since(seconds), to } } };
}

describe('the traffic of a pool in maintenance', () => {
  const closed = words([maintained('a')]);
  const open = words([]);
  test.each<[string, Words, RouteWords | undefined, number, string | undefined]>([
    ['begins to leave at once', closed, undefined, 45, 'Away 0'],
    ['leaves in steps of 10 s', closed, leaving(10), 40, 'Away 10'],
    ['is half of it after 20 s', closed, leaving(20), 33, 'Away 20'],
    ['is away after 50 s', closed, leaving(50), 0, 'Away 50'],
    ['stays away', closed, leaving(6000), 0, 'Away 6000'],
    ['begins to come back at once', open, leaving(60), 14, 'Back 0'],
    ['comes back in steps of 10 s', open, leaving(20, 'Back'), 33, 'Back 20'],
    ['is back after 50 s', open, leaving(50, 'Back'), 50, undefined],
    ['comes back from where it is', open, leaving(20), 40, 'Back 30'],
    ['leaves again from where it is', closed, leaving(20, 'Back'), 25, 'Away 30'],
    ['stays without a maintenance', open, undefined, 50, undefined],
  ])('%s', (_what, situation, live, percent, noted) => {
    expect(partOf(situation, live)).toEqual([percent, noted]);
  });

  test('is due at the next step', () => {
    const seen = rollout(world(closed));
    expect(sharesOf(seen, liveRouteOf(leaving(13))).due).toEqual([NOW + 7000]);
  });

  test('is noted on the route', () => {
    const situation = { ...closed, more: { ...closed.more, httpRoutes: [liveRouteOf(HALVES)] } };
    const [action] = plan(world(situation), NOW).actions.filter(({ kind }) => kind === 'ApplyHTTPRoute');
    expect(action).toMatchObject({
      desired: {
        metadata: {
          annotations: { [ANNOTATION.evacuations]: JSON.stringify({ 'web-a': { since: since(0), to: 'Away' } }) },
        },
      },
    });
  });
});

describe('the traffic stays', () => {
  const both = [maintained('a'), maintained('b')];
  const down: PoolWords = { ready: 1 };
  test.each<[string, Words, string]>([
    [
      'if too few pods remain',
      words([maintained('a')], { b: { ...down, spec: { weight: 50 } } }),
      'VMPool a is in maintenance, and the traffic stays: the other pools have 1 ready pods of 4 that the release wants, and 50% must remain (spec.maintenance.minRemaining; force overrides it)',
    ],
    [
      'if all pools are in maintenance',
      words(both),
      'VMPool a is in maintenance, and the traffic stays: the release has no other pool that is not in maintenance',
    ],
    [
      'if it is forced and no other pool is left',
      words(both.map(({ metadata }) => maintained(metadata.name, { force: true }))),
      'VMPool a is in maintenance, and the traffic stays: the release has no other pool that is not in maintenance',
    ],
  ])('%s', (_what, situation, message) => {
    const { shares } = sharesOf(rollout(world(situation)), liveRouteOf(HALVES));
    expect(shares[0]).toMatchObject({ weight: 50, message });
  });

  test('if the Service leads to another pool too', () => {
    const shared = { serviceName: 'web' };
    const situation = {
      ...words([maintained('a')], { a: { spec: shared }, c: { spec: shared } }),
      stages: { canary: { pools: ['a', 'c'] } },
    };
    situation.pools = { a: { spec: shared }, c: { spec: shared }, b: {} };
    situation.revisions = { 1: { in: { a: GOOD, b: GOOD, c: GOOD } } };
    const { shares } = sharesOf(rollout(world(situation)), undefined);
    expect(shares[0]).toMatchObject({
      service: 'web',
      message: expect.stringContaining('also leads to pools that are not in maintenance') as string,
    });
  });

  test.each<[string, Parameters<typeof maintained>[1], boolean]>([
    ['does not leave with less than minRemaining', { minRemaining: '26%' }, false],
    ['leaves with as much as minRemaining', { minRemaining: '25%' }, true],
    ['leaves by force', { force: true }, true],
  ])('%s', (_what, more, leaves) => {
    const situation = words([maintained('a', more)], { b: { ...down, spec: { weight: 50 } } });
    const { evacuations } = sharesOf(rollout(world(situation)), liveRouteOf(HALVES));
    expect(Object.keys(evacuations)).toEqual(leaves ? ['web-a'] : []);
  });
});

describe('a Service is evacuated', () => {
  const away = { 'web-a': 0, 'web-b': 50 };
  // 50 s until the weight is 0, then settle and drain of 30 s each.
  test.each<[string, RouteWords, boolean]>([
    ['once Gateways have settled and connections are drained', { ...leaving(110), weights: away }, true],
    ['not before', { ...leaving(109), weights: away }, false],
    [
      'not while a Gateway has not accepted the weight',
      { ...leaving(110), weights: away, parents: [parent({}, { seen: 0 })] },
      false,
    ],
    ['not while it comes back', { ...leaving(110, 'Back'), weights: away }, false],
  ])('%s', (_what, route, expected) => {
    const live = liveRouteOf(route);
    const closed = words([maintained('a')]);
    const seen = rollout(world({ ...closed, more: { ...closed.more, httpRoutes: [live] } }));
    const [share] = sharesOf(seen, live).shares;
    expect(share && isEvacuated(seen, template(), share)).toBe(expected);
  });
});

test.each<[what: string, live: RouteWords, services: string[]]>([
  ['reach the second Service while the traffic leaves', leaving(40), ['web-a-next']],
  ['go where all others go once it is away', leaving(50), []],
])('requests with the headers of a stage whose pool is in maintenance %s', (_what, live, services) => {
  const match = [{ headers: [{ name: 'x-release', value: 'next', type: 'Exact' as const }] }];
  const seen = rollout(exposing({ words: { stages: { canary: { match } }, more: { vmPools: [maintained('a')] } } }));
  const { matched } = sharesOf(seen, liveRouteOf(live));
  expect(matched.flatMap(({ shares }) => shares.map(({ service }) => service))).toEqual(services);
});
