import { describe, expect, test } from 'vitest';
import { ANNOTATION } from '../../api/meta.ts';
import type { Route } from '../record/kube-objects.ts';
import { plan } from '../plan.ts';
import { meta, NOW, rollout } from '../testing.ts';
import type { Words } from '../world-testing.ts';
import { GOOD, world } from '../world-testing.ts';
import { coveredSince, leftRouteWait } from './left-routes.ts';
import { GATEWAY, liveRouteOf, parent } from './route-testing.ts';

const SIZES = { 'web-a': 2, 'web-b': 2 };
const LEFT = liveRouteOf({ name: 'web', weights: SIZES, sizes: { at: '2026-01-01T11:00:00Z', of: SIZES } });

/** A route of somebody else, in another namespace. */
function other(hostnames: string[] | undefined, more: Partial<Route> = {}): Route {
  const spec = { parentRefs: GATEWAY.parentRefs, ...(hostnames && { hostnames }) };
  return { metadata: meta('theirs', { namespace: 'other', generation: 1 }), spec, parents: [parent()], ...more };
}

/** The spec has no route any more, and others have covered the left one for these seconds. */
function words(others: Route[], seconds?: number, more: Words = {}): Words {
  const covered = new Map(seconds === undefined ? [] : [['HTTPRoute/web', NOW - seconds * 1000]]);
  return {
    wants: 1,
    revisions: { 1: { in: { a: GOOD, b: GOOD } } },
    memory: { covered },
    more: { httpRoutes: [LEFT], otherRoutes: [LEFT, ...others] },
    ...more,
  };
}

function actionsOf(situation: Words): string[] {
  const { actions } = plan(world(situation), NOW);
  return actions.flatMap(({ kind }) => (kind.endsWith('Route') ? [kind] : []));
}

const SHOP = ['shop.example.com'];

describe('a route that the spec no longer names', () => {
  test.each<[string, Words, string[]]>([
    ['stays while no other route serves its host names', words([]), []],
    ['stays until others have served them for 30 s', words([other(SHOP)], 29), []],
    ['is removed after that', words([other(SHOP)], 30), ['DeleteHTTPRoute']],
    ['is removed by a wildcard', words([other(['*.example.com'])], 30), ['DeleteHTTPRoute']],
    ['is removed by a route for all host names', words([other(undefined)], 30), ['DeleteHTTPRoute']],
    ['stays beside a route for another host name', words([other(['other.example.com'])], 30), []],
    ['stays beside a route that is not accepted', words([other(SHOP, { parents: [] })], 30), []],
    [
      'stays beside a route that is being deleted',
      words([other(SHOP, { metadata: meta('theirs', { deletionTimestamp: '2026-01-01T11:59:00Z' }) })], 30),
      [],
    ],
    [
      'stays beside a route at another Gateway',
      words([other(SHOP, { spec: { parentRefs: [{ name: 'inside' }], hostnames: SHOP } })], 30),
      [],
    ],
  ])('%s', (_what, situation, expected) => {
    expect(actionsOf(situation)).toEqual(expected);
  });

  test('stays beside another one that the spec no longer names', () => {
    const twin = liveRouteOf({ name: 'twin', weights: { 'web-a': 2, 'web-b': 2 } });
    const covered = new Map([LEFT, twin].map(({ metadata }) => [`HTTPRoute/${metadata.name}`, NOW - 60_000]));
    const more = { httpRoutes: [LEFT, twin], otherRoutes: [LEFT, twin] };
    expect(actionsOf(words([], undefined, { more, memory: { covered } }))).not.toContain('DeleteHTTPRoute');
  });

  test('is removed at once by an annotation', () => {
    const seen = world(words([]));
    const annotations = { [ANNOTATION.routeRemoval]: 'force' };
    const release = { ...seen.release, metadata: { ...seen.release.metadata, annotations } };
    const kinds = plan({ ...seen, release }, NOW).actions.map(({ kind }) => kind);
    expect(kinds).toContain('DeleteHTTPRoute');
  });

  test('is removed after the route with a new name is accepted', () => {
    const renamed = liveRouteOf({
      name: 'shop',
      weights: { 'web-a': 2, 'web-b': 2 },
      sizes: { at: '2026-01-01T11:00:00Z', of: { 'web-a': 2, 'web-b': 2 } },
    });
    const spec = { route: { ...GATEWAY, name: 'shop' } };
    const more = { httpRoutes: [LEFT, renamed], otherRoutes: [LEFT, renamed] };
    expect(actionsOf(words([], 30, { spec, more }))).toEqual(['DeleteHTTPRoute']);
  });

  test('keeps its backends up to date', () => {
    const { actions } = plan(world(words([], undefined, { pools: { a: { ready: 0 } } })), NOW);
    expect(actions.filter(({ kind }) => kind.endsWith('Route'))).toMatchObject([
      {
        kind: 'ApplyHTTPRoute',
        desired: {
          spec: {
            ...GATEWAY,
            rules: [
              {
                backendRefs: [
                  { name: 'web-a', weight: 0 },
                  { name: 'web-b', weight: 2 },
                ],
              },
            ],
          },
        },
      },
    ]);
  });

  test('counts as covered since it was first seen so', () => {
    expect([...coveredSince(rollout(world(words([other(SHOP)]))))]).toEqual([['HTTPRoute/web', NOW]]);
    expect([...coveredSince(rollout(world(words([other(SHOP)], 20))))]).toEqual([['HTTPRoute/web', NOW - 20_000]]);
    expect([...coveredSince(rollout(world(words([], 20))))]).toEqual([]);
  });

  test('says what it waits for', () => {
    expect(leftRouteWait(rollout(world(words([]))))).toBe(
      'HTTPRoute web, which spec.route no longer names, is removed once another accepted route serves shop.example.com at Gateway gateways/public, or at once with the annotation apprelease.dev/route-removal: force on the AppRelease',
    );
  });
});
