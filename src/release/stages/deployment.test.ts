import { expect, test } from 'vitest';
import type { NoticeData } from '../record/actions.ts';
import { draftFacts } from '../record/facts-draft.ts';
import { markPools } from '../health/record-health.ts';
import { answerRollbacks } from '../rollback/rollback.ts';
import { meta } from '../testing.ts';
import type { FactWords, Words } from '../world-testing.ts';
import { GOOD, viewOf } from '../world-testing.ts';
import { enterStages } from './entering.ts';

const SOAKED: FactWords = { entered: 10, healthySince: 5 };
/** Production has the pools b and c; revision 2 is good in canary. */
const TWO_POOLS: Words = { stages: { production: { pools: ['b', 'c'] } }, pools: { a: { serves: 2 } } };

function inProduction(b?: FactWords, c?: FactWords, attempt?: number): Words {
  const pools = { a: SOAKED, ...(b && { b }), ...(c && { c }) };
  return { ...TWO_POOLS, revisions: { 2: { in: pools, ...(attempt !== undefined && { attempt }) } } };
}

/** Pool → what the figures of delivery count. */
function counted(notices: readonly { note: string; data?: NoticeData }[]): string[] {
  return notices.flatMap(({ note, data }) => {
    const pool = /pool (\S+?)[: ]/.exec(`${note} `)?.[1] ?? '';
    return data?.delivery ? [`${pool}: ${data.delivery} ${data.revision ?? ''}`] : [];
  });
}

test.each<[what: string, words: Words, deployed: string[]]>([
  ['with the first pool of the last stage', inProduction(), ['b: Deployed 2']],
  ['not with another stage', { stages: { production: { pools: ['b', 'c'] } } }, []],
  ['not again with another pool', inProduction(SOAKED), []],
  ['not again if its VMs change', inProduction({ ...SOAKED, key: 'before' }, { ...SOAKED, key: 'before' }), []],
  [
    'again in another attempt',
    {
      ...inProduction({ entered: 10, failed: 5 }, { entered: 10, failed: 5 }),
      promotion: { stage: 'production' },
    },
    ['b: Deployed 2'],
  ],
  [
    'also if it is the version before',
    {
      wants: 1,
      pools: { a: { serves: 2 }, b: { serves: 2 } },
      revisions: { 2: { in: { a: SOAKED, b: SOAKED } } },
    },
    ['b: Deployed 1'],
  ],
])('a version is deployed: %s', (_what, words, deployed) => {
  const drafts = draftFacts();
  enterStages(viewOf(words), drafts);
  expect(counted(drafts.actions().flatMap(({ notices = [] }) => notices))).toEqual(deployed);
});

const LATE: FactWords = { entered: 50, clock: 50 };

test.each<[what: string, words: Words, failed: string[]]>([
  ['in the last stage', inProduction(LATE, { ...SOAKED, good: 1 }), ['b: Failed 2']],
  ['once for all pools', inProduction(LATE, LATE), ['b: Failed 2']],
  ['not again in the next pool', inProduction({ ...LATE, failed: 1 }, LATE), []],
  ['again in another attempt', inProduction({ entered: 90, failed: 80 }, { ...LATE, attempt: 2 }, 2), ['c: Failed 2']],
  ['not before the last stage', { revisions: { 2: { in: { a: LATE } } } }, []],
])('a deployment fails: %s', (_what, words, failed) => {
  const late = { ...words, pools: { ...words.pools, b: { beside: { 2: 0 } }, c: { beside: { 2: 0 } } } };
  const drafts = draftFacts();
  markPools(viewOf(words.stages ? late : { ...words, pools: { a: { beside: { 2: 0 } } } }), drafts);
  const notices = drafts.actions().flatMap(({ notices: all = [] }) => all);
  expect(notices.some(({ reason }) => reason === 'RevisionFailed')).toBe(true);
  expect(counted(notices)).toEqual(failed);
});

const SERVES: Words['pools'] = { a: { serves: 2 }, b: { serves: 2 } };

test.each<[what: string, words: Words, data: NoticeData, owned?: 'owned']>([
  [
    'a rollback by hand of a deployed version is a failure',
    { pools: SERVES, revisions: { 2: { in: { a: SOAKED, b: GOOD } } } },
    { cause: 'manual', revision: 2, delivery: 'Failed' },
  ],
  [
    'the failure of a version counts, not the rollback that follows',
    { pools: SERVES, revisions: { 2: { in: { a: SOAKED, b: { entered: 5, failed: 1 } } } } },
    { cause: 'automatic' },
    'owned',
  ],
  [
    'a rollback before the last stage takes no deployment back',
    { pools: { a: { serves: 2 } }, revisions: { 2: { in: { a: SOAKED } } } },
    { cause: 'manual' },
  ],
])('%s', (_what, words, data, owned) => {
  const uid = viewOf().owner.uid;
  const ownerReferences = [{ apiVersion: '', kind: 'AppRelease', name: 'web', uid }];
  const rollback = {
    metadata: meta('back', owned ? { ownerReferences } : {}),
    spec: { release: 'web', force: false },
  };
  const [answer] = answerRollbacks(viewOf({ ...words, more: { rollbacks: [rollback] } }));
  expect(answer?.notices).toEqual([
    expect.objectContaining({ reason: 'RollbackAccepted', data: expect.objectContaining(data) as NoticeData }),
  ]);
});
