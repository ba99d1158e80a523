import { expect, it } from 'vitest';
import { historyTable } from '../print/history.ts';
import { paintFor } from '../print/paint.ts';
import type { LivePromotion, LiveRollback } from './history.ts';
import { historyOf } from './history.ts';
import { liveRelease } from './testing.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const UID = 'uid-web';

function at(minutes: number): string {
  return new Date(NOW - minutes * 60_000).toISOString();
}

const release = liveRelease({
  metadata: { uid: UID },
  status: {
    revision: 2,
    pools: [
      { name: 'a', revision: 1, replicas: 1, readyReplicas: 1 },
      { name: 'b', revision: 1, replicas: 2, readyReplicas: 2 },
    ],
    history: [
      {
        revision: 2,
        version: '1.1',
        images: [`web:1.1@sha256:${'b'.repeat(64)}`],
        createdAt: at(30),
        outcome: 'RolledBack',
        by: 'ada',
        loosened: [`${at(31)}: soak of stage canary from 1h to 1m`],
      },
      { revision: 1, version: '1.0', images: [`web:1.0@sha256:${'a'.repeat(64)}`], createdAt: at(90), outcome: 'Good' },
    ],
  },
});

function promotion(name: string, spec: object, status: object): LivePromotion {
  const metadata = { name, creationTimestamp: at(20) };
  return { metadata, spec: { release: 'web', stage: 'production', skipSoak: false, ...spec }, status } as LivePromotion;
}

function rollback(name: string, spec: object, status: object): LiveRollback {
  const metadata = { name, creationTimestamp: at(5) };
  return { metadata, spec: { release: 'web', force: false, ...spec }, status } as LiveRollback;
}

const promotions = [
  promotion('web-p1', { requestedBy: 'ada', reason: 'looks well' }, { revision: 2, completedAt: at(19) }),
  promotion('web-p2', { step: 1 }, { revision: 2, conditions: [{ type: 'Complete', reason: 'StepPassed' }] }),
  promotion('web-p3', { skipSoak: true }, { revision: 1, releaseUID: UID, completedAt: at(80) }),
  promotion('web-unseen', {}, {}),
  promotion('other', { release: 'other' }, { revision: 2 }),
  promotion('web-of-a-former-release', {}, { revision: 1, releaseUID: 'uid-old', completedAt: at(999) }),
];
const rollbacks = [
  rollback(
    'web-r1',
    { requestedBy: 'bob', reason: 'errors\u001B[2J', pools: ['a'], force: true },
    { acceptedAt: at(4), endedAt: at(1), toVersion: '1.0', pools: [{ name: 'a', from: 2, to: 1 }], heldAgainst: 2 },
  ),
  rollback('web-rejected', {}, {}),
];

it('shows what was done with each revision, the oldest first', () => {
  const rows = historyOf(release, { promotions, rollbacks });
  expect(rows.map(({ revision, isWanted, pools }) => ({ revision, isWanted, pools }))).toEqual([
    { revision: 2, isWanted: true, pools: [] },
    { revision: 1, isWanted: false, pools: ['a', 'b'] },
  ]);
  expect(rows.map(({ steps }) => steps.map(({ name, what }) => `${name}: ${what}`))).toEqual([
    [
      'web-p2: promotion from step 1 of stage production is not used: StepPassed',
      'web-p1: promoted to stage production',
      'web-r1: rolled back to 1.0 in a past a barrier, ended',
    ],
    ['web-p3: promoted to stage production without its soak'],
  ]);
  const json = JSON.parse(JSON.stringify(rows)) as object[];
  expect(json[0]).toMatchObject({
    outcome: 'RolledBack',
    steps: [{}, { by: 'ada', reason: 'looks well' }, { by: 'bob' }],
  });
});

it('prints a table, and what was done below', () => {
  const rows = historyOf(release, { promotions, rollbacks });
  expect(historyTable(rows, NOW, false, paintFor(false))).toBe(`\
REVISION   VERSION   OUTCOME      POOLS   BY    AGE   DIGESTS
2 *        1.1       RolledBack   -       ada   30m   bbbbbbbbbbbb
1          1.0       Good         a,b     -     90m   aaaaaaaaaaaa
* the spec wants this revision

revision 2 (1.1)
  promotion from step 1 of stage production is not used: StepPassed 20m ago (web-p2)
  promoted to stage production 19m ago by ada: looks well (web-p1)
  rolled back to 1.0 in a past a barrier, ended 4m ago by bob: errors\\u001b[2J (web-r1)
revision 1 (1.0)
  promoted to stage production without its soak 80m ago (web-p3)
`);
});

it('shows images and loosened gates where there is room, and needs no requests', () => {
  const rows = historyOf(release, { promotions: undefined, rollbacks: undefined });
  expect(historyTable(rows, NOW, true, paintFor(false)).split('\n\n')[1]).toBe(`\
revision 2 (1.1)
  image web:1.1@sha256:${'b'.repeat(64)}
  loosened ${at(31)}: soak of stage canary from 1h to 1m
revision 1 (1.0)
  image web:1.0@sha256:${'a'.repeat(64)}
`);
});
