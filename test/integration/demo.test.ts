// The demo leaves nothing behind, however it ends. CI runs the demo itself.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ownCluster } from './own-cluster.ts';

const demo = join(import.meta.dirname, '../demo/demo.ts');
/** The folder for all files of the demo. */
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(ownCluster().dir, 'demo-'));
});

afterEach(() => rm(folder, { recursive: true }));

/** The command lines of processes that name the folder, which all processes of the demo do. */
async function processes(): Promise<string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const all = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')));
  return all.filter((line) => line.includes(folder)).map((line) => line.replaceAll('\0', ' '));
}

test.skipIf(process.platform !== 'linux').each([
  ['SIGINT', 'Starting etcd', 130],
  ['SIGINT', 'Act 1', 130],
  ['SIGKILL', 'Waiting for', 'SIGKILL'],
] as const)('%s at "%s" leaves nothing behind', async (signal, moment, status) => {
  const running = spawn(process.execPath, [demo], {
    env: { ...process.env, TMPDIR: folder },
    // A separate process group, to which Ctrl-C is sent.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(running, 'close');
  const reached = Promise.withResolvers<undefined>();
  for (const input of [running.stdout, running.stderr]) {
    createInterface({ input }).on('line', (line) => {
      if (line.includes(moment)) reached.resolve(undefined);
    });
  }
  await Promise.race([reached.promise, ended]);
  if (moment !== 'Starting etcd') expect((await processes()).length).toBeGreaterThan(6);
  process.kill(-(running.pid ?? 0), signal);
  const [code, endedBy] = (await ended) as [number | null, NodeJS.Signals | null];
  expect(code ?? endedBy).toBe(status);
  await vi.waitFor(
    async () => {
      expect(await processes()).toEqual([]);
      expect(await readdir(folder)).toEqual([]);
    },
    { timeout: 20_000, interval: 100 },
  );
});
