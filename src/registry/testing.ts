/** For tests only: HTTP servers on 127.0.0.1 with answers of the test, and credentials for them. */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach } from 'vitest';
import { createKeyring } from './credentials.ts';
import { createRegistryClient } from './resolver.ts';
import type { RegistryClient, RegistryClientConfig } from './resolver.ts';
import type { Credential, Keyring } from './types.ts';

export interface Received {
  readonly method: string;
  readonly url: URL;
  readonly authorization: string | undefined;
  readonly accept: string | undefined;
  readonly body: string;
}

/** The return value is not used. */
export type Answer = (request: Received, response: ServerResponse) => unknown;

export interface TestServer {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly requests: Received[];
  readonly server: Server;
}

/** Starts servers that are closed after the test, with their connections. */
export function useServers() {
  const servers: Server[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    }
  });

  return async function serve(answer: Answer, tls?: { cert: string; key: string }): Promise<TestServer> {
    const requests: Received[] = [];
    const listener = (request: IncomingMessage, response: ServerResponse) => {
      void text(request).then((body) => {
        const received = {
          method: request.method ?? '',
          url: new URL(request.url ?? '/', 'http://server'),
          authorization: request.headers.authorization,
          accept: request.headers.accept,
          body,
        };
        requests.push(received);
        answer(received, response);
      });
    };
    const server = tls ? createSecureServer(tls, listener) : createServer(listener);
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, requests, server };
  };
}

/** Creates clients that may use plain HTTP to the given servers, without a proxy; they are closed after the test. */
export function useClients() {
  const clients: RegistryClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close();
  });

  return function connectTo(servers: readonly TestServer[], config: RegistryClientConfig = {}): RegistryClient {
    const insecureHosts = new Set(servers.map(({ host }) => host));
    const client = createRegistryClient({ insecureHosts, proxy: NO_PROXY, networks: LOCAL, ...config });
    clients.push(client);
    return client;
  };
}

/** The servers of tests. */
export const LOCAL = { allow: ['127.0.0.0/8'] };

export const NO_PROXY = { httpProxy: '', httpsProxy: '', noProxy: '' };

/** A manifest in a registry. */
export interface StoredManifest {
  readonly mediaType: string;
  readonly body: string;
  readonly digest: string;
}

export function storeManifest(content: { mediaType: string } & Record<string, unknown>): StoredManifest {
  const body = JSON.stringify(content);
  return { mediaType: content.mediaType, body, digest: `sha256:${createHash('sha256').update(body).digest('hex')}` };
}

export function imageManifest(name: string): StoredManifest {
  return storeManifest({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: `sha256:${'0'.repeat(64)}`, size: 2 },
    layers: [],
    annotations: { name },
  });
}

/** Answers a manifest request as the specification requires. */
export function sendManifest(manifest: StoredManifest, { method }: Received, response: ServerResponse): ServerResponse {
  response.writeHead(200, { 'content-type': manifest.mediaType, 'docker-content-digest': manifest.digest });
  return response.end(method === 'HEAD' ? undefined : manifest.body);
}

export function sendStatus(
  response: ServerResponse,
  status: number,
  headers: Record<string, string> = {},
): ServerResponse {
  return response.writeHead(status, headers).end();
}

export function sendJson(response: ServerResponse, content: unknown, status = 200): ServerResponse {
  return response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content));
}

/** A keyring with these credentials for every image of the host. */
export function keyringFor(host: string, ...credentials: readonly Credential[]): Keyring {
  return createKeyring(credentials.map((credential) => ({ location: host, credential })));
}

export function basicCredential(username: string, password: string, source = 'Secret shop/regcred'): Credential {
  return { source, type: 'basic', username, password };
}

export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
