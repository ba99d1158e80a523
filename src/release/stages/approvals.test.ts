import { expect, test } from 'vitest';
import type { FactWords, Words } from '../world-testing.ts';
import { viewOf } from '../world-testing.ts';
import { answerPromotions } from './promotions.ts';

/** The status that the promotion of the first stage is answered with, or has. */
function answered(a: FactWords, status: NonNullable<Words['promotion']>['status'], attempt?: number) {
  const revisions = { 2: { in: { a }, ...(attempt !== undefined && { attempt }) } };
  const seen = viewOf({ revisions, promotion: { stage: 'canary', status } });
  const [action] = answerPromotions(seen);
  return action?.kind === 'PatchPromotion' ? action.status : seen.observed.promotions[0]?.status;
}

const unseen = { revision: undefined, conditions: undefined };

test.each<[what: string, facts: FactWords, attempt: number, earlier?: number]>([
  ['admits the first attempt', {}, 1],
  ['that is first seen after a failure admits the next attempt', { entered: 9, failed: 3 }, 2],
  ['that is first seen after an earlier rollback admits the attempt of now', {}, 3, 3],
])('a promotion %s', (_what, facts, attempt, earlier) => {
  expect(answered(facts, unseen, earlier)).toMatchObject({ revision: 2, attempt });
});

test('a promotion keeps the attempt that it was first seen for', () => {
  expect(answered({ entered: 9, failed: 3 }, { attempt: 1 })).toMatchObject({ attempt: 1 });
  expect(answered({ entered: 9, failed: 3 }, {})).not.toHaveProperty('attempt');
});
