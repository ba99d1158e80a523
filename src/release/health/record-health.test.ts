import { describe, expect, test } from 'vitest';
import { ANNOTATION } from '../../api/meta.ts';
import { draftFacts } from '../record/facts-draft.ts';
import type { ContainerState, Pod } from '../record/kube-objects.ts';
import { poolFacts } from '../record/revision.ts';
import type { ExposureWords } from '../route/exposure-testing.ts';
import { exposing } from '../route/exposure-testing.ts';
import { ago, rollout } from '../testing.ts';
import type { FactWords, PoolWords, Words } from '../world-testing.ts';
import { factsIn, GOOD, revisionNumbered, viewOf, world } from '../world-testing.ts';
import { markPools } from './record-health.ts';

/** The recorded facts of a revision in a pool, and the reasons of the events. */
function marked(words: Words, number: number, pool: string) {
  const seen = viewOf(words);
  const drafts = draftFacts();
  markPools(seen, drafts);
  const events = drafts.actions().flatMap(({ notices = [] }) => notices);
  const facts = drafts.change(revisionNumbered(seen, number)).pools[pool] ?? {};
  return { facts, events, before: poolFacts(revisionNumbered(seen, number), pool) };
}

/** `after`: left out if nothing is recorded. */
interface Case {
  before: FactWords;
  after?: FactWords;
  /** The pool. Default: it serves revision 2. */
  pool?: PoolWords;
  /** The pool's name. Default: a, in a stage with a soak of 1 minute. */
  name?: string;
  event?: string;
  words?: Words;
  /** Default 2. */
  number?: number;
}

function showEach(cases: Record<string, Case>): void {
  test.each(Object.entries(cases))('%s', (_what, one) => {
    const { before, after = before, pool = { serves: 2 }, name = 'a', event, words, number = 2 } = one;
    const revisions = { ...words?.revisions };
    const own = revisions[number];
    const world: Words = {
      ...words,
      pools: { ...words?.pools, [name]: pool },
      revisions: { ...revisions, [number]: { ...own, in: { ...own?.in, [name]: before } } },
    };
    const { facts, events } = marked(world, number, name);
    expect(facts).toEqual(factsIn(world, name, after));
    expect(events.map(({ reason }) => reason)).toEqual(event === undefined ? [] : [event]);
  });
}

describe('a served and healthy revision', () => {
  const b = { entered: 1 };
  showEach({
    'begins its soak, and has no deadline any more': {
      before: { entered: 5, clock: 5 },
      after: { entered: 5, healthySince: 0 },
      event: 'PoolPromoted',
    },
    'is good at once if its stage has no soak': {
      before: { entered: 5, clock: 5 },
      after: { entered: 5, healthySince: 0, good: 0 },
      name: 'b',
      event: 'PoolPromoted',
    },
    'is not good during its soak': { before: { entered: 5, healthySince: 0.99 } },
    'soaks on while its Deployment changes without another pod': {
      before: { entered: 5, healthySince: 0.5 },
      pool: { serves: 2, unseen: true },
    },
    'restarts its soak if a pod is lost meanwhile': {
      before: { entered: 5, healthySince: 0.5 },
      after: { entered: 5, clock: 0 },
      pool: { serves: 2, ready: 1, unseen: true },
      event: 'SoakRestarted',
    },
    'is good after its soak': {
      before: { entered: 5, healthySince: 1 },
      after: { entered: 5, healthySince: 1, good: 0 },
    },
    'keeps the time since when it is good': { before: GOOD },
    'is good again after a failure and another entry': {
      before: { entered: 5, attempt: 2, healthySince: 1, good: 30, failed: 20, failedAttempt: 1 },
      after: { entered: 5, attempt: 2, healthySince: 1, good: 0 },
    },
    'is good again after a rollback and another entry': {
      before: { entered: 5, attempt: 2, healthySince: 1, good: 30, rolledBack: 20 },
      after: { entered: 5, attempt: 2, healthySince: 1, good: 0 },
    },
    'stays bad until the end of another soak': {
      before: { entered: 5, attempt: 2, healthySince: 0.5, good: 30, rolledBack: 20 },
    },
    'is not marked in a pool without replicas': { before: { entered: 5 }, pool: { serves: 2, replicas: 0 } },
    'is not marked in a pool that it has not entered': { before: {} },
    'is not marked in a pool where this attempt failed': { before: { entered: 5, failed: 2 } },
  });

  const broken: PoolWords = { serves: 2, ready: 1 };
  describe('that is no longer healthy', () => {
    showEach({
      'restarts its soak, with a new deadline': {
        before: { entered: 5, healthySince: 0.5 },
        after: { entered: 5, clock: 0 },
        pool: broken,
        event: 'SoakRestarted',
      },
      'restarts its soak also after the soak, until it enters the next stage': {
        before: { entered: 5, healthySince: 3, good: 2 },
        after: { entered: 5, clock: 0, good: 2 },
        pool: broken,
        event: 'SoakRestarted',
      },
      'keeps its marks once it has entered the next stage': {
        before: { entered: 5, healthySince: 3, good: 2 },
        pool: broken,
        words: { revisions: { 2: { in: { b } } } },
      },
      'keeps its marks in the last stage': {
        before: { entered: 5, healthySince: 3, good: 3 },
        pool: broken,
        name: 'b',
      },
    });
  });
});

