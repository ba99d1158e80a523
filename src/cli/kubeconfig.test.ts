import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import type { TestServer } from '../kube/testing.ts';
import { KEY, makeCertificate, sendJson, useServers, WIDGET, WIDGETS } from '../kube/testing.ts';
import type { ClusterOptions } from './kubeconfig.ts';
import { chooseCluster } from './kubeconfig.ts';

const { serve, connectTo, afterwards } = useServers();
const certificate = makeCertificate();
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubeconfig-test-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const NOWHERE = { env: {}, canAsk: false };

interface Entry {
  readonly server?: string;
  readonly namespace?: string;
  readonly user?: object;
  readonly proxy?: string;
}

/** Writes a kubeconfig with a context, a cluster and a user of each name. */
function write(file: string, entries: Readonly<Record<string, Entry>>, current = Object.keys(entries)[0]): string {
  const path = join(folder, file);
  const named = Object.entries(entries);
  writeFileSync(
    path,
    stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': current,
      clusters: named.map(([name, { server = 'https://192.0.2.1', proxy }]) => ({
        name,
        cluster: {
          server,
          'certificate-authority-data': Buffer.from(certificate.cert).toString('base64'),
          ...(proxy !== undefined && { 'proxy-url': proxy }),
        },
      })),
      users: named.map(([name, { user = { token: `token-${name}` } }]) => ({ name, user })),
      contexts: named.map(([name, { namespace }]) => ({ name, context: { cluster: name, user: name, namespace } })),
    }),
  );
  return path;
}

function serverOf(options: ClusterOptions, env = {}): string | undefined {
  return chooseCluster(options, { env, canAsk: false }).source.getCurrentCluster()?.server;
}

function answering(): Promise<TestServer> {
  return serve((_request, response) => {
    sendJson(response, WIDGET);
  }, certificate);
}

async function headersSent(options: ClusterOptions, server: TestServer, env = {}) {
  await connectTo(chooseCluster(options, { env, canAsk: false }).source).get(WIDGETS, KEY);
  return server.requests[0]?.headers;
}

describe('the chosen cluster', () => {
  test('is that of the current context, with its namespace', () => {
    const kubeconfig = write('one', { dev: { server: 'https://192.0.2.1', namespace: 'shop' } });
    expect(serverOf({ kubeconfig })).toBe('https://192.0.2.1');
    expect(chooseCluster({ kubeconfig }, NOWHERE).namespace).toBe('shop');
    expect(chooseCluster({ kubeconfig, namespace: 'other' }, NOWHERE).namespace).toBe('other');
  });

  test('is that of --context or --cluster', () => {
    const kubeconfig = write('two', { dev: {}, prod: { server: 'https://192.0.2.2' } });
    expect(serverOf({ kubeconfig, context: 'prod' })).toBe('https://192.0.2.2');
    expect(serverOf({ kubeconfig, cluster: 'prod' })).toBe('https://192.0.2.2');
    expect(chooseCluster({ kubeconfig }, NOWHERE).namespace).toBe('default');
  });

  test('comes from all files of KUBECONFIG: the first one with a name wins, a missing one is passed over', () => {
    const one = write('three', { dev: { server: 'https://192.0.2.3' } }, '');
    const two = write('four', { dev: { server: 'https://192.0.2.4' }, prod: { server: 'https://192.0.2.5' } }, 'prod');
    const env = { KUBECONFIG: [join(folder, 'missing'), one, two].join(delimiter) };
    expect(serverOf({}, env)).toBe('https://192.0.2.5');
    expect(serverOf({ context: 'dev' }, env)).toBe('https://192.0.2.3');
    // --kubeconfig replaces them.
    expect(() => serverOf({ context: 'prod', kubeconfig: one }, env)).toThrow('there is no context prod');
  });

  test.each<[string, ClusterOptions, Record<string, string>, string]>([
    ['a missing file', { kubeconfig: '/missing/config' }, {}, 'cannot read the kubeconfig /missing/config: ENOENT'],
    [
      'missing files',
      {},
      { KUBECONFIG: '/missing/a:/missing/b' },
      'none of the files of KUBECONFIG exists: /missing/a, ',
    ],
    ['no file at all', {}, { HOME: '/missing' }, 'there is no kubeconfig: name one by --kubeconfig or KUBECONFIG'],
  ])('%s is an error that names it', (_what, options, env, message) => {
    expect(() => chooseCluster(options, { env, canAsk: false })).toThrow(message);
  });

  test('a wrong name is an error that says where the names are', () => {
    const kubeconfig = write('five', { dev: {} });
    expect(() => chooseCluster({ kubeconfig, context: 'x' }, NOWHERE)).toThrow(
      'no context x in the kubeconfig: see kubectl',
    );
    expect(() => chooseCluster({ kubeconfig, cluster: 'x' }, NOWHERE)).toThrow(
      'no cluster x in the kubeconfig: see kubectl',
    );
    expect(() => chooseCluster({ kubeconfig, user: 'x' }, NOWHERE)).toThrow('no user x in the kubeconfig: see kubectl');
    const none = write('six', { dev: {} }, '');
    expect(() => chooseCluster({ kubeconfig: none }, NOWHERE)).toThrow('no cluster is chosen: set a current context');
  });

  test('a file that is no YAML is an error with its name', () => {
    const kubeconfig = join(folder, 'broken');
    writeFileSync(kubeconfig, 'clusters: [');
    expect(() => chooseCluster({ kubeconfig }, NOWHERE)).toThrow(`cannot read the kubeconfig ${kubeconfig}: `);
  });
});

