import { Client } from 'undici';
import { expect, test } from 'vitest';
import { isConnectionClosed } from './errors.ts';

test('a request on a closed connection fails with the error that the process ignores', async () => {
  const client = new Client('http://127.0.0.1:9');
  await client.destroy();
  const error: unknown = await client.request({ path: '/', method: 'GET' }).catch((reason: unknown) => reason);
  expect(isConnectionClosed(error)).toBe(true);
  expect(isConnectionClosed(new Error('a bug'))).toBe(false);
});
