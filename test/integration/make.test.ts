// `make cluster`, `make run` and `make cluster-down` as a person uses them.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { API_VERSION } from '../../src/api/meta.ts';
import { pushImage } from '../cluster/images.ts';
import { installCrds } from '../cluster/kubectl.ts';
import { findDetached } from '../cluster/processes.ts';
import { release } from './release-objects.ts';

const root = join(import.meta.dirname, '../..');
let folder: string;
let dir: string;
let cleaner: ChildProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'make-test-'));
  dir = join(folder, 'cluster');
  // The cluster outlives the process that started it: this stops the cluster when the test ends, however it ends.
  cleaner = spawn('/bin/sh', ['-c', 'read -r _; make cluster-down; rm -rf "$0"', folder], {
    cwd: root,
    env: environment(),
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
});

afterAll(async () => {
  cleaner.stdin?.end();
  await once(cleaner, 'close');
});

function environment() {
  // Remove variables that a person's shell does not have.
  const { NODE_ENV: _, VITEST: __, MAKEFLAGS: ___, MAKELEVEL: ____, ...env } = process.env;
  return { ...env, CLUSTER_DIR: dir, HOME: folder };
}

function shell(script: string): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { cwd: root, env: environment() });
}

/** Runs in a shell that has evaluated the output of `make cluster`, with its kubectl. */
async function inCluster(script: string): Promise<string> {
  const setUp =
    'output=$(make cluster 2>/dev/null); eval "$output"; kubectl=$(sed -n "s/^# kubectl: //p" <<<"$output")';
  return (await shell(`${setUp}; kubectl() { "$kubectl" "$@"; }; ${script}`)).stdout.trim();
}

test('the cluster stays up and prints how to reach it', async () => {
  const first = await shell('make cluster');
  expect(first.stdout).toMatch(new RegExp(`^export KUBECONFIG='${dir}/.+'$`, 'm'));
  expect((await inCluster('kubectl get nodes --output name')).split('\n')).toHaveLength(8);
  const second = await shell('make cluster');
  expect(second.stderr).toContain('up already');
  expect(second.stdout).toBe(first.stdout);
});

test('the operator runs against the current context when the CRDs exist', async () => {
  // Left by a failed attempt.
  await inCluster('kubectl delete --ignore-not-found -k crds');
  await expect(inCluster('make run')).rejects.toThrow('kubectl apply --server-side -k crds');
  await installCrds({ kubectl: (args) => inCluster(`kubectl ${args.join(' ')}`) });
  const host = await inCluster('echo "$APPRELEASE_INSECURE_REGISTRY"');
  const { image } = await pushImage({ host, url: `http://${host}`, auth: 'none' }, 'shop/web', '1.0');
  const object = { apiVersion: API_VERSION, kind: 'AppRelease', metadata: { name: 'web' }, spec: release(image) };

  const kubeconfig = await inCluster('echo "$KUBECONFIG"');
  const args = '--health-address=127.0.0.1:0 --metrics-address=127.0.0.1:0';
  const running = spawn('make', ['run', `ARGS=${args}`], {
    cwd: root,
    env: {
      ...environment(),
      KUBECONFIG: kubeconfig,
      APPRELEASE_INSECURE_REGISTRY: host,
      APPRELEASE_REGISTRY_ALLOW_NETWORK: '127.0.0.0/8',
    },
    // A separate process group, as in a terminal.
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  createInterface({ input: running.stdout }).on('line', (line) => lines.push(line));
  const ended = once(running, 'close');
  try {
    await inCluster(`kubectl apply -f - <<<'${JSON.stringify(object)}'`);
    await inCluster('kubectl wait apprelease/web --for=condition=Ready --timeout=60s');
  } finally {
    // Ctrl-C.
    process.kill(-(running.pid ?? 0), 'SIGINT');
    await ended;
  }
  expect(lines.at(-1)).toContain('"msg":"stopped"');
});

test('the cluster goes down completely', async () => {
  expect(await findDetached(dir)).toHaveLength(6);
  expect((await shell('make cluster-down')).stderr).toContain('is down');
  expect(await findDetached(dir)).toEqual([]);
  expect(existsSync(dir)).toBe(false);
  expect((await shell('make cluster-down')).stderr).toContain('was not up');
});
