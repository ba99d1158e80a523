// The bundled operator as local processes, with the rights of its service account.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { serviceAccountKubeconfig } from '../cluster/kubeconfig.ts';
import { installCrds } from '../cluster/kubectl.ts';
import { waitFor } from '../cluster/processes.ts';
import type { ClusterAccess } from '../cluster/types.ts';

const root = join(import.meta.dirname, '../..');

/** One line of the operator's log. */
export interface LogLine {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
  readonly release?: string;
  readonly reconcileID?: string;
  readonly [field: string]: unknown;
}

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface OperatorProcess {
  readonly pid: number;
  /** All lines so far; fails for a line that is not JSON. */
  readonly log: () => LogLine[];
  /** GET of an endpoint: status and body. */
  readonly health: (path: string) => Promise<[number, string]>;
  readonly metrics: () => Promise<Sample[]>;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** The exit status, or the signal that ended the process. */
  readonly exited: Promise<number | NodeJS.Signals>;
  readonly hasExited: () => boolean;
  /** Waits for a log line with this message. */
  readonly says: (message: string) => Promise<void>;
  /** Stops the process as Kubernetes does; returns the exit status. */
  readonly stop: () => Promise<number | NodeJS.Signals>;
}

export interface OperatorProcessOptions {
  readonly kubeconfig: string;
  /** Default: the bundle of these sources. */
  readonly bundle?: string;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Flags for a takeover of the lease within seconds. */
export const QUICK_LEASE = ['--lease-duration=6s', '--renew-deadline=4s', '--retry-period=300ms'];

/**
 * CRDs, roles and service account from manifests/. The Deployment has no pods, because simulated nodes would not run them. Without
 * the policies: other files share the control plane, and their operator acts as an administrator, who may not remove a record.
 */
export async function installOperator(cluster: ClusterAccess): Promise<string> {
  await installCrds(cluster);
  for (const folder of ['operator', 'access'])
    await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-k', join(root, 'manifests', folder)]);
  const namespace = 'apprelease-system';
  const name = 'apprelease-operator';
  await cluster.kubectl(['scale', 'deployment', name, `--namespace=${namespace}`, '--replicas=0']);
  const path = join(cluster.dir, 'operator.kubeconfig');
  return serviceAccountKubeconfig(cluster, { namespace, name, path });
}

/** The bundle, built once per cluster, in a folder outside any node_modules. */
async function ownBundle({ dir }: ClusterAccess): Promise<string> {
  const file = join(dir, 'operator.mjs');
  if (!existsSync(file)) await promisify(execFile)(process.execPath, [join(root, 'scripts/build.ts'), file]);
  return file;
}

/** The registries of tests are local; ignore the user's proxy. */
const LOCAL_REGISTRIES = { NO_PROXY: '127.0.0.1', APPRELEASE_REGISTRY_ALLOW_NETWORK: '127.0.0.0/8' };

/** Starts a process and waits for its endpoints. It ends with this process, however this process ends. */
export async function startOperatorProcess(
  cluster: ClusterAccess,
  { kubeconfig, bundle, flags = [], env = {} }: OperatorProcessOptions,
): Promise<OperatorProcess> {
  const args = [
    `--import=${join(root, 'test/demo/exit-with-parent.ts')}`,
    bundle ?? (await ownBundle(cluster)),
    `--kubeconfig=${kubeconfig}`,
    '--health-address=127.0.0.1:0',
    '--metrics-address=127.0.0.1:0',
    '--log-level=debug',
    ...flags,
  ];
  const child = spawn(process.execPath, args, {
    cwd: cluster.dir,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', ...LOCAL_REGISTRIES, ...env },
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
  const exited = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  let isGone = false;
  void exited.then(() => (isGone = true));
  const log = () => lines.map((line) => JSON.parse(line) as LogLine);

  async function says(message: string): Promise<void> {
    await waitFor(
      `"${message}" in the log of the operator`,
      () => {
        if (log().some(({ msg }) => msg === message)) return Promise.resolve(true);
        if (isGone) throw new Error(`the operator has ended:\n${lines.slice(-20).join('\n')}`);
        return Promise.resolve(false);
      },
      { timeoutSeconds: 60 },
    );
  }
  await says('started');
  const [healthPort, metricsPort] = log().find(({ msg }) => msg === 'started')?.['ports'] as [number, number];

  async function get(port: number, path: string): Promise<[number, string]> {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return [answer.status, (await answer.text()).trimEnd()];
  }
  return {
    pid: child.pid ?? 0,
    log,
    health: (path) => get(healthPort, path),
    metrics: async () => parseMetrics((await get(metricsPort, '/metrics'))[1]),
    signal: (signal) => child.kill(signal),
    exited,
    hasExited: () => isGone,
    says,
    stop: async () => {
      child.kill('SIGTERM');
      // A frozen process does not handle SIGTERM.
      child.kill('SIGCONT');
      return exited;
    },
  };
}

/** Restarts a process that has ended by itself, as the kubelet does. */
export interface Supervised {
  readonly current: () => OperatorProcess;
  readonly stop: () => Promise<void>;
}

export async function superviseOperator(start: () => Promise<OperatorProcess>): Promise<Supervised> {
  let current = await start();
  let isStopping = false;
  const mustStop = () => isStopping;
  async function supervise(): Promise<void> {
    for (;;) {
      await current.exited;
      if (mustStop()) return;
      current = await start();
      if (mustStop()) await current.stop();
    }
  }
  const supervising = supervise();
  return {
    current: () => current,
    stop: async () => {
      isStopping = true;
      await current.stop();
      await supervising;
    },
  };
}

/** Parses the text exposition format of prom-client. */
function parseMetrics(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(?<name>[a-zA-Z_:][\w:]*)(?:\{(?<labels>.*)\})? (?<value>\S+)$/.exec(line)?.groups;
    if (!match) return [];
    const labels = [...(match['labels'] ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]);
    return [{ name: match['name'] ?? '', labels: Object.fromEntries(labels) as never, value: Number(match['value']) }];
  });
}

/** The sum of the samples with this name and these labels. */
export function sumOf(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): number {
  return samples
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0);
}
