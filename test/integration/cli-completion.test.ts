// kubectl finds the plugin, and asks it for the words that may come next.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect } from 'vitest';
import { apprelease } from './cli.ts';
import { cluster, test } from './harness.ts';
import { release } from './release-objects.ts';

const run = promisify(execFile);
let folder: string;
let bin: string;
let env: Record<string, string>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-completion-'));
  bin = join(folder, 'bin');
  await run('make', ['install-cli', `PREFIX=${folder}`], { cwd: join(import.meta.dirname, '../..') });
  await symlink(cluster.binaries.kubectl, join(bin, 'kubectl'));
  env = {
    ...(process.env as Record<string, string>),
    KUBECONFIG: cluster.kubeconfigPath,
    KUBECACHEDIR: join(folder, 'cache'),
    KUBERC: 'off',
    PATH: [bin, dirname(process.execPath), process.env['PATH']].join(delimiter),
  };
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** The words that kubectl offers, with their help. */
async function offered(...words: string[]): Promise<string[]> {
  const { stdout } = await run('kubectl', ['__complete', 'apprelease', ...words], { env });
  return stdout.trim().split('\n');
}

test('kubectl runs the plugin, and completes its commands and the names of releases', async ({ world }) => {
  expect(await offered('li')).not.toContain('list');
  const install = await apprelease(['completion', 'install'], { env });
  expect(install).toMatchObject({ code: 0, err: '' });
  expect(install.out).toContain(join(bin, 'kubectl_complete-apprelease'));

  await world.apply(release(await world.image('1.0')));
  await world.released('1.0');
  const { stdout } = await run('kubectl', ['apprelease', 'list', '-n', world.namespace], { env });
  expect(stdout).toMatch(/^web +1\.0 +Released/m);
  expect(await offered('lis')).toEqual([expect.stringMatching(/^list\t/), ':4']);
  expect(await offered('get', '-n', world.namespace, '')).toEqual(['web', ':4']);
  expect(await offered('get', '-n', world.namespace, 'x')).toEqual([':4']);
  expect(await offered('list', '-o', '')).toEqual(['json', 'yaml', 'name', 'wide', ':4']);
  expect(await offered('list', '--namespace', world.namespace.slice(0, 9))).toContain(world.namespace);
});

test('a folder that is not there is an error', async () => {
  const { code, err } = await apprelease(['completion', 'install', '--dir', join(folder, 'missing')]);
  expect(code).toBe(1);
  expect(err).toMatch(/^error: cannot write kubectl_complete-apprelease: ENOENT/);
  const without = await apprelease(['completion', 'install'], { env: { PATH: '/missing' } });
  expect(without.err).toBe('error: kubectl-apprelease is in no folder of PATH: name a folder of PATH by --dir\n');
});
