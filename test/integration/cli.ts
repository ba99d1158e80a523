// Runs the bundled kubectl plugin as a person does.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { cluster } from './harness.ts';

const PLUGIN = join(import.meta.dirname, '../../dist/kubectl-apprelease.mjs');

export interface CliAnswer {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input. */
  readonly input?: string;
  /** Ends the plugin by SIGINT. */
  readonly signal?: AbortSignal;
}

/** The plugin with these arguments, as the administrator of the cluster unless `env` says otherwise. */
export async function apprelease(
  args: readonly string[],
  { env, input = '', signal }: RunOptions = {},
): Promise<CliAnswer> {
  const child = spawn(process.execPath, [PLUGIN, ...args], {
    env: { ...process.env, KUBECONFIG: cluster.kubeconfigPath, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  function interrupt(): void {
    child.kill('SIGINT');
  }
  signal?.addEventListener('abort', interrupt);
  child.stdin.end(input);
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  signal?.removeEventListener('abort', interrupt);
  return { code, out, err };
}
