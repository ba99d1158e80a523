/** The history of a release as a table. Pure. */
import { printable } from '../../lib/printable.ts';
import type { HistoryRow, HistoryStep } from '../read/history.ts';
import { ageOf } from './age.ts';
import type { Paint, Tone } from './paint.ts';
import { table } from './table.ts';

const TONES: Readonly<Record<HistoryRow['outcome'], Tone>> = {
  Pending: 'waits',
  Progressing: 'waits',
  Good: 'good',
  Failed: 'bad',
  RolledBack: 'bad',
  Superseded: 'dim',
};

export function historyTable(rows: readonly HistoryRow[], now: number, isWide: boolean, paint: Paint): string {
  const header = ['REVISION', 'VERSION', 'OUTCOME', 'POOLS', 'BY', 'AGE', 'DIGESTS'];
  const lines = rows.map((row) => [
    `${row.revision}${row.isWanted ? ' *' : ''}`,
    row.version,
    paint(TONES[row.outcome], row.outcome),
    row.pools.join(',') || '-',
    row.by ?? '-',
    ageOf(row.createdAt, now),
    row.images.map(shortDigest).join(',') || '-',
  ]);
  const notes = rows.flatMap((row) => notesOf(row, now, isWide, paint));
  const wanted = rows.some(({ isWanted }) => isWanted) ? paint('dim', '* the spec wants this revision\n') : '';
  return table(header, lines) + wanted + (notes.length > 0 ? `\n${notes.join('\n')}\n` : '');
}

/** What was done with a revision; wide: also its images, and the gates that edits loosened. */
function notesOf(
  { revision, version, steps, images, loosened = [] }: HistoryRow,
  now: number,
  isWide: boolean,
  paint: Paint,
): string[] {
  const lines = [
    ...steps.map((step) => stepText(step, now, paint)),
    ...(isWide
      ? [...images.map((image) => `image ${image}`), ...loosened.map((gate) => `loosened ${paint('waits', gate)}`)]
      : []),
  ];
  return lines.length === 0 ? [] : [`revision ${revision} (${version})`, ...lines.map((line) => `  ${line}`)];
}

function stepText({ at, name, what, by, reason }: HistoryStep, now: number, paint: Paint): string {
  const who = by === undefined ? '' : ` by ${printable(by)}`;
  const why = reason === undefined ? '' : `: ${printable(reason)}`;
  return `${what} ${ageOf(at, now)} ago${who}${why} ${paint('dim', `(${name})`)}`;
}

/** As git: enough of the digest to tell it from others. */
function shortDigest(image: string): string {
  return /@sha256:([0-9a-f]{12})/.exec(image)?.[1] ?? image;
}
