import { expect, test } from 'vitest';
import { timeOfOtherClock } from './clocks.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');

test.each([
  ['2026-01-01T10:00:00Z', NOW - 7_200_000],
  ['2026-01-01T12:01:00Z', NOW + 60_000],
  ['2026-01-01T12:01:01Z', Number.NaN],
  ['2026-01-01T14:00:00Z', Number.NaN],
  ['soon', Number.NaN],
  [undefined, Number.NaN],
])('%s is read as %d', (time, at) => {
  expect(timeOfOtherClock(time, NOW)).toBe(at);
});