describe('the user', () => {
  test('acts as another one, with groups', async () => {
    const server = await answering();
    const kubeconfig = write('as', { dev: { server: server.url } });
    const headers = await headersSent({ kubeconfig, as: 'jane', asGroup: ['ops', 'shop'], asUid: '7' }, server);
    expect(headers).toMatchObject({
      'impersonate-user': 'jane',
      'impersonate-group': 'ops, shop',
      'impersonate-uid': '7',
      authorization: 'Bearer token-dev',
    });
    expect(() => chooseCluster({ kubeconfig, asGroup: ['ops'] }, NOWHERE)).toThrow('--as-group and --as-uid need --as');
  });
});

describe('a proxy', () => {
  /** A proxy that leads all tunnels to `server`, and the names that it was asked for. */
  async function startProxy(server: TestServer): Promise<{ url: string; tunnels: string[] }> {
    const tunnels: string[] = [];
    const sockets = new Set<Socket>();
    const proxy = createServer((socket) => {
      sockets.add(socket);
      socket
        .on('error', () => undefined)
        .once('data', (head) => {
          tunnels.push(/^CONNECT (\S+) /.exec(head.toString())?.[1] ?? '');
          const behind = connect(Number(new URL(server.url).port), '127.0.0.1', () => {
            socket.write('HTTP/1.1 200 OK\r\n\r\n');
            socket.pipe(behind).pipe(socket);
          });
          behind.on('error', () => undefined);
          sockets.add(behind);
        });
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    afterwards(async () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, 'close');
    });
    return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, tunnels };
  }

  test('of the kubeconfig leads to the cluster', async () => {
    const server = await answering();
    const { url, tunnels } = await startProxy(server);
    await headersSent({ kubeconfig: write('proxy', { dev: { server: server.url, proxy: url } }) }, server);
    expect(tunnels).toEqual([new URL(server.url).host]);
  });

  test.each([
    ['leads to the cluster', 'https://localhost.localdomain:6443', '', true],
    ['is not for a server that NO_PROXY names', 'https://api.example.com:6443', '.example.com', false],
    ['is not for a server on this machine', 'https://127.0.0.1:6443', '', false],
    ['is not for localhost', 'https://localhost:6443', '', false],
  ])('of the environment %s', (_what, server, noProxy, isUsed) => {
    vi.stubEnv('HTTPS_PROXY', 'http://proxy.example.com:3128');
    vi.stubEnv('NO_PROXY', noProxy);
    const { source } = chooseCluster({ kubeconfig: write('environment', { dev: { server } }) }, NOWHERE);
    expect(source.getCurrentCluster()?.proxyUrl).toBe(isUsed ? 'http://proxy.example.com:3128' : undefined);
  });
});
