import { once } from 'node:events';
import { createServer, connect, type AddressInfo } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  failure,
  KEY,
  makeCertificate,
  sendEvent,
  sendJson,
  sendStatus,
  testConfig,
  useServers,
  WIDGET,
  WIDGETS,
  type Answer,
  type Certificate,
} from './testing.ts';
import type { KubeClient } from './types.ts';

const { serve, connectTo, afterwards } = useServers();
const WATCH = { resourceVersion: '5', timeoutSeconds: 300, idleTimeoutMs: 10_000 };

const ok: Answer = (_request, response) => {
  sendJson(response, WIDGET);
};

describe('connections', () => {
  let certificate: Certificate;
  let clientCertificate: Certificate;

  beforeAll(() => {
    certificate = makeCertificate();
    clientCertificate = makeCertificate('operator');
  });

  async function inParallel(client: KubeClient, count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => client.get(WIDGETS, KEY)));
  }

  test('many requests share one HTTP/2 connection, watches have another', async () => {
    const server = await serve(({ url }, response) => {
      if (url.searchParams.has('watch')) sendEvent(response, 'ADDED', WIDGET);
      else sendJson(response, WIDGET);
    }, certificate);
    const client = connectTo(testConfig(server.url, { tls: { ca: certificate.cert } }));
    await inParallel(client, 150);
    expect(server.sockets).toHaveLength(1);
    expect(new Set(server.requests.map(({ httpVersion }) => httpVersion))).toEqual(new Set(['2.0']));
    for (let count = 0; count < 2; count++) {
      const events = client.watch(WIDGETS, WATCH)[Symbol.asyncIterator]();
      await events.next();
    }
    expect(server.sockets).toHaveLength(2);
  });

  test('a server without HTTP/2 gets a bounded pool', async () => {
    const server = await serve(ok, { ...certificate, http1Only: true });
    const client = connectTo(testConfig(server.url, { tls: { ca: certificate.cert } }));
    await inParallel(client, 100);
    expect(server.requests).toHaveLength(100);
    // The first connection only negotiated the protocol.
    expect(server.sockets.length).toBeGreaterThan(2);
    expect(server.sockets.length).toBeLessThanOrEqual(17);
  });

  test('concurrent watches over HTTP/1.1 do not wait for each other', async () => {
    const server = await serve(
      (_request, response) => {
        sendEvent(response, 'ADDED', WIDGET);
      },
      { ...certificate, http1Only: true },
    );
    const client = connectTo(testConfig(server.url, { tls: { ca: certificate.cert } }));
    const watches = Array.from({ length: 20 }, () => client.watch(WIDGETS, WATCH)[Symbol.asyncIterator]());
    const first = await Promise.all(watches.map((watch) => watch.next()));
    expect(first.every(({ done }) => done === false)).toBe(true);
  });

  test('the certificate authority is checked', async () => {
    const server = await serve(ok, certificate);
    const error = await failure(connectTo(testConfig(server.url)).get(WIDGETS, KEY));
    expect(error).toMatchObject({ reason: 'ConnectionFailed' });
    const other = connectTo(testConfig(server.url, { tls: { ca: clientCertificate.cert } }));
    expect(await failure(other.get(WIDGETS, KEY))).toMatchObject({ reason: 'ConnectionFailed' });
    const trusting = connectTo(testConfig(server.url, { tls: { rejectUnauthorized: false } }));
    await expect(trusting.get(WIDGETS, KEY)).resolves.toEqual(WIDGET);
  });

  test('the certificate must have the configured server name', async () => {
    const named = makeCertificate('api.example.com');
    const server = await serve(ok, named);
    const url = server.url.replace('127.0.0.1', 'localhost');
    const tls = { ca: named.cert, servername: 'api.example.com' };
    await expect(connectTo(testConfig(url, { tls })).get(WIDGETS, KEY)).resolves.toEqual(WIDGET);
    expect(await failure(connectTo(testConfig(url, { tls: { ca: named.cert } })).get(WIDGETS, KEY))).toMatchObject({
      reason: 'ConnectionFailed',
    });
  });

  test('a client certificate, and its renewal', async () => {
    const server = await serve(
      (_request, response) => {
        sendStatus(response, 401, 'Unauthorized');
      },
      { ...certificate, requestCert: true, rejectUnauthorized: false },
    );
    const tls = { ca: certificate.cert, cert: clientCertificate.cert, key: clientCertificate.key };
    const config = testConfig(server.url, { tls });
    const client = connectTo(config);
    expect(await failure(client.get(WIDGETS, KEY))).toMatchObject({ code: 401 });
    const renewed = makeCertificate('renewed');
    Object.assign(tls, renewed, { ca: certificate.cert });
    expect(await failure(client.get(WIDGETS, KEY))).toMatchObject({ code: 401 });
    expect(server.clients).toEqual(['operator', 'renewed']);
  });

  test('a silent connection is replaced, even with pending requests', async () => {
    let silent = true;
    const server = await serve((_request, response) => {
      if (!silent) sendJson(response, WIDGET);
    }, certificate);
    const client = connectTo(testConfig(server.url, { tls: { ca: certificate.cert } }));
    const hanging = failure(client.get(WIDGETS, KEY, { timeoutMs: 300 }));
    expect(await failure(client.get(WIDGETS, KEY, { timeoutMs: 50 }))).toMatchObject({ reason: 'ClientTimeout' });
    silent = false;
    await expect(client.get(WIDGETS, KEY)).resolves.toEqual(WIDGET);
    expect(server.sockets).toHaveLength(2);
    expect(await hanging).toMatchObject({ reason: 'ClientTimeout' });
  });

  test('a slow request beside fast ones keeps the connection', async () => {
    const server = await serve(({ url }, response) => {
      if (!url.pathname.endsWith('slow')) sendJson(response, WIDGET);
    }, certificate);
    const client = connectTo(testConfig(server.url, { tls: { ca: certificate.cert } }));
    await client.get(WIDGETS, KEY);
    // Long enough for an answer in between on a busy machine, too.
    const slow = failure(client.get(WIDGETS, { ...KEY, name: 'slow' }, { timeoutMs: 1_000 }));
    await client.get(WIDGETS, KEY);
    expect(await slow).toMatchObject({ reason: 'ClientTimeout' });
    await client.get(WIDGETS, KEY);
    expect(server.sockets).toHaveLength(1);
  });

  test('a dropped connection is opened again', async () => {
    const server = await serve(ok, certificate);
    const client = connectTo(testConfig(server.url, { tls: { ca: certificate.cert } }));
    await client.get(WIDGETS, KEY);
    server.sockets[0]?.destroy();
    await client.get(WIDGETS, KEY).catch(() => client.get(WIDGETS, KEY));
    expect(server.sockets).toHaveLength(2);
  });

  test('a proxy', async () => {
    const server = await serve(ok, certificate);
    const proxy = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (head) => {
        const [, host, port] = /^CONNECT ([^:]+):(\d+)/.exec(head.toString()) ?? [];
        const upstream = connect(Number(port), host, () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n');
          socket.pipe(upstream).pipe(socket);
        });
        upstream.on('error', () => socket.destroy());
      });
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    afterwards(async () => {
      proxy.close();
      await once(proxy, 'close');
    });
    const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const client = connectTo(testConfig(server.url, { tls: { ca: certificate.cert }, proxyUrl }));
    await expect(client.get(WIDGETS, KEY)).resolves.toEqual(WIDGET);
  });
});
