import { expect, test } from 'vitest';
import { printable } from './printable.ts';

test.each([
  ['plain text', 'too many errors: 5 %, "é", 日本, 👩‍🚀', 'too many errors: 5 %, "é", 日本, 👩‍🚀'],
  ['a line break', 'one\ntwo\r\tthree', 'one\\ntwo\\r\\tthree'],
  ['an escape sequence of a terminal', '\u001b[31mred\u0007', '\\u001b[31mred\\u0007'],
  ['characters of C1 and DEL', 'a\u007fb\u009bc', 'a\\u007fb\\u009bc'],
  ['a change of direction', 'a\u202eb\u2066c\u200f', 'a\\u202eb\\u2066c\\u200f'],
  ['line separators', 'a\u2028b\u2029c', 'a\\u2028b\\u2029c'],
])('shows %s', (_what, text, shown) => {
  expect(printable(text)).toBe(shown);
});
