// Runs the bundled kubectl plugin as a person does.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { KubeObject } from '../../src/kube/types.ts';
import { admin, cluster } from './harness.ts';

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

export interface Running {
  readonly answer: Promise<CliAnswer>;
  /** Resolves when its standard output matches; rejects if the plugin ends before. */
  readonly printed: (pattern: RegExp) => Promise<void>;
}

/** The plugin with these arguments, as the administrator of the cluster unless `env` says otherwise. */
export function apprelease(args: readonly string[], options: RunOptions = {}): Promise<CliAnswer> {
  return startApprelease(args, options).answer;
}

export function startApprelease(args: readonly string[], { env, input = '', signal }: RunOptions = {}): Running {
  const child = spawn(process.execPath, [PLUGIN, ...args], {
    env: { ...process.env, KUBECONFIG: cluster.kubeconfigPath, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  function interrupt(): void {
    child.kill('SIGINT');
  }
  signal?.addEventListener('abort', interrupt);
  child.stdin.end(input);
  let out = '';
  const reads = new EventEmitter();
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    out += part;
    reads.emit('more');
  });
  const closed = Promise.all([text(child.stderr), once(child, 'close') as Promise<[number | null]>]);
  return {
    answer: closed.then(([err, [code]]) => {
      signal?.removeEventListener('abort', interrupt);
      return { code, out, err };
    }),
    printed: async (pattern) => {
      const ended = closed.then(([err]) => {
        throw new Error(`it ended, and printed ${out}${err}`);
      });
      ended.catch(() => undefined);
      while (!pattern.test(out)) await Promise.race([once(reads, 'more'), ended]);
    },
  };
}

type Rule = Readonly<Record<'apiGroups' | 'resources' | 'verbs', readonly string[]>>;

/** The arguments with which the plugin acts as an account that has these rights in the namespace, and no others. */
export async function asViewer(namespace: string, rules: readonly Rule[]): Promise<string[]> {
  const name = `viewer-${randomBytes(4).toString('hex')}`;
  const group = 'rbac.authorization.k8s.io';
  const metadata = { name, namespace };
  const role: KubeObject & { rules: readonly Rule[] } = { metadata, rules };
  const binding: KubeObject & { roleRef: object; subjects: object[] } = {
    metadata,
    roleRef: { apiGroup: group, kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  };
  await create('Role', 'roles', role);
  await create('RoleBinding', 'rolebindings', binding);
  return ['--as', `system:serviceaccount:${namespace}:${name}`];

  async function create(kind: string, plural: string, object: KubeObject): Promise<void> {
    const apiVersion = `${group}/v1`;
    await admin.create({ apiVersion, kind, plural, namespaced: true }, { ...object, apiVersion, kind });
  }
}
