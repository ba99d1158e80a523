import { describe, expect, it } from 'vitest';
import type { HistoryEntry, PoolStatus } from '../../api/app-release-status.ts';
import { CONDITIONS } from '../../api/reasons.ts';
import type { LiveRelease } from './releases.ts';
import { liveRelease } from './testing.ts';
import type { Asked, Goal, Question, UnreadyReason, Verdict } from './verdict.ts';
import { questionOf, REASON_CLASS, seenBy, verdictOf } from './verdict.ts';

const RELEASE: Goal = { kind: 'Release' };
const CANARY: Goal = { kind: 'Stage', name: 'canary' };
const UID = 'uid-web';

function ready(reason: string, { status = 'False', isStalled = false } = {}) {
  const base = { observedGeneration: 2, lastTransitionTime: '2026-01-01T11:00:00Z' };
  return {
    conditions: [
      { ...base, type: 'Ready', status, reason, message: 'why' },
      { ...base, type: 'Stalled', status: isStalled ? 'True' : 'False', reason, message: 'why' },
    ] as NonNullable<LiveRelease['status']>['conditions'],
  };
}

function history(...outcomes: [revision: number, version: string, outcome: HistoryEntry['outcome']][]) {
  const entries = outcomes.map(([revision, version, outcome]) => ({
    revision,
    version,
    outcome,
    images: [],
    createdAt: '2026-01-01T11:00:00Z',
  }));
  return { history: entries };
}

const SERVING: PoolStatus = { name: 'a', revision: 2, wantedRevision: 2, replicas: 1, readyReplicas: 1 };

/** A release at generation 2 that wants version 1.1 as revision 2. */
function release(status: object = {}, more: { version?: string; generation?: number; metadata?: object } = {}) {
  const { version = '1.1', generation = 2, metadata } = more;
  return liveRelease({
    metadata: { uid: UID, generation, ...metadata },
    spec: { version },
    status: { observedGeneration: generation, version, revision: 2, ...status },
  });
}

/** The answer to a question that was asked when the release was `first`. */
function answer(now: LiveRelease | undefined, { goal = RELEASE, first = now, ...names }: Asking = {}): Verdict {
  const asked = questionOf(first ?? release(), goal, names);
  const seen = first ? seenBy(first, asked) : asked;
  return verdictOf(now, now ? seenBy(now, seen) : seen);
}

interface Asking {
  goal?: Goal;
  first?: LiveRelease | undefined;
  version?: string;
  generation?: number;
}

describe('each reason of Ready', () => {
  it('has a class, and no other has', () => {
    const reasons: readonly string[] = CONDITIONS.AppRelease.Ready.False;
    expect(Object.keys(REASON_CLASS).toSorted()).toEqual(reasons.toSorted());
  });

  const table: Record<Verdict['kind'], UnreadyReason[]> = {
    Reached: [],
    Waits: [
      'ResolvingDigests',
      'RecordingRevision',
      'Progressing',
      'Exposing',
      'Soaking',
      'NoCapacity',
      'VMsUnavailable',
      'PullingImages',
      'Maintenance',
      'MoveNotReady',
      'WebhookUnavailable',
      'ApiServerError',
      'RolledBack',
    ],
    WaitsForPerson: ['WaitingForApproval', 'ProvesNothing', 'Paused'],
    Failed: [
      'Failed',
      'NothingToReturnTo',
      'Barrier',
      'PreviousFailsToo',
      'RollbackRejected',
      'UnknownPool',
      'TemplateRejected',
      'NotFound',
      'NameTaken',
      'QuotaExceeded',
      'AdmissionDenied',
      'NamespaceTerminating',
    ],
  };
  const rows = Object.entries(table).flatMap(([kind, reasons]) => reasons.map((reason) => [reason, kind] as const));
  it.each(rows)('%s: %s', (reason, kind) => {
    expect(answer(release(ready(reason)))).toEqual({ kind, reason, message: 'why' });
  });

  it.each([
    ['Failed', true],
    ['Waits', false],
  ])('one that is not known: %s if Stalled is %s', (kind, isStalled) => {
    expect(answer(release(ready('OfANewerOperator', { isStalled })))).toMatchObject({ kind });
  });
});

describe('the release', () => {
  it.each<[what: string, kind: Verdict['kind'], message: RegExp, now: LiveRelease | undefined]>([
    ['serves', 'Reached', /version 1\.1 serves in every pool/, release(ready('Released', { status: 'True' }))],
    ['has no status', 'Waits', /has not seen/, release({ observedGeneration: undefined })],
    ['has the first status of the schema', 'Waits', /has not seen/, release({ observedGeneration: -1 })],
    ['has no conditions', 'Waits', /has not told/, release()],
    ['is gone', 'Failed', /was deleted/, undefined],
    ['is another one', 'Failed', /another one/, release({}, { metadata: { uid: 'uid-new' } })],
    [
      'is being deleted',
      'Failed',
      /is being/,
      release({}, { metadata: { deletionTimestamp: '2026-01-01T11:00:00Z' } }),
    ],
  ])('%s: %s', (_what, kind, message, now) => {
    expect(answer(now, { first: release() })).toMatchObject({
      kind,
      message: expect.stringMatching(message) as string,
    });
  });
});

