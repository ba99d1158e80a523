import { expect, test } from 'vitest';
import { placedPod, vm } from '../../scheduling/testing.ts';
import { draftFacts } from '../record/facts-draft.ts';
import { exposing } from '../route/exposure-testing.ts';
import { ago, NOW, rollout } from '../testing.ts';
import type { FactWords, RevisionWords, Words } from '../world-testing.ts';
import { factsIn, GOOD, revisionNumbered, viewOf } from '../world-testing.ts';
import { enterStages } from './entering.ts';

/** The entered pools, the recorded facts and the events. */
function entering(words: Words) {
  const seen = viewOf(words);
  const drafts = draftFacts();
  const pools = [...enterStages(seen, drafts)].map(({ name }) => name);
  const notices = drafts.actions().flatMap((action) => action.notices ?? []);
  const events = notices.map(({ reason, note }) => `${reason}: ${note}`);
  return { pools, events, of: (number: number) => drafts.change(revisionNumbered(seen, number)) };
}

/** Revision 2 has left pool a. */
const LEFT: Words['revisions'] = { 1: { in: { a: GOOD, b: GOOD } }, 2: {} };
const soaked: FactWords = { entered: 10, healthySince: 5 };
/** Pool c was added to production. */
const added: Words = { stages: { production: { pools: ['b', 'c'] } }, pools: { c: { serves: 0 } } };
const full: Words['more'] = {
  rooms: ({ pool }) => {
    const allocatable = { cpu: 4000, memory: 2 ** 34, pods: pool === 'c' ? 1 : 10 };
    return [{ node: vm('vm', { labels: { pool: pool ?? '' }, allocatable }), pods: [placedPod('vm', 'x')] }];
  },
};
/** Pools a and b serve revision 2, and the spec wants revision 1 again, which was good there. */
const reverted: Words = {
  wants: 1,
  pools: { a: { serves: 2 }, b: { serves: 2 } },
  revisions: { 2: { in: { a: soaked, b: soaked } } },
};

/** Pools a and b serve revision 2, which is rolled back to revision 1. */
const rollingBack: Words = {
  pools: { a: { serves: 2 }, b: { serves: 2 }, c: { serves: 0 } },
  revisions: { 2: { in: { a: { rolledBack: 1 }, b: { rolledBack: 1 } } } },
  rollback: { against: 2, to: { a: 1, b: 1 } },
};

