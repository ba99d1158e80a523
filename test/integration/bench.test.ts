// The bench measures every part, here with small numbers. `make bench` shows whether its aims are met.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { Results, Row } from '../bench/report.ts';
import { ownCluster } from './own-cluster.ts';

const bench = join(import.meta.dirname, '../bench/bench.ts');

test('prints a table, and the same as JSON', async () => {
  const folder = await mkdtemp(join(ownCluster().dir, 'bench-'));
  const file = join(folder, 'figures.json');
  const little = ['--only=abdeghp', '--rollbacks=2', '--releases=3', '--most=3', '--many=8', '--idle=2', '--samples=1'];
  const { stdout } = await promisify(execFile)(process.execPath, [bench, ...little, `--json=${file}`], {
    env: { ...process.env, TMPDIR: folder },
  });
  const { rows, results } = JSON.parse(await readFile(file, 'utf8')) as { rows: Row[]; results: Results };
  expect([...new Set(rows.map(({ part }) => part))].toSorted()).toEqual(['a', 'b', 'c', 'd', 'e', 'g', 'h', 'p']);
  for (const { what, figure } of rows) {
    expect(figure).not.toMatch(/NaN|Infinity|undefined/);
    expect(stdout).toContain(what);
    expect(stdout).toContain(figure);
  }
  expect(results.warmRollbacks?.switched).toHaveLength(2);
  // The requests of each phase, by verb and resource.
  expect(stdout).toMatch(/\d {2}patch services$/m);
  expect(rows.filter(({ part }) => part === 'd').map(({ met }) => met)).toEqual([true, true]);
}, 600_000);