describe('a rollback', () => {
  it.each<[what: string, kind: Verdict['kind'], isStalled: boolean, outcome: HistoryEntry['outcome'] | undefined]>([
    ['takes the version back', 'Failed', false, 'RolledBack'],
    ['took the version back', 'Failed', true, 'RolledBack'],
    ['answers its failure', 'Failed', false, 'Failed'],
    ['holds from before, against an edit of its version', 'WaitsForPerson', true, 'Pending'],
    ['holds from before, until the operator has recorded the version', 'Waits', false, 'Pending'],
    ['holds from before, while digests are asked for', 'Waits', false, undefined],
  ])('%s: %s', (_what, kind, isStalled, outcome) => {
    const past =
      outcome === undefined
        ? { revision: undefined, ...history([1, '1.0', 'RolledBack']) }
        : history([2, '1.1', outcome], [1, '1.0', 'Good']);
    expect(answer(release({ ...ready('RolledBack', { isStalled }), ...past }))).toMatchObject({ kind });
  });
});

describe('never the result of another version', () => {
  const done = ready('Released', { status: 'True' });
  const old = release({ ...done, version: '1.0', revision: 1, observedGeneration: 1 });
  const first = release(done);
  it.each<[what: string, kind: Verdict['kind'], now: LiveRelease, asking: Asking]>([
    ['the status is that of the generation before', 'Waits', old, {}],
    ['the generation does not exist yet', 'Waits', first, { generation: 3 }],
    ['the generation exists', 'Reached', first, { generation: 2 }],
    [
      'the generation came while waiting',
      'Reached',
      first,
      { generation: 2, first: release({}, { version: '1.0', generation: 1 }) },
    ],
    ['the generation was replaced before it was seen', 'Failed', first, { generation: 1 }],
    ['a later generation wants the same', 'Reached', release(done, { generation: 3 }), { first }],
    [
      'a later generation, not seen by the operator, wants the same',
      'Waits',
      release({ ...done, observedGeneration: 2 }, { generation: 3 }),
      { first },
    ],
    ['a later generation wants another version', 'Failed', release(done, { generation: 3, version: '1.2' }), { first }],
    ['the spec wants the version', 'Reached', first, { version: '1.1' }],
    ['the spec does not want the version yet', 'Waits', first, { version: '1.2' }],
    [
      'the spec wanted the version before',
      'Failed',
      release({ ...done, ...history([2, '1.1', 'Good'], [1, '1.0', 'Good']) }),
      { version: '1.0' },
    ],
    [
      'the spec wanted the version while waiting',
      'Failed',
      release(done, { generation: 3, version: '1.2' }),
      { version: '1.1', first },
    ],
    ['an edit of the version', 'Reached', release(done, { generation: 3 }), { version: '1.1', first }],
  ])('%s: %s', (_what, kind, now, asking) => {
    expect(answer(now, asking)).toMatchObject({ kind });
  });

  it('a version that is replaced has its outcome in the message', () => {
    const now = release({ ...done, ...history([2, '1.1', 'Good'], [1, '1.0', 'RolledBack']) });
    expect(answer(now, { version: '1.0' }).message).toBe(
      'the spec does not want version 1.0 any more: it wants 1.1; revision 1: RolledBack',
    );
  });

  it('a generation that is asked for is bound once it is seen', () => {
    const asked: Asked = { kind: 'Generation', generation: 2 };
    const question: Question = { uid: UID, goal: RELEASE, asked };
    expect(seenBy(release({}, { generation: 1 }), question).asked).toEqual(asked);
    const bound = seenBy(first, question);
    expect(bound.asked).toMatchObject({ input: expect.any(String) as string });
    expect(seenBy(release({}, { generation: 3, version: '1.2' }), bound)).toBe(bound);
  });
});

describe('a stage or a pool', () => {
  const waits = ready('WaitingForApproval');
  it.each<[what: string, kind: Verdict['kind'], goal: Goal, pool: Partial<PoolStatus>, status?: object]>([
    ['serves, and the next stage waits for a person', 'Reached', CANARY, {}],
    ['the pool serves', 'Reached', { kind: 'Pool', name: 'a' }, {}],
    ['the next stage waits for a person', 'WaitsForPerson', { kind: 'Stage', name: 'production' }, {}],
    ['the pool of the next stage', 'WaitsForPerson', { kind: 'Pool', name: 'b' }, {}],
    ['serves the revision before', 'Waits', CANARY, { revision: 1 }, ready('Progressing')],
    ['has too few ready pods', 'Waits', CANARY, { readyReplicas: 0 }, ready('Progressing')],
    ['waits for something', 'Waits', CANARY, { waitingFor: 'a move' }, ready('Progressing')],
    [
      'is held',
      'Failed',
      CANARY,
      { heldBy: 'web-1' },
      { ...ready('RolledBack'), ...history([2, '1.1', 'RolledBack']) },
    ],
    [
      'gets its traffic step by step',
      'Waits',
      CANARY,
      {
        traffic: {
          percent: '10%',
          weight: 1,
          exposure: { revision: 2, percent: '10%', total: '1%', steps: 2, message: '' },
        },
      },
      ready('Exposing'),
    ],
    ['serves, and the version failed in a later stage', 'Reached', CANARY, {}, ready('Failed')],
    ['no revision is recorded yet', 'Waits', CANARY, {}, { revision: undefined, ...ready('ResolvingDigests') }],
    [
      'every pool serves, but for one that grows',
      'Waits',
      CANARY,
      { readyReplicas: 0 },
      ready('Released', { status: 'True' }),
    ],
  ])('%s: %s', (_what, kind, goal, pool, status = waits) => {
    const now = release({ pools: [{ ...SERVING, ...pool }], ...status });
    expect(answer(now, { goal })).toMatchObject({ kind });
  });

  it.each<[goal: Goal, message: string]>([
    [{ kind: 'Stage', name: 'b' }, 'the release has no stage b: it has canary, production'],
    [{ kind: 'Pool', name: 'canary' }, 'the release has no pool canary: it has a, b'],
  ])('%o does not exist', (goal, message) => {
    expect(answer(release(), { goal })).toEqual({ kind: 'Failed', message });
  });
});
