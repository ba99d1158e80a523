import { expect, test } from 'vitest';
import { createPage } from './page.ts';

function drawn(isTerminal: boolean, ...texts: string[]): string[] {
  const shown: string[] = [];
  const page = createPage({ isTerminal, out: (text) => shown.push(text), size: () => ({ columns: 12, rows: 4 }) });
  for (const text of texts) page.draw(text);
  return shown;
}

test('a pipe gets each new text below the one before', () => {
  expect(drawn(false, 'one\n', 'one\n', 'two\n')).toEqual(['one\n', '\ntwo\n']);
});

test('a terminal gets it in place, as much as the screen holds', () => {
  const clear = '\u001B[H\u001B[2J';
  expect(drawn(true, 'a\nb\nc\n', 'a\nb\nc\nd\n')).toEqual([`${clear}a\nb\nc\n`, `${clear}a\nb\n… 2 more\n`]);
  expect(drawn(true, '\u001B[31m1234567890123\u001B[39m\n')).toEqual([`${clear}12345678901…\n`]);
  expect(drawn(true, '\u001B[31m123456789012\u001B[39m\n')).toEqual([`${clear}\u001B[31m123456789012\u001B[39m\n`]);
});
