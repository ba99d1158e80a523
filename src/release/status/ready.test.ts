import { describe, expect, test } from 'vitest';
import type { DigestLookup, DryRun, Observed } from '../state/observed.ts';
import { knowing, observed, release, spec } from '../testing.ts';
import { view } from '../view.ts';
import { NOW } from '../testing.ts';
import type { FactWords, Words } from '../world-testing.ts';
import { GOOD, viewOf } from '../world-testing.ts';
import { heldForGood, stalled, unready, waitsForVms } from './ready.ts';

const EVERYWHERE: Words = { wants: 1, revisions: { 1: { in: { a: GOOD, b: GOOD } } } };
const FAILED: FactWords = { entered: 5, failed: 1 };

/** Revision 2 has entered pool a, and serves there or is the target. */
function rolling(facts: FactWords = { entered: 5, clock: 5 }, more: Words = {}): Words {
  return { pools: { a: { beside: { 2: 1 } } }, revisions: { 2: { in: { a: facts } } }, ...more };
}

const SOAKING = rolling({ entered: 5, healthySince: 0.5 }, { pools: { a: { serves: 2 } } });
const HELD = rolling(undefined, { rollback: { against: 2, to: { a: 1 }, completed: 1 } });

function registry(answer: DigestLookup): Words {
  return { wants: 3, more: { lookUpDigest: () => answer } };
}

function failedLookup(reason: 'NotFound' | 'RegistryUnavailable'): Words {
  return registry({ state: 'failed', reason, message: `web:3: ${reason}`, retryable: true });
}

const taken = new Map([['PodDisruptionBudget/web-a-1', 'theirs']]);
const refused = new Map([
  ['HorizontalPodAutoscaler/web-a', { hash: '', reason: 'Refused' as const, message: 'refused' }],
]);
const autoscaled = { a: { spec: { autoscaling: { minReplicas: 1, maxReplicas: 3 } } } };

/** Revision 3 is wanted, and its dry run gives no verdict. */
function unanswered(reason: 'AdmissionDenied' | 'WebhookUnavailable'): Words {
  class Always extends Map<string, DryRun> {
    override get(): DryRun {
      return { ok: false, reason, message: 'no' };
    }
  }
  const words = registry({ state: 'resolved', image: 'web:3@x', digest: 'x' });
  return { ...words, memory: { dryRuns: new Always() } };
}

/** Why the release is not ready; `needsAPerson`: the release is stalled. */
type Row = [what: string, words: Words, reason: string | undefined, message?: string, needsAPerson?: 'a person'];

