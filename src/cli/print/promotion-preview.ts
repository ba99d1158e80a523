/** The preview of a promotion as a table. Pure. */
import type { PoolEntry } from '../read/promotion-preview.ts';
import { servedText } from './rollback-preview.ts';
import { table } from './table.ts';

/** `to`: what the pools get. */
export function promotionTable(stage: string, pools: readonly PoolEntry[], to: string): string {
  const rows = pools.map(({ pool, from, waitsFor }) => [
    stage,
    pool,
    from ? servedText(from) : '-',
    to,
    waitsFor ?? '',
  ]);
  return table(['STAGE', 'POOL', 'FROM', 'TO', 'WAITS FOR'], rows);
}
