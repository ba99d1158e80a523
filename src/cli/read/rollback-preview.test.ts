import { describe, expect, test } from 'vitest';
import type { PoolStatus } from '../../api/app-release-status.ts';
import type { PoolFacts } from '../../release/record/recorded-data.ts';
import { ago, revision, spec } from '../../release/testing.ts';
import { releaseWith, serving } from '../act/testing.ts';
import { paintFor } from '../print/paint.ts';
import { rollbackTable } from '../print/rollback-preview.ts';
import { knownRevisions } from './known-revisions.ts';
import type { RollbackWish } from './rollback-preview.ts';
import { previewRollback } from './rollback-preview.ts';

const WARM = { readiness: 'Warm', version: '1.0.0', revision: 1 } as const;
const BARRIER = { ...WARM, readiness: 'Impossible', message: '2.0.0 is a barrier' } as const;
const GOOD: PoolFacts = { good: ago(9), entered: { at: ago(10), attempt: 1, key: 'k' } };
const BAD: PoolFacts = { ...GOOD, rolledBack: { at: ago(5), by: 'back' } };

/** The rows of the table without its header, with one blank between the cells. */
function rows(pools: PoolStatus[], wish: Partial<RollbackWish> = {}, more: object = {}, records?: object): string[] {
  const release = releaseWith({ status: { revision: 2, pools, ...more } });
  const facts = records as Record<number, Record<string, PoolFacts>> | undefined;
  const recorded =
    facts &&
    Object.entries(facts).map(([number, of]) =>
      revision(Number(number), spec({ version: `${number}.0.0` }), { pools: of, approvals: {} }),
    );
  const changes = previewRollback(release, { force: false, ...wish }, knownRevisions(recorded, release.status));
  const [, ...lines] = rollbackTable([{ release: 'web', pools: changes }], paintFor(false))
    .trimEnd()
    .split('\n');
  return lines.map((line) => line.replaceAll(/ +/g, ' '));
}

describe('a rollback without a target', () => {
  test.each<[what: string, pool: PoolStatus, row: string, wish?: Partial<RollbackWish>]>([
    ['goes where the status says', serving('b', 2, { rollback: WARM }), 'b 2.0.0 (revision 2) 1.0.0 (revision 1) Warm'],
    [
      'says why it takes longer',
      serving('b', 2, { rollback: { ...WARM, readiness: 'Cold', message: '0 of 2 VMs have the images' } }),
      'b 2.0.0 (revision 2) 1.0.0 (revision 1) Cold 0 of 2 VMs have the images',
    ],
    [
      'stays before a barrier',
      serving('b', 2, { rollback: BARRIER }),
      'b 2.0.0 (revision 2) stays - 2.0.0 is a barrier',
    ],
    [
      'goes past it with force',
      serving('b', 2, { rollback: BARRIER }),
      'b 2.0.0 (revision 2) 1.0.0 (revision 1) Impossible 2.0.0 is a barrier',
      { force: true },
    ],
    ['stays if nothing was good', serving('b', 2), 'b 2.0.0 (revision 2) stays - no revision was good before'],
    [
      'keeps a pool that the version has not reached',
      serving('b', 1, { rollback: { ...WARM, version: '0.9', revision: 0 } }),
      'b 1.0.0 (revision 1) stays - does not serve the wanted version',
    ],
    [
      'stops a change that is under way',
      serving('b', 1, { wantedRevision: 2 }),
      'b 1.0.0 (revision 1) stays - the change to revision 2 stops',
    ],
    [
      'takes the traffic of an exposure back',
      serving('b', 1, {
        wantedRevision: 2,
        rollback: WARM,
        traffic: {
          percent: '90%',
          weight: 90,
          exposure: { revision: 2, percent: '10%', total: '10%', steps: 2, message: '' },
        },
      }),
      'b 1.0.0 (revision 1) 1.0.0 (revision 1) Warm gets back 10% of its traffic',
    ],
    [
      'has nothing to do without a version',
      { name: 'b', replicas: 1, readyReplicas: 0 },
      'b - stays - serves nothing yet',
    ],
  ])('%s', (_what, pool, row, wish) => {
    expect(rows([serving('a', 2, { rollback: WARM }), pool], { pools: ['b'], ...wish })).toEqual([row]);
  });

  test('names pools that do not exist, or that share a Service with others', () => {
    const shared = [serving('a', 2, { service: 'web' }), serving('b', 2, { service: 'web' })];
    expect(rows(shared, { pools: ['a', 'c'] })).toEqual([
      'a 2.0.0 (revision 2) stays - shares Service web with b, and they roll back together',
      'c - stays - the release has no pool c: it has a, b',
    ]);
  });
});