/** Revision 1 serves, and pods of revision 2 start beside it. */
function coming(ready: number, unready: Partial<Pod> = {}): PoolWords {
  return { beside: { 2: ready }, unready };
}

function container(reason: string, restartCount = 0): { containers: ContainerState[] } {
  return { containers: [{ name: 'main', ready: false, restartCount, waiting: { reason } }] };
}

const unschedulable: Partial<Pod> = { unschedulable: '0/3 nodes are available' };
const crashing = container('CrashLoopBackOff', 3);

describe('a revision that has entered a pool and does not serve yet', () => {
  showEach({
    'has time': { before: { entered: 5, clock: 5 }, pool: coming(1) },
    'begins its deadline': {
      before: { entered: 5 },
      after: { entered: 5, clock: 0 },
      pool: coming(0),
    },
    'has no deadline in a pool without replicas': {
      before: { entered: 5, clock: 5 },
      after: { entered: 5 },
      pool: { ...coming(0), replicas: 0 },
    },
    'is not judged before it has a Deployment': { before: { entered: 15, clock: 15 }, pool: {} },
    'stops its clock for a cause outside the version': {
      before: { entered: 5, clock: 5 },
      after: { entered: 5, clock: 5, stopped: 0 },
      pool: coming(1, unschedulable),
      event: 'Unschedulable',
    },
    'stops its clock once, with one event': {
      before: { entered: 5, clock: 5, stopped: 2 },
      pool: coming(1, unschedulable),
    },
    'continues its clock after that, later by the time that the clock was stopped': {
      before: { entered: 9, clock: 9, stopped: 4 },
      after: { entered: 9, clock: 5 },
      pool: coming(1),
    },
    'stops its clock while the release is paused': {
      before: { entered: 11, clock: 11 },
      after: { entered: 11, clock: 11, stopped: 0 },
      pool: coming(1),
      words: { paused: 'holidays' },
      event: 'Paused',
    },
    'does not fail twice': { before: { entered: 15, clock: 15, failed: 2 }, pool: coming(1, crashing) },
    'does not fail if it is a revert': {
      before: { ...GOOD, entered: 11, healthySince: undefined, clock: 11 },
      pool: { serves: 2, beside: { 1: 0 } },
      words: { wants: 1 },
      number: 1,
    },
  });
});

test('a clock that one pod stopped continues if another pod is not ready for no such cause', () => {
  const before: FactWords = { entered: 9, clock: 9, stopped: 4 };
  const words: Words = { pools: { a: coming(0, unschedulable) }, revisions: { 2: { in: { a: before } } } };
  const waiting = world(words).pods.filter(({ unschedulable: text }) => text !== undefined);
  const [first, ...others] = waiting.map(({ metadata }) => metadata.name);
  const pods = world(words).pods.map(({ unschedulable: text, ...pod }) =>
    text === undefined || pod.metadata.name === first ? pod : { ...pod, unschedulable: text },
  );
  expect(others).toHaveLength(1);
  const { facts, events } = marked({ ...words, more: { pods } }, 2, 'a');
  expect(facts).toEqual(factsIn(words, 'a', { entered: 9, clock: 5 }));
  expect(events).toEqual([]);
});

