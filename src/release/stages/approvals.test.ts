import { describe, expect, test } from 'vitest';
import { ANNOTATION } from '../../api/meta.ts';
import { readFacts } from '../record/recorded.ts';
import type { ExposureWords } from '../route/exposure-testing.ts';
import { exposing } from '../route/exposure-testing.ts';
import { ago, rollout } from '../testing.ts';
import type { FactWords, Words } from '../world-testing.ts';
import { stageNamed, viewOf } from '../world-testing.ts';
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

describe('a promotion that names a step', () => {
  const STEP = { phase: 'Stepping', step: 1, since: 5 } as const;
  function conditions(words: ExposureWords): string[] {
    const seen = rollout(exposing(words));
    const [action] = answerPromotions(seen);
    const status = action?.kind === 'PatchPromotion' ? action.status : seen.observed.promotions[0]?.status;
    return (status?.conditions ?? []).flatMap(({ type, status: is, reason }) =>
      type === 'Accepted' || type === 'Complete' ? [`${type}=${is}/${reason}`] : [],
    );
  }
  function naming(step: number, more: Words = {}): { words: Words } {
    return { words: { ...more, promotion: { stage: 'canary', step, status: { conditions: [] } } } };
  }

  test.each<[what: string, words: ExposureWords, conditions: string[]]>([
    [
      'waits for the step',
      { record: { ...STEP, step: 0 }, ...naming(2) },
      ['Accepted=True/Accepted', 'Complete=False/Exposing'],
    ],
    [
      'is rejected if the stage has no such step',
      { record: STEP, ...naming(3) },
      ['Accepted=False/UnknownStep', 'Complete=False/UnknownStep'],
    ],
    [
      'is rejected once the step has passed',
      { record: STEP, ...naming(1) },
      ['Accepted=False/StepPassed', 'Complete=False/StepPassed'],
    ],
    [
      'is rejected once the exposure is over',
      { serves: 2, ...naming(2) },
      ['Accepted=False/StepPassed', 'Complete=False/StepPassed'],
    ],
    [
      'waits for the stage to be entered',
      { ...naming(1, { revisions: {}, paused: 'lunch' }), next: 1, ready: 0 },
      ['Accepted=True/Accepted', 'Complete=False/Paused'],
    ],
  ])('%s', (_what, words, expected) => {
    expect(conditions(words)).toEqual(expected);
  });

  test('is complete once the version went on from the step', () => {
    const base = exposing({ record: { phase: 'Full', step: 1 }, ...naming(2) });
    const revisions = base.revisions.map((one) => {
      const { annotations } = one.metadata;
      const facts = readFacts(annotations?.[ANNOTATION.facts]);
      const approvals = { 'canary/2': { at: ago(1), promotion: 'go', skipSoak: false } };
      const text = JSON.stringify({ ...facts, approvals });
      return one.revision === 2
        ? { ...one, metadata: { ...one.metadata, annotations: { ...annotations, [ANNOTATION.facts]: text } } }
        : one;
    });
    const [action] = answerPromotions(rollout({ ...base, revisions }));
    expect(action?.kind === 'PatchPromotion' && action.status.conditions).toContainEqual(
      expect.objectContaining({ type: 'Complete', status: 'True', reason: 'StepApproved' }),
    );
  });

  test('does not admit a version to the stage', () => {
    const seen = viewOf({ stages: { canary: { approval: 'Manual' } }, promotion: { stage: 'canary', step: 1 } });
    expect(seen.gate(stageNamed(seen, 'canary'))).toMatchObject({ reason: 'WaitingForApproval' });
  });
});
