/** The preview of a rollback as a table. Pure. */
import type { PoolChange, Served } from '../read/rollback-preview.ts';
import type { Paint, Tone } from './paint.ts';
import { table } from './table.ts';

export interface ReleaseChange {
  readonly release: string;
  readonly pools: readonly PoolChange[];
}

const TONES: Readonly<Record<string, Tone>> = { Warm: 'good', Cached: 'good', Cold: 'waits', Unknown: 'waits' };

/** With several releases, the first column names them. */
export function rollbackTable(changes: readonly ReleaseChange[], paint: Paint): string {
  const header = [...(changes.length > 1 ? ['RELEASE'] : []), 'POOL', 'FROM', 'TO', 'READINESS', 'NOTE'];
  const rows = changes.flatMap(({ release, pools }) =>
    pools.map(({ pool, from, to, readiness, note }) => [
      ...(changes.length > 1 ? [release] : []),
      pool,
      from ? servedText(from) : '-',
      to ? servedText(to) : paint('dim', 'stays'),
      readiness === undefined ? '-' : paint(TONES[readiness] ?? 'bad', readiness),
      note ?? '',
    ]),
  );
  return table(header, rows);
}

/** 1.0 (revision 1) */
export function servedText({ version, revision }: Served): string {
  return `${version} (revision ${revision})`;
}
