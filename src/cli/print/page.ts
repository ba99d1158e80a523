/** A text that is shown again when it changes: in place on a terminal, else below the one before. */
import { stripVTControlCharacters } from 'node:util';
import type { Io } from '../io.ts';

export interface Page {
  /** Does nothing if the text is shown already. */
  readonly draw: (text: string) => void;
}

/** Moves to the first line, and clears the screen (ECMA-48: CUP, ED). */
const CLEAR = '\u001B[H\u001B[2J';

export function createPage(io: Pick<Io, 'isTerminal' | 'out' | 'size'>): Page {
  let shown: string | undefined;
  return {
    draw: (text) => {
      if (text === shown) return;
      if (io.isTerminal) io.out(CLEAR + fitted(text, io.size()));
      else io.out(shown === undefined ? text : `\n${text}`);
      shown = text;
    },
  };
}

/** At most a screen of lines, none longer than the screen is wide, so that the next page replaces it. */
function fitted(text: string, { columns, rows }: { columns: number; rows: number }): string {
  const lines = text.trimEnd().split('\n');
  const room = rows - 1;
  const shown = lines.length <= room ? lines : [...lines.slice(0, room - 1), `… ${lines.length - room + 1} more`];
  return `${shown.map((line) => cut(line, columns)).join('\n')}\n`;
}

function cut(line: string, columns: number): string {
  const plain = stripVTControlCharacters(line);
  // Without its colours: one that is cut in the middle would go on in the next line.
  return plain.length <= columns ? line : `${plain.slice(0, columns - 1)}…`;
}
