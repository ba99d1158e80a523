import { expect, test } from 'vitest';
import type { FactWords, Words } from '../world-testing.ts';
import { GOOD, revisionNumbered, viewOf } from '../world-testing.ts';
import { keptFrom, staysAsItIs } from './keeping.ts';

const DEBUG = { spec: { containers: [{ name: 'main', env: [{ name: 'DEBUG', value: 'on' }] }] } };
const OTHER_PORT = { service: { ports: [{ port: 81, targetPort: 'http' }] } };

/** Both pools serve revision 1. Revision 2 has the same version and images. */
function edited(second: Record<string, unknown> = {}, more: Words = {}, in1: FactWords = GOOD): Words {
  return {
    revisions: {
      1: { in: { a: in1, b: GOOD } },
      2: { version: '1.0.0', imagesOf: 1, spec: second },
    },
    ...more,
  };
}

const shared = { spec: { serviceName: 'web' } };
/** Pools b and c serve behind one Service. */
const SHARED: Words = { stages: { production: { pools: ['b', 'c'] } }, pools: { b: shared, c: shared } };

function stagesWith(name: string, template: object, service?: string): Record<string, unknown> {
  const place = (pool: string) => ({
    name: pool,
    replicas: 2,
    nodeSelector: { pool },
    ...(service && { serviceName: service }),
  });
  const pools = service === undefined ? ['b'] : ['b', 'c'];
  const edit = (pool: string) => (pool === name ? { ...place(pool), template } : place(pool));
  return {
    stages: [
      {
        name: 'canary',
        soak: '1m',
        pools: [
          name === 'a'
            ? { name: 'a', replicas: 2, nodeSelector: { pool: 'a' }, template }
            : { name: 'a', replicas: 2, nodeSelector: { pool: 'a' } },
        ],
      },
      { name: 'production', pools: pools.map(edit) },
    ],
  };
}

/** `kept`: the revision whose pods the pool keeps; `at once`: no gate is asked. */
test.each<[what: string, words: Words, pool: string, kept: number | undefined, atOnce: boolean]>([
  ['an edit that changes nothing', edited(), 'a', 1, true],
  ['another version with the same images', edited({}, { revisions: { 2: { imagesOf: 1 } } }), 'a', undefined, false],
  ['another image of the same version', edited({}, { revisions: { 2: { version: '1.0.0' } } }), 'a', undefined, false],
  ['other ports', edited(OTHER_PORT), 'a', 1, false],
  ['an override of the pool', edited(stagesWith('a', DEBUG)), 'a', undefined, false],
  ['an override of another pool', edited(stagesWith('a', DEBUG)), 'b', 1, true],
  ['a paused release', edited({}, { paused: 'holidays' }), 'a', 1, false],
  [
    'a pool that a rollback holds',
    edited({}, { rollback: { against: 3, to: { a: 1 }, names: true } }),
    'a',
    undefined,
    false,
  ],
  ['a revision that serves and failed', edited({}, {}, { ...GOOD, failed: 3 }), 'a', undefined, false],
  ['pods that somebody deleted', edited({}, { pools: { a: { serves: 0 } } }), 'a', undefined, false],
  [
    'a rollout that has begun',
    {
      pools: { a: { beside: { 2: 0 } } },
      revisions: { 2: { in: { a: { entered: 1, clock: 1 } } }, 3: { version: '2.0.0', imagesOf: 2 } },
    },
    'a',
    2,
    true,
  ],
  [
    'a rollout that has failed',
    {
      pools: { a: { beside: { 2: 0 } } },
      revisions: { 2: { in: { a: { entered: 9, failed: 1 } } }, 3: { version: '2.0.0', imagesOf: 2 } },
    },
    'a',
    undefined,
    false,
  ],
  [
    'a revision with a bad mark in another pool',
    edited(
      {},
      { revisions: { 1: { in: { a: GOOD, b: { ...GOOD, rolledBack: 4 } } }, 2: { version: '1.0.0', imagesOf: 1 } } },
    ),
    'a',
    1,
    false,
  ],
  [
    'an override of a pool behind the same Service',
    { ...edited(stagesWith('c', DEBUG, 'web')), ...SHARED },
    'b',
    undefined,
    false,
  ],
  [
    'an override of a pool behind the same Service, rolled in place',
    { ...edited(stagesWith('c', DEBUG, 'web')), ...SHARED, spec: { strategy: { type: 'RollingUpdate' } } },
    'b',
    1,
    true,
  ],
  [
    'an edit that changes nothing for pools behind one Service',
    { ...edited(stagesWith('a', DEBUG, 'web')), ...SHARED },
    'b',
    1,
    true,
  ],
])('%s', (_what, words, name, kept, atOnce) => {
  const seen = viewOf(words);
  const pool = seen.pools.find((one) => one.name === name);
  if (!pool) throw new Error(`no pool ${name}`);
  const revision = revisionNumbered(seen, Math.max(...seen.revisions.map(({ number }) => number)));
  expect({ kept: keptFrom(pool, revision)?.number, atOnce: staysAsItIs(seen, pool, revision) }).toEqual({
    kept,
    atOnce,
  });
});
