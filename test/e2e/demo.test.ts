// `make demo CLUSTER=current` on a cluster with real nodes and an installed operator.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { e2e, kubectl, test } from './world.ts';

const demo = join(import.meta.dirname, '../demo/demo.ts');

interface Played {
  readonly status: number | null;
  readonly output: string;
}

async function play(...args: string[]): Promise<Played> {
  const running = spawn(process.execPath, [demo, '--cluster=current', '--port=8080', ...args], {
    env: {
      ...process.env,
      KUBECONFIG: e2e.cluster.kubeconfigPath,
      PATH: `${dirname(e2e.kubectl)}:${process.env['PATH'] ?? ''}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [running.stdout, running.stderr])
    stream.on('data', (text: Buffer) => (output += text.toString()));
  const [status] = (await once(running, 'close')) as [number | null];
  return { status, output };
}

async function namespaces(): Promise<string[]> {
  const names = await kubectl('get', 'namespaces', '--output=name');
  return names.split('\n').filter((name) => name.includes('apprelease-demo-'));
}

test('the demo plays all acts, and removes its namespace', async ({ world }) => {
  const { status, output } = await play(`--image=${await world.image('1.0.0')}`);
  expect(output).toContain('All 4 Services were switched back');
  // The cluster's own operator did the work.
  expect(output).not.toContain('Starting the operator here');
  expect(status).toBe(0);
  expect(await namespaces()).toEqual([]);
});

test('an image that the nodes cannot pull ends the demo with the way out', async ({ world }) => {
  const { status, output } = await play(`--image=${world.images.registry.host}/shop/none:1.0.0`);
  expect(output).toMatch(
    /cannot run \S+\/shop\/none:1\.0\.0.+Choose one that they can pull: make demo CLUSTER=current/s,
  );
  expect(status).toBe(1);
  expect(await namespaces()).toEqual([]);
});
