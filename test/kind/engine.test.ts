import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { NETWORK, removeNetwork, type Engine } from './engine.ts';

test('removing the network removes the names of lost containers from its DNS, and those of no other network', async ({
  onTestFinished,
}) => {
  const dir = await mkdtemp(join(tmpdir(), 'dns-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const names = '10.89.0.1\n4e07408562be 10.89.0.2 apprelease-e2e-control-plane\n';
  for (const network of [NETWORK, 'podman']) await writeFile(join(dir, network), names);
  // No DNS server is at work: this process is none.
  await writeFile(join(dir, 'aardvark.pid'), String(process.pid));
  const commands: string[] = [];
  const run: Engine['run'] = (args) => {
    commands.push(args.join(' '));
    return Promise.resolve('');
  };
  await removeNetwork({ name: 'podman', pulls: false, env: {}, run }, dir);
  expect(commands).toEqual([`network rm --force ${NETWORK}`]);
  expect((await readdir(dir)).sort()).toEqual(['aardvark.pid', 'podman']);
});
