import { expect, test } from 'vitest';
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