/** `entered`: pool → the revision that enters it. */
test.each<[what: string, words: Words, entered: Record<string, number>]>([
  ['a revision enters the first stage if its gates are open', {}, { a: 2 }],
  ['a revision does not enter a stage with a closed gate', { paused: 'holidays' }, {}],
  [
    'a revision enters the next stage after the soak',
    { pools: { a: { serves: 2 } }, revisions: { 2: { in: { a: soaked } } } },
    { b: 2 },
  ],
  ['a revision enters all pools of a stage together', { stages: { canary: { pools: ['a', 'd'] } } }, { a: 2, d: 2 }],
  ['no pool is entered while the wanted revision is not recorded', { wants: 3 }, {}],
  ['a revision does not enter a pool twice', { revisions: { 2: { in: { a: { entered: 1 } } } } }, {}],
  [
    'a revision that entered for other VMs enters again',
    { revisions: { 2: { in: { a: { entered: 1, key: 'before' } } } } },
    { a: 2 },
  ],
  ['a revert enters every pool at once', reverted, { a: 1, b: 1 }],
  ['a revert enters while the release is paused', { ...reverted, paused: 'holidays' }, { a: 1, b: 1 }],
  [
    'a revert does not enter a held pool',
    { ...reverted, rollback: { against: 2, to: { a: 1 }, names: true } },
    { b: 1 },
  ],
  [
    'a revert to a revision that was never good in the pool passes the gates',
    { ...reverted, paused: 'holidays', revisions: { 1: { in: { b: GOOD } }, 2: { in: { a: soaked, b: soaked } } } },
    { b: 1 },
  ],
  [
    'a revert to a revision with a bad mark waits for an approval',
    {
      ...reverted,
      revisions: { 1: { in: { a: { ...GOOD, rolledBack: 50 }, b: GOOD } }, 2: { in: { a: soaked, b: soaked } } },
    },
    {},
  ],
  ['an added pool gets the revision of its stage', added, { a: 2, c: 1 }],
  [
    'an added pool gets the revision of its stage while the release is paused',
    { ...added, paused: 'holidays' },
    { c: 1 },
  ],
  ['an added pool of a stage without a revision is not entered', { pools: { b: { serves: 0 } } }, { a: 2 }],
  [
    'an added pool gets the wanted revision if its stage has entered it',
    {
      ...added,
      paused: 'holidays',
      pools: { a: { serves: 2 }, b: { serves: 1 }, c: { serves: 0 } },
      revisions: { 2: { in: { a: soaked, b: soaked } } },
    },
    { c: 2 },
  ],
  [
    'an added pool gets the target of a rollback that its stage has not completed yet',
    { ...added, ...rollingBack },
    { c: 1 },
  ],
  [
    'an added pool does not get a revision that is marked as rolled back while the rollback is not seen',
    { ...added, ...rollingBack, rollback: undefined },
    {},
  ],
  ['an added pool without room waits', { ...added, more: full }, { a: 2 }],
  [
    'a serving pool is not an added pool',
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
  ['an entry starts the deadline', {}, { entered: 0, clock: 0 }],
  [
    'an entry clears the facts of an earlier entry',
    { entered: 30, key: 'before', clock: 30, stopped: 20, healthySince: 15 },
    { entered: 0, clock: 0 },
  ],
  ['an entry clears the fact that room was given back', { gaveBack: 3 }, { entered: 0, clock: 0 }],
  [
    'an entry keeps the facts about pulled images',
    { pulling: 5, pulled: 3 },
    { entered: 0, clock: 0, pulling: 5, pulled: 3 },
  ],
  [
    'an entry after a failure is the next attempt',
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

/** Revision 2 has the pods of revision 1, which serves in pools a and b. */
const same: RevisionWords = { version: '1.0.0', imagesOf: 1 };

test.each<[what: string, before: FactWords, after: FactWords]>([
  ['good pods stay good', GOOD, { entered: 0, keeps: 1, healthySince: 59, good: 58 }],
  ['a soak goes on', { entered: 3, healthySince: 1 }, { entered: 0, keeps: 1, healthySince: 1 }],
  ['a deadline goes on', { entered: 3, clock: 3 }, { entered: 0, keeps: 1, clock: 3 }],
  [
    'pods on other VMs stay there',
    { ...GOOD, key: 'before', placed: 9, arrived: 8 },
    { entered: 0, key: 'before', placed: 9, arrived: 8, keeps: 1, healthySince: 59, good: 58 },
  ],
])('a revision with the same pods enters every pool at once: %s', (_what, before, after) => {
  const words: Words = {
    stages: { production: { approval: 'Manual' } },
    revisions: { 1: { in: { a: before, b: GOOD } }, 2: same },
  };
  const { pools, of, events } = entering(words);
  expect(pools).toEqual(['a', 'b']);
  expect(of(2).pools.a).toEqual(factsIn(words, 'a', after));
  expect(events[0]).toBe('PoolEntered: revision 2 (1.0.0) enters pool a of stage canary, whose pods stay as they are');
});

test('with other ports it passes the gates', () => {
  const ports = { service: { ports: [{ port: 81, targetPort: 'http' }] } };
  const { pools, of } = entering({ revisions: { 1: { in: { a: GOOD, b: GOOD } }, 2: { ...same, spec: ports } } });
  expect(pools).toEqual(['a']);
  expect(of(2).pools.a).toMatchObject({ podsOf: { revision: 1 } });
});

test('an entry with new pods forgets whose pods the revision had', () => {
  const { of } = entering({ revisions: { 2: { in: { a: { keeps: 1 } } } } });
  expect(of(2).pools.a).not.toHaveProperty('podsOf');
});

test('the attempt does not decrease if rollbacks have counted further than the failure', () => {
  const a: FactWords = { entered: 9, failed: 8, rolledBack: 7 };
  const words: Words = { revisions: { 2: { attempt: 3, in: { a } } }, promotion: { stage: 'canary' } };
  const facts = entering(words).of(2);
  expect(facts.attempt).toBe(3);
  expect(facts.pools.a?.entered?.attempt).toBe(3);
});

test('an approval that admits a revision is recorded', () => {
  const { of } = entering({ promotion: { stage: 'canary', by: 'jane', skipSoak: true } });
  expect(of(2).approvals).toEqual({
    canary: { at: '2026-01-01T12:00:00.000Z', promotion: 'go', skipSoak: true, by: 'jane' },
  });
});

test('an approval of a stage that is not entered is not recorded', () => {
  expect(entering({ promotion: { stage: 'production' } }).of(2).approvals).toEqual({});
});

test('each entered pool gets an event', () => {
  expect(entering(added).events).toEqual([
    'PoolEntered: revision 2 (2.0.0) enters pool a of stage canary',
    'PoolEntered: revision 1 (1.0.0) enters pool c of stage production',
  ]);
});

test('the last entry of a pool has the latest time, also after an entry of a clock that was ahead', () => {
  const words: Words = {
    wants: 1,
    pools: { a: { serves: 2 }, b: { serves: 2 } },
    revisions: { 2: { in: { a: { ...soaked, entered: -120 }, b: soaked } } },
  };
  const { a, b } = entering(words).of(1).pools;
  expect(a?.entered?.at).toBe(new Date(NOW + 120 * 60_000 + 1).toISOString());
  expect(a?.clock?.start).toBe(ago(0));
  expect(b?.entered?.at).toBe(ago(0));
});

test('a revision that enters a stage again begins its exposure anew, and its steps need new approvals', () => {
  const seen = rollout(
    exposing({ record: { phase: 'Stepping', step: 1 }, approved: [1], serves: 1, next: 1, words: { revisions: LEFT } }),
  );
  const drafts = draftFacts();
  enterStages(seen, drafts);
  const { exposures, approvals } = drafts.change(revisionNumbered(seen, 2));
  expect({ exposures, approvals }).toEqual({ exposures: undefined, approvals: {} });
});
