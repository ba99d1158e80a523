import { describe, expect, test } from 'vitest';
import { ANNOTATION } from '../../api/meta.ts';
import { findCondition } from '../../api/conditions.ts';
import type { ReleasePromotion } from '../../api/release-promotion.ts';
import type { ReleaseRollback, ReleaseRollbackStatus } from '../../api/release-rollback.ts';
import type { Action } from '../record/actions.ts';
import { promotionAnswerOf, rollbackAnswerOf } from '../record/answer.ts';
import { plan } from '../plan.ts';
import type { Observed } from '../state/observed.ts';
import { ago, meta, NOW } from '../testing.ts';
import type { FactWords, Words } from '../world-testing.ts';
import { GOOD, viewOf, world } from '../world-testing.ts';
import { keepAnswers } from './answers.ts';

type Request = ReleaseRollback | ReleasePromotion;

/** As an object comes back from a backup: new, without a status and an owner. */
function fromBackup<One extends Request>({ metadata: { name }, spec }: One, answer: string | undefined): One {
  const more = answer === undefined ? {} : { annotations: { [ANNOTATION.answer]: answer } };
  return { metadata: meta(name, { uid: `uid-new-${name}`, creationTimestamp: ago(0), ...more }), spec } as One;
}

/** The world after a restore: `answers` replaces the recorded answer of the rollback. */
function restoredWorld(words: Words, forged?: string): Observed {
  const seen = world(words);
  return {
    ...seen,
    rollbacks: seen.rollbacks.map((one) => fromBackup(one, forged ?? rollbackAnswerOf(one))),
    promotions: seen.promotions.map((one) => fromBackup(one, promotionAnswerOf(one))),
  };
}

/** Applies the writes of statuses until there are none; returns these statuses and all other actions. */
function settle(seen: Observed): { rollback?: ReleaseRollback; promotion?: ReleasePromotion; does: string[] } {
  const does: string[] = [];
  for (let round = 0; round < 5; round++) {
    const { actions } = plan(seen, NOW);
    does.push(...actions.map(told).filter((one) => one !== ''));
    const written = <One extends Request>(one: One): One => {
      const patch = actions.find(
        (action) =>
          (action.kind === 'PatchRollback' || action.kind === 'PatchPromotion') &&
          action.target.uid === one.metadata.uid,
      );
      return patch && 'status' in patch ? { ...one, status: patch.status } : one;
    };
    const next = { ...seen, rollbacks: seen.rollbacks.map(written), promotions: seen.promotions.map(written) };
    if (JSON.stringify([next.rollbacks, next.promotions]) === JSON.stringify([seen.rollbacks, seen.promotions])) break;
    seen = next;
  }
  const [rollback] = seen.rollbacks;
  const [promotion] = seen.promotions;
  return { ...(rollback && { rollback }), ...(promotion && { promotion }), does: [...new Set(does)] };
}

/** What an action does to traffic or to entries. */
function told(action: Action): string {
  if (action.kind === 'ApplyService') return `Service ${action.desired.metadata.name}`;
  if (action.kind === 'ApplyDeployment') return `Deployment ${action.desired.metadata.name}`;
  return (action.notices ?? []).some(({ reason }) => reason === 'PoolEntered') ? 'enters a pool' : '';
}

function conditionsOf({ status }: Request): string {
  const conditions = status?.conditions ?? [];
  return ['Accepted', 'Complete', 'Superseded', 'InForce']
    .flatMap((type) => findCondition(conditions, type) ?? [])
    .map((one) => `${one.type}=${one.status}/${one.reason}`)
    .join(' ');
}

const BACK: FactWords = { good: 58, rolledBack: 5 };
const BOTH = { a: GOOD, b: GOOD };
const HELD: Words = {
  revisions: { 1: { in: BOTH }, 2: { in: { a: BACK, b: BACK }, attempt: 2 } },
  rollback: { against: 2, to: { a: 1, b: 1 }, completed: 4 },
};
const TWO_SERVES: Words = {
  pools: { a: { serves: 2 }, b: { serves: 2 } },
  revisions: { 1: { in: BOTH }, 2: { in: BOTH } },
};
const MANUAL: Words['stages'] = { production: { approval: 'Manual' } };

