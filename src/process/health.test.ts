import { expect, test } from 'vitest';
import { createHealth } from './health.ts';

test('is ready with filled caches, until it shuts down', () => {
  let synced = false;
  const health = createHealth({ hasSynced: () => synced });
  expect(health.readyz()).toEqual({ status: 503, body: 'the caches are not filled yet' });
  synced = true;
  expect(health.readyz().status).toBe(200);
  health.shutDown();
  expect(health.readyz()).toEqual({ status: 503, body: 'shutting down' });
  expect(health.healthz().status).toBe(200);
});

test('is not alive while a pass is stuck', async () => {
  let now = 0;
  const health = createHealth({ hasSynced: () => true, stuckAfterMs: 1000, now: () => now });
  const pass = Promise.withResolvers<string>();
  const watched = health.watch('shop/web', () => pass.promise);
  now = 1000;
  expect(health.healthz().status).toBe(200);
  now = 1001;
  expect(health.healthz()).toEqual({ status: 503, body: 'stuck at shop/web' });
  pass.resolve('done');
  expect(await watched).toBe('done');
  expect(health.healthz().status).toBe(200);
});

test('a failed pass counts as ended', async () => {
  let now = 0;
  const health = createHealth({ hasSynced: () => true, stuckAfterMs: 1000, now: () => now });
  await expect(health.watch('shop/web', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  now = 5000;
  expect(health.healthz().status).toBe(200);
});
