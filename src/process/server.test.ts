import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { expect, test, vi } from 'vitest';
import { servePages } from './server.ts';

test('serves its pages and nothing else', async () => {
  const server = await servePages(
    { host: '127.0.0.1', port: 0 },
    {
      '/readyz': () => ({ status: 503, body: 'not yet' }),
      '/metrics': () => Promise.resolve({ status: 200, body: 'a 1\n', contentType: 'text/plain; version=0.0.4' }),
      '/broken': () => Promise.reject(new Error('with a secret')),
    },
  );
  const ask = async (path: string, method = 'GET') => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
    return { status: answer.status, body: await answer.text(), type: answer.headers.get('content-type') };
  };
  try {
    expect(await ask('/readyz?verbose')).toEqual({ status: 503, body: 'not yet\n', type: 'text/plain; charset=utf-8' });
    expect(await ask('/metrics')).toEqual({ status: 200, body: 'a 1\n', type: 'text/plain; version=0.0.4' });
    expect(await ask('/metrics', 'POST')).toMatchObject({ status: 405 });
    expect(await ask('/toString')).toMatchObject({ status: 404 });
    expect(await ask('/broken')).toMatchObject({ status: 500, body: 'internal error\n' });
  } finally {
    await server.close();
  }
  await expect(ask('/readyz')).rejects.toThrow();
});

test('fails if the address is in use', async () => {
  const first = await servePages({ host: '127.0.0.1', port: 0 }, {});
  await expect(servePages({ host: '127.0.0.1', port: first.port }, {})).rejects.toThrow('EADDRINUSE');
  await first.close();
});

/** Opens connections that send this and then nothing; the number of them that the server has closed. */
async function holdOpen(port: number, count: number, text: string) {
  const sockets: Socket[] = [];
  let closed = 0;
  for (let n = 0; n < count; n += 1) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    socket.on('close', () => (closed += 1)).resume();
    await once(socket, 'connect');
    socket.write(text);
    sockets.push(socket);
  }
  return { closed: () => closed, end: () => sockets.map((socket) => socket.destroy()) };
}

const PAGES = { '/readyz': () => ({ status: 200, body: 'ok' }) };
const ADDRESS = { host: '127.0.0.1', port: 0 };

test.each(['', 'GET /readyz HTTP/1.1\r\nhost: a\r\nx: '])(
  'closes the oldest of many connections that send only %j, and answers a new one',
  async (text) => {
    const server = await servePages(ADDRESS, PAGES, { connections: 20, milliseconds: 60_000 });
    const held = await holdOpen(server.port, 50, text);
    await vi.waitFor(() => {
      expect(held.closed()).toBe(30);
    });
    expect((await fetch(`http://127.0.0.1:${server.port}/readyz`)).status).toBe(200);
    held.end();
    await server.close();
  },
);

test.each([
  ['says nothing', ''],
  ['never ends its headers', 'GET /readyz HTTP/1.1\r\nhost: a\r\n'],
  ['never ends its body', 'POST /readyz HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\na'],
])('closes a connection that %s', async (_, text) => {
  const server = await servePages(ADDRESS, PAGES, { connections: 20, milliseconds: 100 });
  const held = await holdOpen(server.port, 1, text);
  await vi.waitFor(
    () => {
      expect(held.closed()).toBe(1);
    },
    { timeout: 10_000 },
  );
  await server.close();
});
