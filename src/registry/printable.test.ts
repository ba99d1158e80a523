import { expect, it } from 'vitest';
import { printable } from './printable.ts';

it.each([
  ['registry.example', 'registry.example'],
  ['größe 世', 'größe 世'],
  ['0123456789abcdefghij', '0123456789abcdefghij'],
  ['0123456789abcdefghijk', '0123456789abcdefghi…'],
  ['a\u001b[31mb\r\nc\u0000', 'a�[31mb��c�'],
  ['a\u202eb\u2028c', 'a�b�c'],
  ['a\ud800b', 'a�b'],
  ['0123456789abcdefgh😀k', '0123456789abcdefgh�…'],
])('%j', (text, shown) => {
  expect(printable(text, 20)).toBe(shown);
});