describe('a rolling update', () => {
  const words: Words = { spec: { strategy: { type: 'RollingUpdate' } } };
  const replicas = 3;
  showEach({
    'restarts its deadline with the first ready pod': {
      before: { entered: 9, clock: 9 },
      after: { entered: 9, clock: 0, mostReady: 1 },
      pool: { ...coming(1), replicas },
      words,
    },
    'restarts its deadline with more ready pods than ever before, also after the deadline': {
      before: { entered: 20, clock: 15, mostReady: 1 },
      after: { entered: 20, clock: 0, mostReady: 2 },
      pool: { ...coming(2), replicas },
      words,
    },
    'does not restart its deadline with pods that are ready again': {
      before: { entered: 9, clock: 9, mostReady: 2 },
      pool: { ...coming(2), replicas },
      words,
    },
    'keeps that number while its clock is stopped, and after that': {
      before: { entered: 9, clock: 9, stopped: 4, mostReady: 2 },
      after: { entered: 9, clock: 5, mostReady: 2 },
      pool: { ...coming(1), replicas },
      words,
    },
  });

  test('fails if its readiness flaps until the deadline', () => {
    const before: FactWords = { entered: 20, clock: 10, mostReady: 2 };
    const seen = { ...words, pools: { a: { ...coming(1), replicas } }, revisions: { 2: { in: { a: before } } } };
    expect(marked(seen, 2, 'a').facts.failed?.reason).toBe('ProgressDeadlineExceeded');
  });
});

describe('a revision fails that', () => {
  const late = '1 of 2 pods are ready after 600 s';
  test.each<[what: string, before: FactWords, pod: Partial<Pod>, reason: string, message: string, more?: Words]>([
    ['has passed its deadline', { entered: 11, clock: 11 }, {}, 'ProgressDeadlineExceeded', late],
    ['crashes', { entered: 5, clock: 5 }, crashing, 'CrashLoop', 'crashes repeatedly'],
    ['crashes while the clock is stopped', { entered: 5, clock: 5, stopped: 2 }, crashing, 'CrashLoop', 'crashes'],
    [
      'crashes while the release is paused',
      { entered: 5, clock: 5 },
      crashing,
      'CrashLoop',
      'crashes',
      { paused: 'x' },
    ],
    ['was good before and is no revert', { entered: 11, clock: 11, good: 40 }, {}, 'ProgressDeadlineExceeded', late],
    [
      'is in a further attempt',
      { entered: 11, attempt: 2, clock: 11, good: 40, rolledBack: 20 },
      {},
      'ProgressDeadlineExceeded',
      late,
    ],
  ])('%s', (_what, before, pod, reason, message, more) => {
    const words: Words = { ...more, pools: { a: coming(1, pod) }, revisions: { 2: { in: { a: before } } } };
    const { facts, events } = marked(words, 2, 'a');
    const failed = { at: '2026-01-01T12:00:00.000Z', attempt: before.attempt ?? 1, reason };
    expect(facts).toMatchObject({ failed: { ...failed, message: expect.stringContaining(message) as string } });
    expect(facts).not.toHaveProperty('clock');
    expect(events).toMatchObject([
      {
        type: 'Warning',
        reason: 'RevisionFailed',
        note: expect.stringContaining('revision 2 (2.0.0) failed in pool a') as string,
      },
    ]);
  });
});

describe('a pool that a rollback took back', () => {
  /** A rollback from revision 3 to revision 1; revision 2 was the last good one. */
  function back(completed?: number, two: FactWords = { ...GOOD, healthySince: 20 }): Words {
    const rollback = { against: 3, to: { a: 1 }, ...(completed !== undefined && { completed }) };
    return { rollback, revisions: { 2: { in: { a: two } }, 3: { in: { a: { entered: 9 } } } } };
  }
  const pool: PoolWords = { serves: 1 };
  showEach({
    'marks its revision as the one that ran last': {
      before: GOOD,
      after: { ...GOOD, healthySince: 0 },
      pool,
      words: back(3),
      number: 1,
    },
    'does not mark its revision before it is complete': { before: GOOD, pool, words: back(), number: 1 },
    'does not mark its revision if that was the last good one': { before: GOOD, pool, words: back(3, {}), number: 1 },
    'is marked once': {
      before: { ...GOOD, healthySince: 2 },
      pool,
      words: back(3, { ...GOOD, healthySince: 1 }),
      number: 1,
    },
    'does not mark a revision that was never good': { before: { entered: 60 }, pool, words: back(3), number: 1 },
    'does not mark its revision as failed': {
      before: { entered: 15, clock: 15 },
      pool: { serves: 1, beside: { 2: 0 }, unready: crashing },
      words: { rollback: { against: 2, to: { a: 1 } } },
    },
  });
});