describe('a release is not ready', () => {
  test.each<Row>([
    ['unless every pool serves the wanted revision', EVERYWHERE, undefined],
    ['while a rollback holds it', HELD, 'RolledBack', 'wants 2.0.0, runs 1.0.0 by back'],
    ['if a name is taken', { ...rolling(), memory: { nameConflicts: taken } }, 'NameTaken', 'theirs', 'a person'],
    [
      'if its autoscaling is refused',
      { ...EVERYWHERE, pools: autoscaled, memory: { refused } },
      'Refused',
      'refused',
      'a person',
    ],
    ['if an image does not exist', failedLookup('NotFound'), 'NotFound', 'web:3: NotFound', 'a person'],
    ['while a registry is down', failedLookup('RegistryUnavailable'), 'ResolvingDigests', 'web:3: RegistryUnavailable'],
    [
      'while a registry is asked',
      { wants: 3 },
      'ResolvingDigests',
      'the operator asks the registry for the digests of the images',
    ],
    [
      'while others are asked first',
      registry({ state: 'pending', isQueued: true }),
      'ResolvingDigests',
      'the digests of the images wait in a queue: the operator asks registries for each namespace in turn',
    ],
    [
      'while its revision is recorded',
      registry({ state: 'resolved', image: 'web:3@x', digest: 'x' }),
      'RecordingRevision',
      'the operator records the wanted revision',
    ],
    ['if admission denies its template', unanswered('AdmissionDenied'), 'AdmissionDenied', 'no', 'a person'],
    ['while a webhook gives no answer', unanswered('WebhookUnavailable'), 'WebhookUnavailable', 'no'],
    [
      'if its version failed and there is no rollback',
      rolling(FAILED, { spec: { rollback: { onFailure: 'Pause' } } }),
      'Failed',
      'version 2.0.0 (revision 2) failed in pool a: crashes; rollback.onFailure is Pause: release another version, or try again with a ReleasePromotion into stage canary',
      'a person',
    ],
    ['while it is paused', rolling(undefined, { paused: 'holidays' }), 'Paused', 'paused: holidays'],
    [
      'while a version rolls',
      rolling(),
      'Progressing',
      'version 2.0.0 (revision 2) in pool a: 1 of 2 pods are ready; container main of pod web-a-2-1: runs and is not ready',
    ],
    [
      'while several pools roll, for the sake of the one with a problem',
      {
        stages: { production: { pools: ['b', 'c'] } },
        pools: { a: { serves: 2 }, b: { beside: { 2: 2 } }, c: { beside: { 2: 0 } } },
        revisions: { 2: { in: { a: GOOD, b: { entered: 5, clock: 5 }, c: { entered: 5, clock: 5 } } } },
      },
      'Progressing',
      'version 2.0.0 (revision 2) in pool c: 0 of 2 pods are ready; container main of pod web-c-2-0: runs and is not ready',
    ],
    [
      'while the pods of a version wait for the switch',
      rolling(undefined, { pools: { a: { beside: { 2: 2 } } } }),
      'Progressing',
      'version 2.0.0 (revision 2) in pool a: 2 of 2 pods are ready, its Service switches next',
    ],
    ['while a stage soaks', SOAKING, 'Soaking', 'stage canary soaks until 2026-01-01T12:00:30.000Z'],
    [
      'while a pool moves to other VMs',
      { ...EVERYWHERE, pools: { a: { moved: 1 } }, revisions: { 1: { in: { a: { ...GOOD, placed: 1 }, b: GOOD } } } },
      'Progressing',
      'version 1.0.0 (revision 1) in pool a: 1 of 2 pods are ready on the VMs that the spec names now: container main of pod web-a-1-1: runs and is not ready',
    ],
  ])('%s', (_what, words, reason, message, needsAPerson) => {
    const seen = viewOf(words);
    expect(unready(seen)).toEqual(reason === undefined ? undefined : { reason, message });
    expect(stalled(seen)?.reason).toBe(needsAPerson && reason);
  });
});

const MOVES: Words = { pools: { a: { beside: { 2: 1 }, moved: 1 } } };

test.each<[what: string, words: Words, reason: string | undefined]>([
  ['once every pool serves the target', HELD, 'RolledBack'],
  ['not while a pool rolls back', rolling(undefined, { rollback: { against: 2, to: { a: 1 } } }), undefined],
  ['not while a pool moves to other VMs', { ...HELD, ...MOVES }, undefined],
  [
    'not while the digests of another version are asked for',
    { ...HELD, ...registry({ state: 'pending' }), wants: 3 },
    undefined,
  ],
  ['not without a rollback', EVERYWHERE, undefined],
])('only a person ends a hold: %s', (_what, words, reason) => {
  expect(heldForGood(viewOf(words))?.reason).toBe(reason);
});

describe('a release whose spec was never valid', () => {
  function neverValid(wanted: Record<string, unknown>): Observed {
    return observed({ release: release({ ...spec(), ...wanted }), lookUpDigest: knowing({}) });
  }

  test('needs a person', () => {
    const seen = view(neverValid({ revisionHistoryLimit: -1 }), NOW);
    const reason = expect.objectContaining({ reason: 'InvalidSpec' }) as object;
    expect([stalled(seen), unready(seen)]).toEqual([reason, reason]);
    expect(waitsForVms(seen)).toBe(false);
  });

  test('may wait for a VMPool', () => {
    const stages = spec().stages.map((stage) => ({
      ...stage,
      pools: stage.pools.map(({ nodeSelector: _, ...pool }) => pool),
    }));
    const seen = view(neverValid({ stages }), NOW);
    expect(unready(seen)).toMatchObject({ reason: 'UnknownPool' });
    expect(waitsForVms(seen)).toBe(true);
  });
});

describe('a change of the VMs enqueues', () => {
  test.each<[what: string, words: Words, waits: boolean]>([
    ['a move', { ...EVERYWHERE, pools: { a: { moved: 1 } } }, true],
    ['a rollback that is not complete', rolling(undefined, { rollback: { against: 2, to: { a: 1 } } }), true],
    ['no rollback that is complete', HELD, false],
    ['no version that rolls', rolling(), false],
    ['a version whose clock is stopped', rolling({ entered: 5, clock: 5, stopped: 1 }), true],
  ])('%s', (_what, words, waits) => {
    expect(waitsForVms(viewOf(words))).toBe(waits);
  });
});
