/** Tables with the columns of kubectl: as wide as their content, three blanks apart. */
import { stripVTControlCharacters } from 'node:util';

const GAP = '   ';

/** Without rows nothing, not even the header. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const lines = header.length > 0 ? [header, ...rows] : rows;
  const widths = lines.reduce<number[]>((sum, line) => {
    line.forEach((cell, column) => (sum[column] = Math.max(sum[column] ?? 0, widthOf(cell))));
    return sum;
  }, []);
  return lines.map((line) => `${lineOf(line, widths)}\n`).join('');
}

function lineOf(cells: readonly string[], widths: readonly number[]): string {
  const last = cells.length - 1;
  return cells
    .map((cell, column) => (column === last ? cell : cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell))))
    .join(GAP)
    .trimEnd();
}

/** Columns on a terminal, for text without wide characters. */
function widthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}
