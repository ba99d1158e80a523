import { expect, test } from 'vitest';
import { placedPod, vm } from '../../scheduling/testing.ts';
import { draftFacts } from '../record/facts-draft.ts';
import type { FactWords, Words } from '../world-testing.ts';
import { factsIn, GOOD, revisionNumbered, viewOf } from '../world-testing.ts';
import { enterStages } from './entering.ts';

/** Which pools are let in, the facts that are recorded then, and the events. */
function entering(words: Words) {
  const seen = viewOf(words);
  const drafts = draftFacts();
  const pools = [...enterStages(seen, drafts)].map(({ name }) => name);
  const notices = drafts.actions().flatMap((action) => action.notices ?? []);
  const events = notices.map(({ reason, note }) => `${reason}: ${note}`);
  return { pools, events, of: (number: number) => drafts.change(revisionNumbered(seen, number)) };
}

const soaked: FactWords = { entered: 10, healthySince: 5 };
/** Pool c is new in production. */
const added: Words = { stages: { production: { pools: ['b', 'c'] } }, pools: { c: { serves: 0 } } };
const full: Words['more'] = {
  rooms: ({ pool }) => {
    const allocatable = { cpu: 4000, memory: 2 ** 34, pods: pool === 'c' ? 1 : 10 };
    return [{ node: vm('vm', { labels: { pool: pool ?? '' }, allocatable }), pods: [placedPod('vm', 'x')] }];
  },
};
/** Revision 2 serves in all pools that had something, and the spec wants 1 again, which was good there. */
const reverted: Words = {
  wants: 1,
  pools: { a: { serves: 2 }, b: { serves: 2 } },
  revisions: { 2: { in: { a: soaked, b: soaked } } },
};

/** What pools are let in, as pool: revision. */
test.each<[what: string, words: Words, entered: Record<string, number>]>([
  ['the first stage is entered where its gates are open', {}, { a: 2 }],
  ['no stage is entered where its gate is shut', { paused: 'holidays' }, {}],
  [
    'the next stage is entered after the soak',
    { pools: { a: { serves: 2 } }, revisions: { 2: { in: { a: soaked } } } },
    { b: 2 },
  ],
  ['the pools of a stage are let in together', { stages: { canary: { pools: ['a', 'd'] } } }, { a: 2, d: 2 }],
  ['nothing is let in while the wanted revision is not recorded', { wants: 3 }, {}],
  ['nothing is let in twice', { revisions: { 2: { in: { a: { entered: 1 } } } } }, {}],
  [
    'what was let in for other VMs is let in anew',
    { revisions: { 2: { in: { a: { entered: 1, key: 'before' } } } } },
    { a: 2 },
  ],
  ['a revert enters every pool at once', reverted, { a: 1, b: 1 }],
  ['a revert enters while the release is paused', { ...reverted, paused: 'holidays' }, { a: 1, b: 1 }],
  [
    'a revert enters no pool that is held',
    { ...reverted, rollback: { against: 2, to: { a: 1 }, names: true } },
    { b: 1 },
  ],
  [
    'a revert to what was never good here goes by the gates',
    { ...reverted, paused: 'holidays', revisions: { 1: { in: { b: GOOD } }, 2: { in: { a: soaked, b: soaked } } } },
    { b: 1 },
  ],
  [
    'a revert to what is marked bad waits for an approval',
    {
      ...reverted,
      revisions: { 1: { in: { a: { ...GOOD, rolledBack: 50 }, b: GOOD } }, 2: { in: { a: soaked, b: soaked } } },
    },
    {},
  ],
  ['an added pool gets what its stage runs', added, { a: 2, c: 1 }],
  ['also while the release is paused', { ...added, paused: 'holidays' }, { c: 1 }],
  ['an added pool of a stage that runs nothing gets nothing', { pools: { b: { serves: 0 } } }, { a: 2 }],
  [
    'an added pool joins its stage, where the wanted revision was let in already',
    {
      ...added,
      paused: 'holidays',
      pools: { a: { serves: 2 }, b: { serves: 1 }, c: { serves: 0 } },
      revisions: { 2: { in: { a: soaked, b: soaked } } },
    },
    { c: 2 },
  ],
  ['an added pool without room waits', { ...added, more: full }, { a: 2 }],
  [
    'a pool that serves already is no added pool',
    { ...added, pools: {}, revisions: { 1: { in: { a: GOOD, b: GOOD } } } },
    { a: 2 },
  ],
])('%s', (_what, words, entered) => {
  const { pools, of } = entering(words);
  expect(pools.toSorted()).toEqual(Object.keys(entered).toSorted());
  for (const [pool, number] of Object.entries(entered)) {
    expect(of(number).pools[pool]).toMatchObject(factsIn(words, pool, { entered: 0, clock: 0 }));
  }
});

test.each<[what: string, before: FactWords, after: FactWords, attempt?: number]>([
  ['what is let in has its deadline from now on', {}, { entered: 0, clock: 0 }],
  [
    'what was recorded of an earlier entry is void',
    { entered: 30, key: 'before', clock: 30, stopped: 20, healthySince: 15 },
    { entered: 0, clock: 0 },
  ],
  ['what gave its room back begins anew', { gaveBack: 3 }, { entered: 0, clock: 0 }],
  ['what was pulled stays', { pulling: 5, pulled: 3 }, { entered: 0, clock: 0, pulling: 5, pulled: 3 }],
  [
    'the attempt after a failure is the next one',
    { entered: 9, failed: 8 },
    { entered: 0, attempt: 2, clock: 0, failed: 8, failedAttempt: 1 },
    2,
  ],
])('%s', (_what, before, after, attempt) => {
  const words: Words = { revisions: { 2: { in: { a: before } } }, promotion: { stage: 'canary' } };
  const facts = entering(words).of(2);
  expect(facts.pools.a).toEqual(factsIn(words, 'a', after));
  expect(facts.attempt).toBe(attempt);
});

test('the attempt does not count back, where rollbacks counted further than the failure', () => {
  const a: FactWords = { entered: 9, failed: 8, rolledBack: 7 };
  const words: Words = { revisions: { 2: { attempt: 3, in: { a } } }, promotion: { stage: 'canary' } };
  const facts = entering(words).of(2);
  expect(facts.attempt).toBe(3);
  expect(facts.pools.a?.entered?.attempt).toBe(3);
});

test('an approval that lets a revision in is recorded as spent', () => {
  const { of } = entering({ promotion: { stage: 'canary', by: 'jane', skipSoak: true } });
  expect(of(2).approvals).toEqual({
    canary: { at: '2026-01-01T12:00:00.000Z', promotion: 'go', skipSoak: true, by: 'jane' },
  });
});

test('an approval of a stage that is not entered is not spent', () => {
  expect(entering({ promotion: { stage: 'production' } }).of(2).approvals).toEqual({});
});

test('an event tells of each pool', () => {
  expect(entering(added).events).toEqual([
    'PoolEntered: revision 2 (2.0.0) enters pool a of stage canary',
    'PoolEntered: revision 1 (1.0.0) enters pool c of stage production',
  ]);
});