describe('a pool that was added while its stage runs an older revision', () => {
  const pool: PoolWords = { serves: 1 };
  const entered: FactWords = { entered: 5 };
  const added: Omit<Case, 'before'> = {
    pool,
    name: 'c',
    number: 1,
    words: { stages: { production: { pools: ['b', 'c'] } } },
  };
  showEach({
    'marks that revision as good once it is healthy': {
      ...added,
      before: entered,
      after: { ...entered, healthySince: 0, good: 0 },
    },
    'does not mark it before': { ...added, before: entered, pool: { serves: 1, ready: 1 } },
    'is marked once': { ...added, before: { ...entered, healthySince: 3, good: 3 } },
  });
});

describe('a served revision while another one is wanted', () => {
  const words: Words = { wants: 3, revisions: { 3: {} } };
  const soaking: FactWords = { entered: 5, healthySince: 0.5 };
  showEach({
    'continues its soak, and is not good before the end': { before: soaking, words },
    'is good after its soak': {
      before: { entered: 5, healthySince: 2 },
      after: { entered: 5, healthySince: 2, good: 0 },
      words,
    },
    'begins its soak': { before: { entered: 5 }, after: { entered: 5, healthySince: 0 }, words },
    'restarts its soak if it was not healthy': {
      before: soaking,
      after: { entered: 5 },
      pool: { serves: 2, ready: 1 },
      words,
    },
  });
});

describe('the event of a promotion', () => {
  /** Minutes since its Service was switched, and since its clock began. */
  test.each<[string, number | undefined, number, boolean]>([
    ['is sent where no Service was switched', undefined, 5, false],
    ['is only counted where the switch was told', 4, 5, true],
    ['is sent where the switch let in an earlier one', 6, 5, false],
    ['is sent where its soak began anew after the switch', 4, 3, false],
  ])('%s', (_what, switched, clock, metricOnly) => {
    const words = { pools: { a: { serves: 2 } }, revisions: { 2: { in: { a: { entered: 5, clock } } } } };
    const base = world(words);
    const services = base.services.map((service) => ({
      ...service,
      metadata: {
        ...service.metadata,
        annotations: {
          ...service.metadata.annotations,
          ...(switched !== undefined && { [ANNOTATION.switchedAt]: ago(switched) }),
        },
      },
    }));
    const seen = rollout({ ...base, services });
    const drafts = draftFacts();
    markPools(seen, drafts);
    const notices = drafts.actions().flatMap(({ notices = [] }) => notices);
    expect(notices.map(({ reason, metricOnly: told = false }) => [reason, told])).toEqual([
      ['PoolPromoted', metricOnly],
    ]);
  });
});

describe('a revision in its exposure', () => {
  function clockOf(ready: number, clock: number | undefined, record?: ExposureWords['record']) {
    const two = { in: { a: { entered: 50, ...(clock !== undefined && { clock }) } } };
    const revisions = { 1: { in: { a: GOOD, b: GOOD } }, 2: two };
    const seen = rollout(exposing({ ready, words: { revisions }, ...(record && { record }) }));
    const drafts = draftFacts();
    markPools(seen, drafts);
    const { clock: found, failed } = drafts.change(revisionNumbered(seen, 2)).pools['a'] ?? {};
    return { clock: found?.start, failed: failed?.reason };
  }
  const STEP = { phase: 'Stepping', step: 0, since: 600 } as const;

  test.each<[what: string, ready: number, clock: number | undefined, record: ExposureWords['record'], after: object]>([
    ['has no deadline once its pods are ready', 2, 5, undefined, {}],
    ['has none in a step, however long', 2, undefined, STEP, {}],
    ['has the whole deadline if a pod stops being ready', 1, undefined, STEP, { clock: ago(0) }],
    ['fails when that is over', 1, 11, STEP, { failed: 'ProgressDeadlineExceeded' }],
  ])('%s', (_what, ready, clock, record, after) => {
    expect(clockOf(ready, clock, record)).toEqual({ clock: undefined, failed: undefined, ...after });
  });
});
