// Runs the bundled kubectl plugin as a person does.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
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