describe('after a restore', () => {
  test.each<[what: string, words: Words, conditions: string]>([
    [
      'a hold keeps its version out',
      HELD,
      'Accepted=True/Accepted Complete=True/Complete Superseded=False/Latest InForce=True/Holding',
    ],
    [
      'a hold keeps out a later revision of its version too',
      { ...HELD, revisions: { ...HELD.revisions, 3: { version: '2.0.0' } } },
      'Accepted=True/Accepted Complete=True/Complete Superseded=False/Latest InForce=True/Holding',
    ],
    [
      'a rollback whose hold had ended moves nothing',
      { ...TWO_SERVES, rollback: { against: 2, to: { a: 1, b: 1 }, completed: 4, ended: true } },
      'Accepted=True/Accepted Complete=True/Complete Superseded=False/Latest InForce=False/Ended',
    ],
  ])('%s', (_what, words, conditions) => {
    const { rollback, does } = settle(restoredWorld(words));
    expect(does).toEqual([]);
    expect(rollback && conditionsOf(rollback)).toBe(conditions);
    expect(rollback?.status).toMatchObject({ releaseUID: 'uid-web', sequence: 1, heldAgainst: 2 });
  });

  test('a rollback that was under way goes on to the stored targets', () => {
    const words = { ...TWO_SERVES, rollback: { against: 2, to: { a: 1, b: 1 } } };
    const { rollback, does } = settle(restoredWorld(words));
    expect(rollback?.status?.pools).toMatchObject([
      { name: 'a', from: 2, to: 1 },
      { name: 'b', from: 2, to: 1 },
    ]);
    expect(does.length).toBeGreaterThan(0);
  });

  test('a rollback that was rejected stays so, although it could be accepted now', () => {
    const seen = world({ ...TWO_SERVES, rollback: { against: 2, to: { a: 1, b: 1 } } });
    const message = 'pool a has no good revision to return to';
    const status: ReleaseRollbackStatus = {
      conditions: [{ type: 'Accepted', status: 'False', reason: 'NoTarget', message, lastTransitionTime: ago(9) }],
    };
    const rollbacks = seen.rollbacks.map((one) => fromBackup(one, rollbackAnswerOf({ ...one, status })));
    const { rollback, does } = settle({ ...seen, rollbacks });
    expect(does).toEqual([]);
    expect(rollback && conditionsOf(rollback)).toMatch(/^Accepted=False\/NoTarget /);
  });

  test('a hold is taken up as well if the restore kept a status with the UID of the old release', () => {
    const seen = world(HELD);
    const rollbacks = seen.rollbacks.map((one) => ({
      ...fromBackup(one, rollbackAnswerOf(one)),
      ...(one.status && { status: { ...one.status, releaseUID: 'uid-old' } }),
    }));
    const { rollback, does } = settle({ ...seen, rollbacks });
    expect(does).toEqual([]);
    expect(rollback?.status?.releaseUID).toBe('uid-web');
  });

  test.each<[what: string, words: Words, conditions: string]>([
    [
      'that was used admits no other revision',
      {
        wants: 3,
        stages: MANUAL,
        pools: { a: { serves: 3 }, b: { serves: 2 } },
        revisions: { 1: { in: BOTH }, 2: { in: BOTH }, 3: { in: { a: GOOD } } },
        promotion: { stage: 'production', of: 2, status: { completedAt: ago(30) } },
      },
      'Accepted=True/Accepted Complete=True/StageEntered',
    ],
    [
      'that waited admits its own revision alone',
      {
        wants: 3,
        stages: MANUAL,
        pools: { a: { serves: 3 }, b: { serves: 2 } },
        revisions: { 1: { in: BOTH }, 2: { in: BOTH }, 3: { in: { a: GOOD } } },
        promotion: { stage: 'production', of: 2 },
      },
      'Accepted=False/Superseded Complete=False/Superseded',
    ],
  ])('a promotion %s', (_what, words, conditions) => {
    const { promotion, does } = settle(restoredWorld(words));
    expect(does).toEqual([]);
    expect(promotion && conditionsOf(promotion)).toBe(conditions);
  });
});

