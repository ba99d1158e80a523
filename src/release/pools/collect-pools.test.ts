import { expect, test } from 'vitest';
import type { Observed } from '../state/observed.ts';
import { ANNOTATION } from '../../api/meta.ts';
import { topologyOf } from '../record/revision.ts';
import { ledgerWith, NOW, rollout } from '../testing.ts';
import type { RouteWords } from '../route/route-testing.ts';
import { liveRouteOf, parent } from '../route/route-testing.ts';
import type { Words } from '../world-testing.ts';
import { GOOD, world } from '../world-testing.ts';
import { collectPools } from './collect-pools.ts';

/** Revision 1 is wanted and serves in pools a, b and c; the spec has no pool c any more. */
function removed(words: Words = {}, change: (seen: Observed) => Partial<Observed> = () => ({})): string[] {
  const seen = world({
    stages: { production: { pools: ['b', 'c'] } },
    wants: 1,
    revisions: { 1: { in: { a: GOOD, b: GOOD, c: GOOD } } },
    ...words,
  });
  const { spec } = seen.release;
  const stages = spec.stages.map((stage) => ({ ...stage, pools: stage.pools.filter(({ name }) => name !== 'c') }));
  const left = { ...seen, release: { ...seen.release, spec: { ...spec, stages } } };
  return collectPools(rollout({ ...left, ...change(left) })).map(({ message }) => message);
}

/** The release has a route. */
function behind(route: RouteWords): () => Partial<Observed> {
  return () => ({ httpRoutes: [liveRouteOf(route)] });
}

const SERVICE = 'remove Service web-c: no pool uses it any more';
const DEPLOYMENT = 'remove web-c-1: pool c left the release';

const shared = { spec: { serviceName: 'web' } };
const SHARED: Words = { pools: { b: shared, c: shared } };

type Row = [what: string, said: string[], words?: Words, change?: (seen: Observed) => Partial<Observed>];

test.each<Row>([
  ['loses its Service first', [SERVICE]],
  ['keeps its Service while a route leads to it', [], {}, behind({ weights: { 'web-a': 1, 'web-c': 0 } })],
  [
    'keeps its Service while a Gateway has not seen that the route does not',
    [],
    {},
    behind({ weights: { 'web-a': 1 }, parents: [parent({}, { seen: 0 })] }),
  ],
  ['loses its Service once the Gateways have seen it', [SERVICE], {}, behind({ weights: { 'web-a': 1 } })],
  [
    'loses its Service if no Gateway has ever answered',
    [SERVICE],
    {},
    behind({ weights: { 'web-a': 1 }, parents: [] }),
  ],
  ['drains for 30 s after that', [], {}, withoutService(29)],
  ['is removed after the drain', [DEPLOYMENT], {}, withoutService(30)],
  ['is removed at once if no endpoint ever named its pods', [DEPLOYMENT], {}, withoutService()],
  ['drains for 30 s again after a restart of the operator', [], {}, withoutService(undefined, 29)],
  ['is removed after that drain', [DEPLOYMENT], {}, withoutService(undefined, 30)],
  [
    'is removed at once if it shares the Service of a pool that stays',
    ['remove web-c-1: pool c left the release'],
    SHARED,
  ],
  ['stays while another pool has not arrived', [], { pools: { b: { ready: 1 } } }],
  [
    'stays while another pool serves another version',
    [],
    { pools: { a: { serves: 2 } }, rollback: { against: 2, to: { a: 1 } } },
  ],
  [
    'loses its Service if another pool is held and serves the target of the hold',
    [SERVICE],
    { rollback: { against: 2, to: { a: 1 } } },
  ],
  [
    'stays while the spec is not valid',
    [],
    {},
    ({ release, revisions }) => ({
      release: { ...release, spec: { ...release.spec, template: { spec: { containers: [] } } } },
      revisions: [...revisions, ledgerWith({ [ANNOTATION.topology]: JSON.stringify(topologyOf(release.spec)) })],
    }),
  ],
  ['stays while its Service is being deleted', [], {}, leaving('web-c')],
  ['needs no action once its objects are gone', [], { pools: { c: { serves: 0 } } }],
])('a pool that left the spec %s', (_what, said, words, change) => {
  expect(removed(words, change)).toEqual(said);
});

function leaving(name: string): (seen: Observed) => Partial<Observed> {
  return ({ services }) => ({
    services: services.map((one) =>
      one.metadata.name === name
        ? { ...one, metadata: { ...one.metadata, deletionTimestamp: '2026-01-01T11:59:00Z' } }
        : one,
    ),
  });
}

/** Seconds since an endpoint named the pods of pool c; absent: none ever did. */
/** `restarted`: when the operator began to observe the release, in seconds before NOW. Default: before the pool existed. */
function withoutService(ago?: number, restarted?: number): (seen: Observed) => Partial<Observed> {
  const tracks = new Map(ago === undefined ? [] : [['web-c-1', NOW - ago * 1000]]);
  return ({ services, memory }) => ({
    services: services.filter(({ metadata }) => metadata.name !== 'web-c'),
    memory: {
      ...memory,
      drained: { services: new Map(), tracks, began: restarted === undefined ? 0 : NOW - restarted * 1000 },
    },
  });
}
