// The table of the demo: one line for each pool of a release.
import type { styleText } from 'node:util';

/** A format of util.styleText. */
export type Format = Parameters<typeof styleText>[0];

/** Formats a text for the output; returns it unchanged without colours. */
export type Paint = (format: Format, text: string) => string;

/** The pods of one version in a pool. */
export interface PodCount {
  readonly version: string;
  readonly ready: number;
  readonly total: number;
}

/** The row of a pool. */
export interface PoolRow {
  readonly pool: string;
  readonly stage: string;
  /** The version that the pool's Service selects. */
  readonly version?: string;
  /** The next version, if it differs. */
  readonly next?: string;
  /** Whether a rollback holds the pool. */
  readonly held: boolean;
  readonly ready: number;
  readonly replicas: number;
  /** `sha256:…` */
  readonly digest?: string;
  /** How fast a rollback would be, and to which version. */
  readonly rollback?: { readonly readiness: string; readonly version?: string };
  /** All pods of the pool, serving ones first. */
  readonly pods: readonly PodCount[];
}

/** Options for drawing. */
export interface TableOptions {
  /** Characters in a line. Columns that do not fit are left out, the least important first. */
  readonly width: number;
  readonly paint: Paint;
  /** Dots for pods are shown only with colours, which mark the versions. */
  readonly dots: boolean;
  /** All versions, in the order of their colours. */
  readonly versions: readonly string[];
}

interface Span {
  readonly text: string;
  readonly format?: Format;
}
type Cell = readonly Span[];

interface Column {
  readonly title: string;
  /** Columns with a higher rank are dropped first. */
  readonly rank: number;
  readonly cell: (row: PoolRow, options: TableOptions) => Cell;
}

const INDENT = '  ';
const GAP = '  ';
const VERSION_COLOURS = ['cyan', 'green', 'yellow', 'magenta', 'blue'] as const satisfies readonly Format[];
const READINESS_COLOURS: Readonly<Record<string, Format>> = {
  Warm: 'green',
  Cached: 'cyan',
  Cold: 'blue',
  Impossible: 'red',
};

const columns: readonly Column[] = [
  { title: 'POOL', rank: 0, cell: ({ pool }) => [{ text: pool, format: 'bold' }] },
  { title: 'STAGE', rank: 2, cell: ({ stage }) => [{ text: stage }] },
  { title: 'VERSION', rank: 0, cell: versionCell },
  { title: 'READY', rank: 0, cell: readyCell },
  { title: 'DIGEST', rank: 1, cell: ({ digest }) => [{ text: shortDigest(digest), format: 'dim' }] },
  { title: 'ROLLBACK TO', rank: 0, cell: rollbackCell },
  { title: 'PODS', rank: 3, cell: podsCell },
];

/** The table's lines, its head first; none is longer than `width`. */
export function renderTable(rows: readonly PoolRow[], options: TableOptions): string[] {
  const shown = columnsThatFit(rows, options);
  const widths = shown.map((column) => columnWidth(column, rows, options));
  const head = shown.map(({ title }): Cell => [{ text: title, format: 'dim' }]);
  return [head, ...rows.map((row) => shown.map(({ cell }) => cell(row, options)))].map((cells) =>
    renderLine(cells, widths, options),
  );
}

/** One line of the table, for output where a table cannot be redrawn. */
export function renderRow(row: PoolRow, { paint, versions }: Pick<TableOptions, 'paint' | 'versions'>): string {
  const options = { width: Infinity, paint, dots: false, versions };
  const cells = columns.filter(({ title }) => title !== 'PODS').map(({ cell }) => cell(row, options));
  return cells
    .filter((cell) => widthOf(cell) > 0)
    .map((cell) => paintCell(cell, paint))
    .join(' · ');
}

/** The colour of a version. */
function versionFormat(version: string, versions: readonly string[]): Format {
  const index = Math.max(0, versions.indexOf(version));
  return VERSION_COLOURS[index % VERSION_COLOURS.length] ?? 'cyan';
}

/** Ten characters of a digest's hash, enough to distinguish images. */
export function shortDigest(digest: string | undefined): string {
  return digest?.replace(/^sha256:/, '').slice(0, 10) ?? '';
}

function columnsThatFit(rows: readonly PoolRow[], options: TableOptions): Column[] {
  let shown = columns.filter(({ title }) => title !== 'PODS' || options.dots);
  const total = () =>
    INDENT.length + shown.reduce((sum, column) => sum + columnWidth(column, rows, options) + GAP.length, -GAP.length);
  while (total() > options.width) {
    const rank = Math.max(...shown.map((column) => column.rank));
    if (rank === 0) break;
    shown = shown.filter((column) => column.rank < rank);
  }
  return shown;
}

function columnWidth({ title, cell }: Column, rows: readonly PoolRow[], options: TableOptions): number {
  return Math.max(title.length, ...rows.map((row) => widthOf(cell(row, options))));
}

function widthOf(cell: Cell): number {
  return cell.reduce((sum, { text }) => sum + text.length, 0);
}

function renderLine(cells: readonly Cell[], widths: readonly number[], { width, paint }: TableOptions): string {
  const spans = cells.flatMap((cell, index): Span[] => {
    const last = index === cells.length - 1;
    const padding = last ? '' : ' '.repeat((widths[index] ?? 0) - widthOf(cell)) + GAP;
    return [...cell, { text: padding }];
  });
  return paintCell(cut([{ text: INDENT }, ...spans], width), paint);
}

function cut(cell: Cell, width: number): Cell {
  let room = width;
  return cell.map((span) => {
    const text = span.text.slice(0, Math.max(0, room));
    room -= text.length;
    return { ...span, text };
  });
}

function paintCell(cell: Cell, paint: Paint): string {
  const painted = cell.map(({ text, format }) => (format === undefined || text === '' ? text : paint(format, text)));
  return painted.join('').trimEnd();
}

function versionCell({ version, next, held }: PoolRow, { versions }: TableOptions): Cell {
  const name = (text: string): Span => ({ text, format: versionFormat(text, versions) });
  const served = version === undefined ? { text: '-' } : name(version);
  if (next !== undefined && next !== version) return [served, { text: ' → ', format: 'dim' }, name(next)];
  return held ? [served, { text: ' held', format: 'yellow' }] : [served];
}

function readyCell({ ready, replicas }: PoolRow): Cell {
  const format = ready >= replicas ? 'green' : ready > 0 ? 'yellow' : 'red';
  return [{ text: `${ready}/${replicas}`, format }];
}

function rollbackCell({ rollback }: PoolRow, { versions }: TableOptions): Cell {
  if (rollback === undefined) return [];
  const { readiness, version = '' } = rollback;
  return [
    { text: version, format: versionFormat(version, versions) },
    { text: ` ${readiness.toLowerCase()}`, format: READINESS_COLOURS[readiness] ?? 'dim' },
  ];
}

function podsCell({ pods }: PoolRow, { versions }: TableOptions): Cell {
  return pods.flatMap(({ version, ready, total }, index): Span[] => [
    { text: index === 0 ? '' : ' ' },
    { text: '●'.repeat(ready) + '○'.repeat(total - ready), format: versionFormat(version, versions) },
  ]);
}
