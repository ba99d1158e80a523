import { expect, test } from 'vitest';
import { ANNOTATION } from '../../api/meta.ts';
import { reconcileBudgets } from '../pools/disruption-budget.ts';
import { readFacts } from '../record/recorded.ts';
import { topologyOf } from '../record/revision.ts';
import type { Observed } from '../state/observed.ts';
import { available } from '../status/ready.ts';
import { ago, ledgerWith, rollout } from '../testing.ts';
import type { ControllerRevision } from '../record/kube-objects.ts';
import type { PoolFacts } from '../record/recorded-data.ts';
import { lastGood } from '../state/target.ts';
import type { Words } from '../world-testing.ts';
import { GOOD, world } from '../world-testing.ts';
import { enterRenamed } from './renamed.ts';

/** Pool b is the only pool of production, which needs an approval. */
const BEFORE: Words = {
  stages: { production: { approval: 'Manual', pools: ['b', 'c'] } },
  pools: { c: { serves: 0 } },
  wants: 1,
};

interface Rename {
  /** Stage → its pools. */
  stages: Record<string, string[]>;
}

/** The world whose recorded spec has pool b in production, and whose spec has these stages. */
function renamed({ stages }: Rename, words: Words = {}): Observed {
  const seen = world({ ...BEFORE, ...words });
  const { spec } = seen.release;
  const all = spec.stages.flatMap(({ pools }) => pools);
  const [canary, production] = spec.stages;
  if (!canary || !production) throw new Error('the world has two stages');
  const old = {
    ...spec,
    stages: [canary, { ...production, pools: production.pools.filter(({ name }) => name === 'b') }],
  };
  const now = Object.entries(stages).map(([name, pools]) => ({
    ...(name === 'canary' ? canary : production),
    name,
    pools: all.filter((pool) => pools.includes(pool.name)),
  }));
  return {
    ...seen,
    revisions: [...seen.revisions, ledgerWith({ [ANNOTATION.topology]: JSON.stringify(topologyOf(old)) })],
    release: { ...seen.release, spec: { ...spec, stages: now } },
  };
}

/** Revision → the pools that it enters. */
function entered(seen: Observed): Record<string, string[]> {
  return Object.fromEntries(
    enterRenamed(rollout(seen)).flatMap((action) => {
      if (action.kind !== 'AnnotateRevision') return [];
      const before = seen.revisions.find(({ metadata }) => metadata.name === action.target.name);
      const [was, is] = [before?.metadata.annotations, action.annotations].map((one) =>
        readFacts(one?.[ANNOTATION.facts]),
      );
      const pools = Object.keys(is?.pools ?? {}).filter(
        (pool) => is?.pools[pool]?.entered && !was?.pools[pool]?.entered,
      );
      return pools.length > 0 ? [[action.target.name, pools]] : [];
    }),
  );
}

const POOL = { stages: { canary: ['a'], production: ['c'] } };

test.each<[what: string, rename: Rename, entered: Record<string, string[]>, words?: Words]>([
  ['the only pool of a stage enters with the revision that runs', POOL, { 'web-1': ['c'] }],
  ['the pool of a renamed stage too', { stages: { canary: ['a'], prod: ['c'] } }, { 'web-1': ['c'] }],
  [
    'not with a later revision that runs in another stage',
    POOL,
    { 'web-1': ['c'] },
    { wants: 2, pools: { a: { serves: 2 }, c: { serves: 0 } }, revisions: { 2: { in: { a: GOOD } } } },
  ],
  ['not if the stage keeps a pool', { stages: { canary: ['a'], production: ['b', 'c'] } }, {}],
  ['not if the stage is new', { stages: { canary: ['a'], production: ['b'], other: ['c'] } }, {}],
  ['not if another stage left', { stages: { production: ['b'], other: ['c'] } }, {}],
  ['not if nothing runs', POOL, {}, { pools: { b: { ready: 0 }, c: { serves: 0 } } }],
  ['not twice', POOL, {}, { revisions: { 1: { in: { a: GOOD, b: GOOD, c: { entered: 1 } } } } }],
])('a pool with another name: %s', (_what, rename, pools, words) => {
  expect(entered(renamed(rename, words))).toEqual(pools);
});

