import { expect, test } from 'vitest';
import { parseRetryAfter } from './retry-after.ts';

const AT = 'Thu, 01 Jan 2026 12:00:00 GMT';

test.each<[what: string, value: string | undefined, seconds: number | undefined]>([
  ['no header', undefined, undefined],
  ['seconds', '7', 7],
  ['a date, from the date of the answer', 'Thu, 01 Jan 2026 12:00:09 GMT', 9],
  ['a date that is over', 'Thu, 01 Jan 2026 11:00:00 GMT', 0],
  ['neither', 'soon', undefined],
])('Retry-After: %s', (_what, value, seconds) => {
  expect(parseRetryAfter(value, AT)).toBe(seconds);
});
