import { expect, test } from 'vitest';
import { ANNOTATION } from '../../api/meta.ts';
import { reconcileBudgets } from '../pools/disruption-budget.ts';
import { readFacts } from '../record/recorded.ts';
import { topologyOf } from '../record/revision.ts';
import type { Observed } from '../state/observed.ts';
import { available } from '../status/ready.ts';
import { ledgerWith, rollout } from '../testing.ts';
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
      const pools = Object.keys(is?.pools ?? {}).filter((pool) => !was?.pools[pool]?.entered);
      return [[action.target.name, pools]];
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
