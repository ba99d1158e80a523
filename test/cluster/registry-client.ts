import { readFile } from 'node:fs/promises';
import { Agent, fetch, type RequestInit, type Response } from 'undici';
import type { Registry } from './types.ts';

/** What is needed to talk to a registry. */
export type RegistryAccess = Pick<Registry, 'url' | 'auth' | 'caFile'>;

/** A request to the registry with all rights; `path` may be a full URL. */
export async function registryFetch(registry: RegistryAccess, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { ...(init.headers as Record<string, string> | undefined), ...(await authorization(registry, path)) };
  const ca = registry.caFile === undefined ? undefined : await readFile(registry.caFile);
  // A kept connection would outlive the registry's restart.
  const dispatcher = new Agent({ connect: { ca }, pipelining: 0 });
  return fetch(new URL(path, registry.url), { ...init, headers, dispatcher });
}

async function authorization({ auth }: RegistryAccess, path: string): Promise<Record<string, string>> {
  if (auth === 'none') return {};
  if ('htpasswd' in auth) return { authorization: basic(auth.htpasswd.user, auth.htpasswd.password) };
  const repository = /\/v2\/(.+)\/(?:blobs|manifests|tags)\//.exec(path)?.[1];
  if (repository === undefined) return {};
  const { realm, service, user, password } = auth.token;
  const query = new URLSearchParams({ service, scope: `repository:${repository}:pull,push,delete` });
  const response = await fetch(`${realm}?${query.toString()}`, { headers: { authorization: basic(user, password) } });
  const { token } = (await response.json()) as { token: string };
  return { authorization: `Bearer ${token}` };
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