test('a pool with another name is no new deployment', () => {
  const notices = enterRenamed(rollout(renamed(POOL))).flatMap(({ notices: all = [] }) => all);
  expect(notices.map(({ reason, data }) => [reason, data])).toEqual([['PoolEntered', undefined]]);
});

/** Revision → the facts of pool c after the pass. */
function factsOfC(seen: Observed): Record<string, PoolFacts> {
  return Object.fromEntries(
    enterRenamed(rollout(seen)).flatMap((action) => {
      if (action.kind !== 'AnnotateRevision') return [];
      const { c } = readFacts(action.annotations[ANNOTATION.facts]).pools;
      return c ? [[action.target.name, c]] : [];
    }),
  );
}

const goodAt = (minutes: number) => ({ follows: 'b', good: ago(minutes) });
const began = { follows: 'b', entered: { attempt: 1 } };
/** Revision 3 serves, revision 2 failed in pool b, and revision 1 was good. */
const LONG: Words = {
  wants: 3,
  pools: { a: { serves: 3 }, b: { serves: 3 }, c: { serves: 0 } },
  revisions: {
    2: { in: { a: GOOD, b: { ...GOOD, failed: 40 } } },
    3: { in: { a: GOOD, b: { entered: 20, healthySince: 19, good: 18 } } },
  },
};

test.each<[what: string, rename: Rename, facts: Record<string, unknown>, words?: Words]>([
  [
    'a renamed pool has what its stage had good, and proves the revision that it begins with itself',
    POOL,
    { 'web-1': goodAt(58), 'web-2': { follows: 'b' }, 'web-3': began },
    LONG,
  ],
  [
    'not what it has facts of itself',
    POOL,
    {},
    {
      ...LONG,
      revisions: { 1: { in: { b: GOOD, c: { rolledBack: 9 } } }, 2: {}, 3: { in: { b: GOOD, c: { entered: 1 } } } },
    },
  ],
  ['a pool that is added has nothing', { stages: { canary: ['a'], production: ['b', 'c'] } }, {}, LONG],
])('%s', (_what, rename, facts, words) => {
  const found = factsOfC(renamed(rename, words));
  expect(found).toMatchObject(facts);
  expect(Object.keys(found)).toEqual(Object.keys(facts));
  for (const own of Object.values(found)) if (own.entered) expect(own).not.toHaveProperty('good');
});

test('the target of a rollback of a pool that was renamed is what its stage had good', () => {
  const c = { follows: 'b', good: ago(58) };
  const seen = world({ ...BEFORE, ...LONG, pools: { c: { serves: 3 } } });
  const revisions = seen.revisions.map((object) =>
    withFactsOfC(object, { 'web-1': c, 'web-3': { entered: { at: ago(9), attempt: 1, key: 'k' } } }),
  );
  const view = rollout({ ...seen, revisions });
  const pool = view.pools.find(({ name }) => name === 'c');
  expect(pool && lastGood(view, pool, view.lastWanted)?.number).toBe(1);
});

function withFactsOfC(object: ControllerRevision, of: Record<string, PoolFacts>): ControllerRevision {
  const { metadata } = object;
  const facts = readFacts(metadata.annotations?.[ANNOTATION.facts]);
  const own = of[metadata.name];
  if (!own) return object;
  const text = JSON.stringify({ ...facts, pools: { ...facts.pools, c: own } });
  return { ...object, metadata: { ...metadata, annotations: { ...metadata.annotations, [ANNOTATION.facts]: text } } };
}

test('the release is available while the pool of before serves in place of its successor, and drains are limited', () => {
  const seen = rollout(renamed(POOL));
  expect(available(seen)).toMatchObject({ status: 'True' });
  const budgets = reconcileBudgets(seen).flatMap((action) =>
    action.kind === 'ApplyBudget' ? [action.desired.metadata.name] : [],
  );
  expect(budgets).toContain('web-b-1');
});

test.each<[what: string, words: Words]>([
  ['the pool of before has no ready pod', { pools: { b: { ready: 0 }, c: { serves: 0 } } }],
  ['the successor has served', { revisions: { 1: { in: { a: GOOD, b: GOOD, c: GOOD } } } }],
])('the release is not available if %s', (_what, words) => {
  expect(available(rollout(renamed(POOL, words)))).toMatchObject({ status: 'False', reason: 'PoolsUnavailable' });
});
