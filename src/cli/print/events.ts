/** Events as lines. Pure. */
import { printable } from '../../lib/printable.ts';
import type { EventRow } from '../read/events.ts';
import { ageOf } from './age.ts';
import type { Paint } from './paint.ts';
import { table } from './table.ts';

const HEADER = ['LAST SEEN', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE'];

export function eventTable(rows: readonly EventRow[], now: number, paint: Paint): string {
  const lines = rows.map((row) => paintType(cellsOf(row, now), paint));
  return table(HEADER, lines);
}

/** Of columns whose later content is not known: enough for most. */
const WIDTHS = [12, 7, 20, 40, 0];

/** Lines that come one by one. */
export function eventLines(rows: readonly EventRow[], now: number, paint: Paint): string {
  return rows.map((row) => lineOf(paintType(padded(cellsOf(row, now)), paint))).join('');
}

export function eventHeader(): string {
  return lineOf(padded(HEADER));
}

function cellsOf({ at, count, type, reason, object, message }: EventRow, now: number): string[] {
  const times = count > 1 ? ` (x${count})` : '';
  return [`${ageOf(at, now)}${times}`, type, reason, object, message.trim()].map(printable);
}

function padded(cells: readonly string[]): string[] {
  return cells.map((cell, column) => cell.padEnd(WIDTHS[column] ?? 0));
}

function paintType(cells: readonly string[], paint: Paint): string[] {
  return cells.map((cell, column) => (column === 1 && !cell.startsWith('Normal') ? paint('waits', cell) : cell));
}

function lineOf(cells: readonly string[]): string {
  return `${cells.join('   ').trimEnd()}\n`;
}
