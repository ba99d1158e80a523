import { describe, expect, test } from 'vitest';
import { draftFacts } from '../record/facts-draft.ts';
import { EXPOSURE, exposing } from '../route/exposure-testing.ts';
import type { ExposureWords } from '../route/exposure-testing.ts';
import { parent } from '../route/route-testing.ts';
import { NOW, rollout } from '../testing.ts';
import { revisionNumbered } from '../world-testing.ts';
import { exposureDue, exposureWait, markExposures } from './exposure.ts';

function marked(words: ExposureWords) {
  const seen = rollout(exposing(words));
  const drafts = draftFacts();
  markExposures(seen, drafts);
  const actions = drafts.actions();
  const facts = drafts.change(revisionNumbered(seen, 2));
  const { phase, step, since } = facts.exposures?.['canary'] ?? {};
  const shown =
    phase === undefined
      ? 'none'
      : `${phase} ${(step ?? 0) + 1}${since === undefined ? '' : `, since ${(NOW - Date.parse(since)) / 1000} s`}`;
  const events = actions.flatMap(({ notices = [] }) => notices.map(({ reason }) => reason));
  return {
    shown,
    events,
    approvals: Object.keys(facts.approvals),
    notes: actions.flatMap(({ notices = [] }) => notices.map(({ note }) => note)),
  };
}

const NOT_ACCEPTED = [parent({ Accepted: ['NoMatchingListenerHostname', 'no listener'] })];
const UNSEEN = [parent({}, { seen: 0 })];
const STEP = { phase: 'Stepping', step: 0 } as const;
const APPROVAL = { phase: 'Stepping', step: 1 } as const;
const AUTOSCALED = { spec: { autoscaling: { minReplicas: 1, maxReplicas: 9 } } };
const GO = { promotion: { stage: 'canary', step: 2 } };

