// `make demo CLUSTER=current` on a cluster that has no operator: it asks for what it needs before it makes
// anything, and takes away what it made, however it ends. test/e2e/demo.test.ts plays it on real nodes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeKubeconfig } from '../cluster/kubeconfig.ts';
import { ownCluster } from './own-cluster.ts';

const demo = join(import.meta.dirname, '../demo/demo.ts');
const cluster = ownCluster();
/** The folder for all files of the demo on this machine. */
let folder: string;
let before: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(cluster.dir, 'demo-'));
  before = await inTheCluster();
});

afterEach(() => rm(folder, { recursive: true }));

/** Objects that the demo might leave in the cluster. */
async function inTheCluster(): Promise<string[]> {
  const names = await cluster.kubectl(['get', 'namespaces,crds', '--output=name']);
  return names.trimEnd().split('\n');
}

interface Options {
  readonly args?: readonly string[];
  readonly kubeconfig?: string;
  /** Interrupts the demo when its output contains this text. */
  readonly interruptAt?: string;
}

async function play({ args = [], kubeconfig = cluster.kubeconfigPath, interruptAt }: Options) {
  const running = spawn(process.execPath, [demo, '--cluster=current', ...args], {
    env: {
      ...process.env,
      TMPDIR: folder,
      KUBECONFIG: kubeconfig,
      PATH: `${dirname(cluster.binaries.kubectl)}:${process.env['PATH'] ?? ''}`,
    },
    // A separate process group, to which Ctrl-C is sent.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let interrupted = false;
  for (const stream of [running.stdout, running.stderr]) {
    stream.on('data', (text: Buffer) => {
      output += text.toString();
      if (interrupted || interruptAt === undefined || !output.includes(interruptAt)) return;
      interrupted = true;
      process.kill(-(running.pid ?? 0), 'SIGINT');
    });
  }
  const [status] = (await once(running, 'close')) as [number | null];
  return { status, output };
}

async function expectNothingLeft(): Promise<void> {
  // Objects of other tests may have disappeared meanwhile.
  expect(before).toEqual(expect.arrayContaining(await inTheCluster()));
  expect(await readdir(folder)).toEqual([]);
}

test('the demo plays all acts, with its own operator', async () => {
  const { status, output } = await play({});
  expect(status, output).toBe(0);
  expect(output).toContain('Starting the operator here');
  expect(output).toContain('All 4 Services were switched back');
  await expectNothingLeft();
}, 240_000);

test.each(['Trying nginx', 'Act 1', 'Act 2'])('Ctrl-C at "%s" leaves nothing behind', async (interruptAt) => {
  const { status, output } = await play({ interruptAt });
  expect(status, output).toBe(130);
  await expectNothingLeft();
});

test('an image that cannot be pulled', async () => {
  const { status, output } = await play({ args: ['--image=registry.example.com/shop/missing:1.0'] });
  expect(output).toMatch(/cannot run registry\.example\.com\/shop\/missing:1\.0.+not found.+IMAGE=/s);
  expect(status).toBe(1);
  await expectNothingLeft();
});

test('a cluster that does not answer', async () => {
  const kubeconfig = join(folder, 'nobody.kubeconfig');
  await writeKubeconfig(kubeconfig, { url: 'https://127.0.0.1:9', ca: '', token: 'none' });
  const { status, output } = await play({ kubeconfig });
  expect(output).toContain('the cluster of the current kubectl context does not answer');
  expect(status).toBe(1);
});

test('no context', async () => {
  const kubeconfig = join(folder, 'empty.kubeconfig');
  await writeFile(kubeconfig, '');
  const { status, output } = await play({ kubeconfig });
  expect(output).toContain('kubectl has no current context');
  expect(status).toBe(1);
});

test('a user with read-only rights', async () => {
  const namespace = '--namespace=default';
  await cluster.kubectl(['create', 'serviceaccount', 'onlooker', namespace]);
  const binding = ['clusterrolebinding', 'demo-onlooker'];
  const role = ['clusterrole', 'demo-onlooker'];
  await cluster.kubectl(['create', ...role, '--verb=get,list,watch', '--resource=nodes,deployments.apps']);
  await cluster.kubectl(['create', ...binding, '--clusterrole=demo-onlooker', '--serviceaccount=default:onlooker']);
  try {
    const token = (await cluster.kubectl(['create', 'token', 'onlooker', namespace])).trim();
    const kubeconfig = join(folder, 'onlooker.kubeconfig');
    const view = [
      'config',
      'view',
      '--raw',
      '--flatten',
      '--output=jsonpath={.clusters[0].cluster.certificate-authority-data}',
    ];
    const ca = Buffer.from(await cluster.kubectl(view), 'base64').toString();
    await writeKubeconfig(kubeconfig, { url: cluster.url, ca, token });
    const { status, output } = await play({ kubeconfig });
    expect(output).toMatch(/lacks rights for the demo:\n {2}create namespaces\n {2}delete namespaces\n/);
    expect(output).not.toContain('list nodes');
    expect(status).toBe(1);
    // Objects of other tests may have disappeared meanwhile.
    expect(before).toEqual(expect.arrayContaining(await inTheCluster()));
  } finally {
    await cluster.kubectl(['delete', ...binding, '--ignore-not-found']);
    await cluster.kubectl(['delete', ...role, '--ignore-not-found']);
    await cluster.kubectl(['delete', 'serviceaccount', 'onlooker', namespace]);
  }
});