describe('a rollback to a version', () => {
  const pools = [serving('a', 3, { rollback: { ...WARM, revision: 2, version: '2.0.0' } }), serving('b', 3)];
  const records = { 1: { a: GOOD, b: GOOD }, 2: { a: GOOD, b: BAD }, 3: { a: GOOD, b: GOOD } };

  test.each<[what: string, wish: Partial<RollbackWish>, expected: string[]]>([
    [
      'goes to the newest revision that was good in the pool',
      { toVersion: '1.0.0' },
      ['a 3.0.0 (revision 3) 1.0.0 (revision 1) -', 'b 3.0.0 (revision 3) 1.0.0 (revision 1) -'],
    ],
    [
      'knows the readiness of the target in the status',
      { toRevision: 2, pools: ['a'] },
      ['a 3.0.0 (revision 3) 2.0.0 (revision 2) Warm'],
    ],
    [
      'does not choose a revision with a bad mark in a named pool',
      { toVersion: '2.0.0' },
      [
        'a 3.0.0 (revision 3) stays - version 2.0.0 (revision 2) failed or was rolled back in pool b',
        'b 3.0.0 (revision 3) stays - version 2.0.0 (revision 2) failed or was rolled back in pool b',
      ],
    ],
    [
      'knows no such version',
      { toVersion: '9', pools: ['a'] },
      ['a 3.0.0 (revision 3) stays - version 9 was never recorded'],
    ],
    ['that serves', { toRevision: 3, pools: ['a'] }, ['a 3.0.0 (revision 3) stays - serves revision 3 already']],
  ])('%s', (_what, wish, expected) => {
    expect(rows(pools, wish, { revision: 3 }, records)).toEqual(expected);
  });

  test('is not one forward, and needs force past a barrier', () => {
    expect(rows([serving('a', 1)], { toVersion: '2.0.0', pools: ['a'] }, {}, records)).toEqual([
      'a 1.0.0 (revision 1) stays - revision 2 is newer: a rollback moves no pool forward',
    ]);
    const release = releaseWith({ status: { pools } });
    const barrier = revision(2, spec({ version: '2.0.0', rollback: { barrier: true } }), {
      pools: { a: GOOD },
      approvals: {},
    });
    const known = knownRevisions([revision(1, spec(), { pools: { a: GOOD }, approvals: {} }), barrier], undefined);
    const wish = { toRevision: 1, pools: ['a'], force: false };
    expect(previewRollback(release, wish, known)).toMatchObject([
      { to: undefined, note: 'version 2.0.0 is a barrier: needs --force' },
    ]);
    expect(previewRollback(release, { ...wish, force: true }, known)).toMatchObject([{ to: { revision: 1 } }]);
  });

  test('without the right to read the records, goes by the history in the status', () => {
    const entry = { images: [], createdAt: ago(60) };
    const history = [
      { ...entry, revision: 3, version: '3.0.0', outcome: 'Good' },
      { ...entry, revision: 2, version: '2.0.0', outcome: 'Failed' },
      { ...entry, revision: 1, version: '1.0.0', outcome: 'Good' },
    ];
    const of = (toVersion: string) => rows([serving('a', 3)], { toVersion, pools: ['a'] }, { revision: 3, history });
    expect(of('1.0.0')).toEqual(['a 3.0.0 (revision 3) 1.0.0 (revision 1) -']);
    expect(of('2.0.0')).toEqual(['a 3.0.0 (revision 3) stays - version 2.0.0 (revision 2) failed or was rolled back']);
    expect(of('0.9')).toEqual(['a 3.0.0 (revision 3) stays - version 0.9 is not in status.history']);
  });
});

test('the table names releases if there are several', () => {
  const changes = ['web', 'api'].map((release) => ({
    release,
    pools: previewRollback(
      releaseWith({ status: { revision: 2, pools: [serving('a', 2, { rollback: WARM })] } }),
      { force: false, pools: ['a'] },
      knownRevisions([], undefined),
    ),
  }));
  expect(rollbackTable(changes, paintFor(false))).toBe(
    'RELEASE   POOL   FROM                 TO                   READINESS   NOTE\n' +
      'web       a      2.0.0 (revision 2)   1.0.0 (revision 1)   Warm\n' +
      'api       a      2.0.0 (revision 2)   1.0.0 (revision 1)   Warm\n',
  );
});
