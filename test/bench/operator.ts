// The operator's process: bundled, started under its service account's rights, observed from outside.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../cluster/processes.ts';

const root = join(import.meta.dirname, '../..');

export interface OperatorProcess {
  /** Resident memory (VmRSS), in MB of 10^6 bytes. */
  residentMB: () => Promise<number>;
  /** The most that it ever was (VmHWM). */
  peakMB: () => Promise<number>;
  /** User and system time so far, in seconds. */
  cpuSeconds: () => Promise<number>;
  /** The operator's own metrics, in the text format. */
  metrics: () => Promise<string>;
  stop: () => Promise<void>;
}

export interface OperatorOptions {
  kubeconfig: string;
  leaseNamespace: string;
  logFile: string;
  /** Default: what scripts/build.ts makes. */
  bundle?: string;
  /** A folder for a CPU profile, written at the end. */
  profileDir?: string;
}

/** Starts the operator and waits until its caches are filled. It ends with this process, however that ends. */
export async function startOperator(options: OperatorOptions): Promise<OperatorProcess> {
  const { kubeconfig, leaseNamespace, logFile, profileDir } = options;
  if (options.bundle === undefined) await promisify(execFile)(process.execPath, ['scripts/build.ts'], { cwd: root });
  const bundle = options.bundle ?? join(root, 'dist/operator.mjs');
  const [health, metrics] = [await freePort(), await freePort()];
  const log = openSync(logFile, 'a');
  const image = await readImage();
  const profile = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
  const args = [
    ...profile,
    ...image.flags,
    bundle,
    `--kubeconfig=${kubeconfig}`,
    `--lease-namespace=${leaseNamespace}`,
    `--health-address=127.0.0.1:${health}`,
    `--metrics-address=127.0.0.1:${metrics}`,
  ];
  // In a session of its own: Ctrl-C reaches only us, and we end it in order.
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...image.env, NODE_ENV: 'production' },
  });
  closeSync(log);
  await once(child, 'spawn');
  const guard = await endWithUs(child);
  const stop = async () => {
    await end(child);
    await end(guard);
  };
  try {
    await becomeReady(child, `http://127.0.0.1:${health}/readyz`, logFile);
  } catch (error) {
    await stop();
    throw error;
  }
  const proc = `/proc/${String(child.pid)}`;
  return {
    residentMB: async () => megabytes(await readFile(`${proc}/status`, 'utf8'), 'VmRSS'),
    peakMB: async () => megabytes(await readFile(`${proc}/status`, 'utf8'), 'VmHWM'),
    cpuSeconds: async () => {
      const fields = (await readFile(`${proc}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
      // utime and stime are in clock ticks, 100 a second on Linux.
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    metrics: async () => (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text(),
    stop,
  };
}

/** What the image gives Node. */
async function readImage(): Promise<{ flags: string[]; env: Record<string, string> }> {
  const dockerfile = await readFile(join(root, 'Dockerfile'), 'utf8');
  const entryPoint = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(dockerfile)?.[1] ?? '[]') as string[];
  const variables = [...dockerfile.matchAll(/^ENV (\w+)=(\S+)$/gm)].map(([, name = '', value = '']) => [name, value]);
  return {
    flags: entryPoint.filter((argument) => argument.startsWith('--')),
    env: Object.fromEntries(variables) as Record<string, string>,
  };
}

function megabytes(status: string, field: string): number {
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  return (Number(kilobytes) * 1024) / 1e6;
}

async function becomeReady(child: ChildProcess, url: string, logFile: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (performance.now() < deadline && child.exitCode === null && child.signalCode === null) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return;
    await delay(100);
  }
  const log = (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-20).join('\n');
  throw new Error(`the operator does not get ready:\n${log}`);
}

/** A shell that ends the child as soon as our end of its standard input is closed. */
async function endWithUs(child: ChildProcess): Promise<ChildProcess> {
  const guard = spawn('/bin/sh', ['-c', 'read -r _; kill -9 "$0"', String(child.pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  await once(guard, 'spawn');
  return guard;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  const tooLong = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await exit;
  clearTimeout(tooLong);
}
