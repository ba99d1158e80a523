import { expect, test } from 'vitest';
import type { RollbackPoolStatus } from '../../api/release-rollback.ts';
import { worstOf } from '../act/request.ts';
import { poolNews } from './rollback.ts';

const AT = '2026-01-01T12:00:00.000Z';
const done = { name: 'a', from: 2, to: 1, completedAt: '2026-01-01T12:00:01.250Z' };

test.each<[what: string, before: RollbackPoolStatus[] | undefined, now: RollbackPoolStatus[], news: string[]]>([
  ['is back', [{ name: 'a', from: 2, to: 1 }], [done], ['pool a: serves revision 1 after 1.3s']],
  ['was told before', [done], [done], []],
  ['is under way', undefined, [{ name: 'a', from: 2, to: 1 }], []],
  ['stays', undefined, [{ ...done, to: 2, message: 'a barrier' }], ['pool a: stays: a barrier']],
  ['has nothing to do', undefined, [{ ...done, to: 2 }], ['pool a: stays at revision 2']],
  ['belongs to a later rollback', undefined, [{ ...done, supersededBy: 'other' }], []],
  [
    'took long',
    undefined,
    [{ ...done, completedAt: '2026-01-01T12:03:05Z' }],
    ['pool a: serves revision 1 after 3m5s'],
  ],
])('the news of a pool that %s', (_what, before, now, news) => {
  expect(poolNews(before, now, AT)).toEqual(news);
});

test('of several releases, the worst end counts', () => {
  expect([worstOf([]), worstOf([0, 2]), worstOf([2, 3, 0]), worstOf([3, 2, 1])]).toEqual([0, 2, 3, 1]);
});
