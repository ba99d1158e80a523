import { readFile, writeFile } from 'node:fs/promises';
import type { ClusterAccess } from './types.ts';

/** Writes a kubeconfig with one cluster and one user; it needs no other file. */
export async function writeKubeconfig(
  path: string,
  access: { readonly url: string; readonly ca: string; readonly token: string },
): Promise<string> {
  const name = 'test-cluster';
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name,
        cluster: { server: access.url, 'certificate-authority-data': Buffer.from(access.ca).toString('base64') },
      },
    ],
    users: [{ name, user: { token: access.token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  };
  await writeFile(path, JSON.stringify(kubeconfig, undefined, 2), { mode: 0o600 });
  return path;
}

/** A service account, and the lifetime of its token. */
export interface ServiceAccountAccess {
  readonly namespace: string;
  readonly name: string;
  /** Where the kubeconfig is written. */
  readonly path: string;
  /** Default: one hour. */
  readonly seconds?: number;
}

/** Writes a kubeconfig with a token of an existing service account, asked for by TokenRequest; returns its path. */
export async function serviceAccountKubeconfig(
  cluster: Pick<ClusterAccess, 'kubectl' | 'url' | 'caFile'>,
  { namespace, name, path, seconds = 3600 }: ServiceAccountAccess,
): Promise<string> {
  const token = await cluster.kubectl(['create', 'token', name, `--namespace=${namespace}`, `--duration=${seconds}s`]);
  return writeKubeconfig(path, { url: cluster.url, ca: await readFile(cluster.caFile, 'utf8'), token: token.trim() });
}