describe('an answer that the operator did not write', () => {
  const accepted = { sequence: 1, acceptedAt: ago(5), heldAgainst: 2 };
  const toTwo = {
    ...accepted,
    pools: [
      { name: 'a', to: 2 },
      { name: 'b', to: 2 },
    ],
  };
  const ONE_SERVES: Words = { ...TWO_SERVES, pools: {}, rollback: { against: 2, to: { a: 1, b: 1 } } };

  test('moves no pool forward', () => {
    const { rollback, does } = settle(restoredWorld(ONE_SERVES, JSON.stringify({ of: 'back', accepted: toTwo })));
    expect(does).toEqual([]);
    expect(rollback?.status?.pools).toMatchObject([
      { name: 'a', to: 1, message: expect.stringContaining('pool a runs revision 1, which is older') as string },
      { name: 'b', to: 1 },
    ]);
  });

  test.each([
    ['of an object with another name', { of: 'other', accepted: toTwo }],
    ['with a number out of bounds', { of: 'back', accepted: { ...toTwo, sequence: 2 ** 40 } }],
    ['with an unknown reason', { of: 'back', rejected: { reason: 'Because', message: '' } }],
    ['of another type', 7],
    ['without an answer', { of: 'back' }],
  ])('%s does not count: the rollback is new', (_what, value) => {
    const words = { ...TWO_SERVES, rollback: { against: 2, to: { a: 1, b: 1 } } };
    const { rollback } = settle(restoredWorld(words, JSON.stringify(value)));
    expect(rollback?.status?.pools).toMatchObject([{ to: 1 }, { to: 1 }]);
    expect(findCondition(rollback?.status?.conditions, 'Accepted')?.message).toContain('takes back');
  });
});

describe('the annotation of', () => {
  const rollback = { against: 2, to: { a: 1, b: 1 } };
  const answered = (words: Words, more: Partial<ReleaseRollback['metadata']> = {}): Words => {
    const own = world(words);
    const withAnnotation = <One extends Request>(one: One, answer: string | undefined): One => ({
      ...one,
      metadata: { ...one.metadata, annotations: { [ANNOTATION.answer]: answer ?? '' }, ...more },
    });
    return {
      ...words,
      more: {
        rollbacks: own.rollbacks.map((one) => withAnnotation(one, rollbackAnswerOf(one))),
        promotions: own.promotions.map((one) => withAnnotation(one, promotionAnswerOf(one))),
      },
    };
  };
  const ownerReferences = [{ apiVersion: 'apprelease.dev/v1alpha1', kind: 'AppRelease', name: 'web', uid: 'uid-web' }];
  const completed = (words: Words): Words => {
    const { rollbacks } = world({ ...words, rollback: { ...rollback, completed: 4 } });
    const before = answered(words, { ownerReferences }).more?.rollbacks?.[0]?.metadata;
    return { more: { rollbacks: rollbacks.map((one) => ({ ...one, metadata: before ?? one.metadata })) } };
  };

  test.each<[what: string, words: Words, kept: string[]]>([
    ['an accepted rollback is written together with its owner', { rollback }, ['back owned']],
    [
      'an accepted rollback is written if it was owned before',
      {
        more: {
          rollbacks: world({ rollback }).rollbacks.map((one) => ({
            ...one,
            metadata: { ...one.metadata, ownerReferences },
          })),
        },
      },
      ['back'],
    ],
    ['a rollback with its answer stays', answered({ rollback }, { ownerReferences }), []],
    ['a rollback that completes stays', completed({ rollback }), []],
    [
      'a rollback whose hold ended is written',
      {
        more: {
          rollbacks: world({ rollback: { ...rollback, ended: true } }).rollbacks.map((one) => ({
            ...one,
            metadata: answered({ rollback }, { ownerReferences }).more?.rollbacks?.[0]?.metadata ?? one.metadata,
          })),
        },
      },
      ['back'],
    ],
    [
      'a rollback of an earlier release of this name stays',
      {
        more: {
          rollbacks: world({ rollback }).rollbacks.map((one) => ({
            ...one,
            status: { ...one.status, releaseUID: 'uid-old' },
          })),
        },
      },
      [],
    ],
    ['a promotion that is bound is written', { promotion: { stage: 'canary' } }, ['go']],
    ['a promotion with its answer stays', answered({ promotion: { stage: 'canary' } }), []],
    [
      'a promotion that is not bound yet stays',
      {
        more: {
          promotions: world({ promotion: { stage: 'canary' } }).promotions.map(({ metadata, spec }) => ({
            metadata,
            spec,
          })),
        },
      },
      [],
    ],
  ])('%s', (_what, words, kept) => {
    const told = keepAnswers(viewOf(words)).map((action) =>
      action.kind === 'KeepAnswer' ? `${action.target.name}${action.own ? ' owned' : ''}` : action.kind,
    );
    expect(told).toEqual(kept);
  });
});
