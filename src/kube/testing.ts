/** For tests only: a server on 127.0.0.1 with answers of the test, and clients for it. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { text } from 'node:stream/consumers';
import { afterEach, expect } from 'vitest';
import { createClient, type ClientOptions } from './client.ts';
import type { KubeConfigSource } from './credentials.ts';
import { KubeError } from './errors.ts';
import type { KubeClient, Resource } from './types.ts';

export interface Received {
  method: string;
  /** The URL with its query. */
  url: URL;
  headers: IncomingHttpHeaders;
  body: unknown;
  httpVersion: string;
}

export type Answer = (request: Received, response: ServerResponse) => void | Promise<void>;

export interface TestServer {
  url: string;
  requests: Received[];
  /** All connections, including closed ones. */
  sockets: Socket[];
  /** The common names of the clients' certificates. */
  clients: unknown[];
  close: () => Promise<void>;
}

export interface Certificate {
  cert: string;
  key: string;
}

export type TestTls = Certificate & { http1Only?: boolean; requestCert?: boolean; rejectUnauthorized?: boolean };

export async function startTestServer(answer: Answer, tls?: TestTls): Promise<TestServer> {
  const requests: Received[] = [];
  const sockets: Socket[] = [];
  const clients: unknown[] = [];
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const received: Received = {
      method: request.method ?? '',
      url: new URL(request.url ?? '/', 'http://localhost'),
      headers: request.headers,
      body: body === '' ? undefined : JSON.parse(body),
      httpVersion: request.httpVersion,
    };
    requests.push(received);
    await answer(received, response);
  }
  function listener(request: IncomingMessage, response: ServerResponse): void {
    handle(request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  }
  const server = makeServer(listener, tls);
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.push(socket);
    if (socket instanceof TLSSocket && tls?.requestCert) clients.push(socket.getPeerCertificate().subject.CN);
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    requests,
    sockets,
    clients,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function makeServer(
  listener: (request: IncomingMessage, response: ServerResponse) => void,
  tls?: TestTls,
): Server | Http2SecureServer {
  if (!tls) return createServer(listener);
  const { http1Only, ...options } = tls;
  if (http1Only) return createTlsServer(options, listener);
  return createSecureServer({ ...options, allowHTTP1: true }, (request, response) => {
    // The compatibility API of HTTP/2 has everything that the tests use.
    listener(request as unknown as IncomingMessage, response as unknown as ServerResponse);
  });
}

/** A self-signed certificate for 127.0.0.1. */
export function makeCertificate(name = 'localhost'): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'kube-test-'));
  try {
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name},IP:127.0.0.1`];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    execFileSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The credentials for a client, without a kubeconfig file. */
export function testConfig(
  server: string,
  options: { token?: string; tls?: object; proxyUrl?: string } = {},
): KubeConfigSource {
  return {
    getCurrentCluster: () => ({
      server,
      ...(options.proxyUrl === undefined ? {} : { proxyUrl: options.proxyUrl }),
    }),
    applyToHTTPSOptions: (request) => {
      Object.assign(request, options.tls);
      if (options.token !== undefined) request.headers = { Authorization: `Bearer ${options.token}` };
      return Promise.resolve();
    },
  };
}

export function sendJson(response: ServerResponse, body: unknown, code = 200, headers = {}): void {
  response.writeHead(code, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export function sendStatus(response: ServerResponse, code: number, reason: string, more: object = {}): void {
  sendJson(
    response,
    { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: reason, ...more },
    code,
  );
}

/** Sends one event of a watch. The first event starts the answer. */
export function sendEvent(response: ServerResponse, type: string, object: unknown): void {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/json' });
  response.write(`${JSON.stringify({ type, object })}\n`);
}

export interface Widget {
  apiVersion?: string;
  kind?: string;
  metadata?: { name?: string; namespace?: string; resourceVersion?: string };
  spec?: { size?: number };
}

export const WIDGETS: Resource<Widget> = {
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  plural: 'widgets',
  namespaced: true,
};
export const KEY = { namespace: 'shop', name: 'web' };
export const WIDGET = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { ...KEY, resourceVersion: '7' } };

/** Servers and clients that are closed after each test. */
export function useServers() {
  const cleanups: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  async function serve(answer: Answer, tls?: TestTls): Promise<TestServer> {
    const server = await startTestServer(answer, tls);
    cleanups.push(server.close);
    return server;
  }

  function connectTo(config: KubeConfigSource, options?: ClientOptions): KubeClient {
    const client = createClient(config, options);
    cleanups.push(client.close);
    return client;
  }

  return { serve, connectTo, afterwards: (cleanup: () => Promise<void>) => cleanups.push(cleanup) };
}

/** The KubeError that `promise` fails with. */
export async function failure(promise: Promise<unknown>): Promise<KubeError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(KubeError);
  return error as KubeError;
}
