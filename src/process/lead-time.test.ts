import { expect, test } from 'vitest';
import { leadSeconds } from './lead-time.ts';

const NOW = Date.parse('2026-01-02T12:00:00Z');

test.each<[commit: string, seconds: number | undefined]>([
  ['2026-01-02T11:59:00Z', 60],
  ['2026-01-02T13:59:00+02:00', 60],
  ['2026-01-02 11:59:00.5z', 59.5],
  ['2026-01-02T12:00:00Z', 0],
  ['2026-01-02T12:00:01Z', undefined],
  ['2026-13-02T11:59:00Z', undefined],
  ['2026-01-02T11:59:00', undefined],
  ['2026-01-02', undefined],
  ['1767355140', undefined],
  ['yesterday', undefined],
  ['', undefined],
])('the lead time since the commit %j is %s s', (commit, seconds) => {
  expect(leadSeconds(commit, NOW)).toBe(seconds);
});