describe('an exposure', () => {
  test.each<[what: string, words: ExposureWords, record: string]>([
    ['begins once the second Service leads to ready pods', {}, 'Settling 1'],
    ['does not begin while a pod is not ready', { ready: 1 }, 'none'],
    ['does not begin before the second Service leads to the revision', { next: 1 }, 'none'],
    ['does not begin before endpoints name the pods', { isReached: false }, 'none'],
    [
      'does not begin in a stage without steps',
      { words: { stages: { canary: { match: [{ headers: [{ name: 'x', value: 'y', type: 'Exact' }] }] } } } },
      'none',
    ],
    [
      'begins in a pool without pods, which no endpoint can name',
      { pool: { replicas: 0, ready: 0 }, ready: 0, isReached: false },
      'Settling 1',
    ],
    ['does not begin where the revision serves already', { serves: 2 }, 'none'],
    ['does not begin in a pool that is held', { words: { rollback: { against: 2, to: { a: 1 } } } }, 'none'],
    ['settles from when the route is accepted', { record: { phase: 'Settling' } }, 'Settling 1, since 0 s'],
    [
      'does not settle while the route is not accepted',
      { record: { phase: 'Settling' }, parents: NOT_ACCEPTED },
      'Settling 1',
    ],
    ['does not settle without a route', { record: { phase: 'Settling' }, weights: 'none' }, 'Settling 1'],
    ['settles for that time', { record: { phase: 'Settling', since: 29 } }, 'Settling 1, since 29 s'],
    ['takes its first step then', { record: { phase: 'Settling', since: 30 } }, 'Stepping 1'],
    ['has its time from when the route has the weights', { record: { ...STEP } }, 'Stepping 1, since 0 s'],
    ['has no time before the route has the weights', { record: { ...STEP }, weights: [20, 0] }, 'Stepping 1'],
    ['has no time before a Gateway has seen the weights', { record: { ...STEP }, parents: UNSEEN }, 'Stepping 1'],
    ['stays in a step for its time', { record: { ...STEP, since: 59 } }, 'Stepping 1, since 59 s'],
    ['takes the next step then', { record: { ...STEP, since: 60 } }, 'Stepping 2'],
    [
      'keeps its time while weights change for another reason',
      { record: { ...STEP, since: 40 }, weights: [18, 2] },
      'Stepping 1, since 40 s',
    ],
    [
      'goes on only once the weights are written',
      { record: { ...STEP, since: 60 }, weights: [18, 2] },
      'Stepping 1, since 60 s',
    ],
    [
      'keeps its time while a Gateway has yet to see another change',
      { record: { ...STEP, since: 40 }, parents: UNSEEN },
      'Stepping 1, since 40 s',
    ],
    [
      'starts its time anew if the route is not accepted',
      { record: { ...STEP, since: 59 }, parents: NOT_ACCEPTED },
      'Stepping 1',
    ],
    ['starts its time anew if a pod is not ready', { record: { ...STEP, since: 59 }, ready: 1 }, 'Stepping 1'],
    [
      'keeps its time while the Deployment changes without another pod',
      { record: { ...STEP, since: 40 }, pool: { unseen: true } },
      'Stepping 1, since 40 s',
    ],
    [
      'settles again if the second Service leads back',
      { record: { ...STEP, step: 0, since: 59 }, next: 1 },
      'Settling 1',
    ],
    ['keeps its step while it settles again', { record: { ...APPROVAL, since: 59 }, next: 1 }, 'Settling 2'],
    [
      'does not go on while the release is paused',
      { record: { ...STEP, since: 90 }, words: { paused: 'lunch' } },
      'Stepping 1, since 90 s',
    ],
    [
      'does not go on while another revision is wanted',
      { record: { ...STEP, since: 90 }, words: { wants: 3 } },
      'Stepping 1, since 90 s',
    ],
    ['waits for the approval of a step', { record: { ...APPROVAL, since: 90 } }, 'Stepping 2, since 90 s'],
    ['goes on with the approval of the step', { record: { ...APPROVAL, since: 0 }, words: GO }, 'Full 2'],
    [
      'needs no second approval of a step that began anew',
      { record: { ...APPROVAL, since: 0 }, approved: [2] },
      'Full 2',
    ],
    [
      'does not go on with the approval of another step',
      { record: { ...APPROVAL, since: 90 }, words: { promotion: { stage: 'canary', step: 1 } } },
      'Stepping 2, since 90 s',
    ],
    [
      'does not go on with the approval of the stage',
      { record: { ...APPROVAL, since: 90 }, words: { promotion: { stage: 'canary' } } },
      'Stepping 2, since 90 s',
    ],
    ['settles with all traffic', { record: { phase: 'Full', step: 1, since: 29 } }, 'Full 2, since 29 s'],
    ['lets the Service switch then', { record: { phase: 'Full', step: 1, since: 30 } }, 'Switching 2'],
    [
      'does not let it switch while the release is paused',
      { record: { phase: 'Full', step: 1, since: 30 }, words: { paused: 'lunch' } },
      'Full 2, since 30 s',
    ],
    ['waits for the switch', { record: { phase: 'Switching', step: 1 } }, 'Switching 2'],
    [
      'waits for endpoints after the switch',
      { record: { phase: 'Switching', step: 1 }, serves: 2 },
      'Switching 2, since 0 s',
    ],
    [
      'settles after the switch, also while the release is paused',
      { record: { phase: 'Switching', step: 1, since: 30 }, serves: 2, words: { paused: 'lunch' } },
      'Returning 2',
    ],
    [
      'ends when the weight is back for long enough',
      { record: { phase: 'Returning', step: 1, since: 30 }, serves: 2 },
      'none',
    ],
    [
      'keeps the size of an autoscaled pool for a while',
      {
        record: { phase: 'Returning', step: 1, since: 30, sizes: { a: 4 } },
        serves: 2,
        pool: AUTOSCALED,
        switched: 100,
      },
      'Over 2',
    ],
    [
      'ends its floor with the window of the autoscaler',
      { record: { phase: 'Over', step: 1, since: 200, sizes: { a: 4 } }, serves: 2, pool: AUTOSCALED, switched: 300 },
      'none',
    ],
  ])('%s', (_what, words, record) => {
    expect(marked(words).shown).toBe(record);
  });

  test('records who approved a step', () => {
    expect(marked({ record: { ...APPROVAL, since: 0 }, words: GO }).approvals).toEqual(['canary/2']);
  });

  test.each<[what: string, words: ExposureWords, events: string[]]>([
    [
      'a step',
      { record: { phase: 'Settling', since: 30 } },
      ['stage canary: 10% of the traffic of a goes to revision 2 (2.0.0), step 1 of 2'],
    ],
    [
      'all traffic',
      { record: { ...APPROVAL, since: 0 }, words: GO },
      ['stage canary: 100% of the traffic of a goes to revision 2 (2.0.0), after the last step'],
    ],
    [
      'time that starts anew',
      { record: { ...STEP, since: 59 }, ready: 1 },
      ['stage canary: the time of step 1 of revision 2 (2.0.0) starts again'],
    ],
    [
      'the end',
      { record: { phase: 'Returning', step: 1, since: 30 }, serves: 2 },
      ['stage canary: the Services of a have their traffic back, and lead to revision 2 (2.0.0)'],
    ],
    ['nothing while time runs', { record: { ...STEP } }, []],
  ])('has an event for %s', (_what, words, events) => {
    expect(marked(words).notes).toEqual(events);
  });

  test.each<[what: string, words: ExposureWords, reason: string, message: RegExp]>([
    [
      'its step and the end of it',
      { record: { ...STEP, since: 20 } },
      'Exposing',
      /^10% of the traffic goes to version 2\.0\.0 \(step 1 of 2\) until 2026-01-01T12:00:40/,
    ],
    [
      'its last step if the spec has fewer by now',
      { record: { ...STEP, step: 5, since: 20 }, exposure: EXPOSURE.slice(0, 1) },
      'Exposing',
      /\(step 1 of 1\)/,
    ],
    [
      'what is in its way',
      { record: { ...STEP, since: 20 }, parents: NOT_ACCEPTED },
      'Exposing',
      /; the route is not accepted: Gateway gateways\/public says/,
    ],
    [
      'the approval that it waits for',
      { record: { ...APPROVAL, since: 20 } },
      'WaitingForApproval',
      /a ReleasePromotion with stage canary and step 2 must let version 2\.0\.0 \(revision 2\) go on$/,
    ],
    ['that it is paused', { record: { ...STEP, since: 20 }, words: { paused: 'lunch' } }, 'Paused', /; paused: lunch$/],
    [
      'why it does not begin',
      { next: 1 },
      'Exposing',
      /^the exposure begins: Service web-a-next does not lead to its pods yet$/,
    ],
  ])('tells %s', (_what, words, reason, message) => {
    const seen = rollout(exposing(words));
    const [pool] = seen.pools;
    expect(pool && exposureWait(seen, pool)).toMatchObject({
      reason,
      message: expect.stringMatching(message) as string,
    });
  });

  test('says when its phase ends', () => {
    expect(exposureDue(rollout(exposing({ record: { ...STEP, since: 20 } })))).toEqual([NOW + 40_000]);
  });
});
