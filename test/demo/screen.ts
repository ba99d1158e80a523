// The output of the demo: a terminal, on which a table is redrawn in place, or a pipe, which gets a line for each change.
import { styleText } from 'node:util';
import type { WriteStream } from 'node:tty';
import { renderRow, renderTable, type Paint, type PoolRow } from './table.ts';

/** The content that is shown during a step. */
export interface Frame {
  readonly rows: readonly PoolRow[];
  /** The state of the release, in one sentence. */
  readonly state: string;
}

export interface Screen {
  readonly paint: Paint;
  /** Whether a person watches it live. */
  readonly live: boolean;
  /** Writes lines that stay. */
  say(...lines: readonly string[]): void;
  /** Shows and updates the table until settle(). `goal` is the expected result. */
  watch(goal: string, frame: () => Frame): void;
  /** Notifies the screen that the frame may have changed. */
  changed(): void;
  /** Ends watch(): the current table stays, with `outcome` below it. */
  settle(outcome: string): void;
  /** Restores the terminal and writes nothing more. May be called twice. */
  close(): void;
}

/** Lines that a live table needs, with some above it. */
const MIN_ROWS = 16;
const REDRAW_MS = 100;
const SPINNER = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const CLEAR_TO_END = '\u001b[J';
const CLEAR_LINE_END = '\u001b[K';
/** Synchronized output: terminals without support ignore these sequences. */
const BEGIN_UPDATE = '\u001b[?2026h';
const END_UPDATE = '\u001b[?2026l';

/** A screen on a terminal that can redraw, else lines without escape codes; `versions` get colours. */
export function createScreen(out: WriteStream, versions: readonly string[]): Screen {
  const canRedraw = out.isTTY && process.env['TERM'] !== 'dumb' && out.rows >= MIN_ROWS;
  return canRedraw ? createLiveScreen(out, versions) : createPlainScreen(out, versions);
}

interface Watched {
  readonly goal: string;
  readonly frame: () => Frame;
  readonly since: number;
}

function createLiveScreen(out: WriteStream, versions: readonly string[]): Screen {
  // No colours if NO_COLOR is set.
  const paint: Paint = (format, text) => styleText(format, text, { stream: out });
  const dots = paint('red', '') !== '';
  let watched: Watched | undefined;
  let drawn = 0;
  let ticks = 0;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const table = ({ rows }: Frame) => renderTable(rows, { width: out.columns, paint, dots, versions });
  const progress = ({ goal, since }: Watched, { state }: Frame) => {
    const spinner = SPINNER.charAt(ticks++ % SPINNER.length);
    const indent = '  ';
    return [
      `${indent}${paint('yellow', spinner)} ${paint('bold', fit(`${seconds(since)}  waiting for ${goal}`, out.columns - 4))}`,
      `${indent}  ${paint('dim', fit(withCountdown(state), out.columns - 4))}`,
    ];
  };
  const draw = (...above: readonly string[]) => {
    if (closed) return;
    const frame = watched?.frame();
    const below = watched && frame ? ['', ...table(frame), '', ...progress(watched, frame)] : [];
    const lines = [...above, ...below].map((line) => `${line}${CLEAR_LINE_END}\n`);
    const up = drawn === 0 ? '' : `\u001b[${drawn}A\r`;
    out.write(`${BEGIN_UPDATE}${up}${lines.join('')}${CLEAR_TO_END}${END_UPDATE}`);
    drawn = below.length;
  };
  const rest = () => {
    clearInterval(timer);
    if (timer !== undefined) out.write(SHOW_CURSOR);
    timer = undefined;
  };
  return {
    paint,
    live: true,
    say: draw,
    watch: (goal, frame) => {
      watched = { goal, frame, since: performance.now() };
      if (timer === undefined) out.write(HIDE_CURSOR);
      timer ??= setInterval(draw, REDRAW_MS);
      draw();
    },
    changed: draw,
    settle: (outcome) => {
      if (watched === undefined) return;
      const { since, frame } = watched;
      watched = undefined;
      draw('', ...table(frame()), '', `  ${paint('green', '✓')} ${outcome} ${paint('dim', `(${seconds(since)})`)}`);
      rest();
    },
    close: () => {
      closed = true;
      rest();
    },
  };
}

function createPlainScreen(out: WriteStream, versions: readonly string[]): Screen {
  const paint: Paint = (_format, text) => text;
  let watched: Watched | undefined;
  let closed = false;
  const shown = new Map<string, string>();

  const say = (...lines: readonly string[]) => {
    if (!closed) out.write(`${lines.join('\n')}\n`);
  };
  const changed = () => {
    if (watched === undefined) return;
    const { rows, state } = watched.frame();
    const lines = rows.map((row): [string, string] => [row.pool, renderRow(row, { paint, versions })]);
    for (const [key, line] of [...lines, ['', state] as const]) {
      if (shown.get(key) !== line && line !== '') say(`  ${seconds(watched.since).padStart(6)}  ${line}`);
      shown.set(key, line);
    }
  };
  return {
    paint,
    live: false,
    say,
    watch: (goal, frame) => {
      watched = { goal, frame, since: performance.now() };
      say(`  Waiting for ${goal}`);
      changed();
    },
    changed,
    settle: (outcome) => {
      if (watched === undefined) return;
      const { since, frame } = watched;
      watched = undefined;
      const options = { width: 100, paint, dots: false, versions };
      say('', ...renderTable(frame().rows, options), '', `  ✓ ${outcome} (${seconds(since)})`);
    },
    close: () => {
      closed = true;
    },
  };
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** Replaces a time in the near future with the remaining seconds. */
function withCountdown(text: string): string {
  return text.replace(/until (\d{4}-\d\d-\d\dT[\d:.]+Z)/, (_match, time: string) => {
    const left = Math.max(0, Date.parse(time) - Date.now()) / 1000;
    return `for another ${left.toFixed(1)} s`;
  });
}
