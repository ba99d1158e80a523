import { expect, test } from 'vitest';
import { settlesBefore } from './interruption.ts';

test('work that settles first, also with an error, is awaited', async () => {
  const { signal } = new AbortController();
  expect(await settlesBefore(Promise.resolve(), signal)).toBe(true);
  expect(await settlesBefore(Promise.reject(new Error('no')), signal)).toBe(true);
});

test('an abort ends the wait, before it or during it', async () => {
  const controller = new AbortController();
  const wait = settlesBefore(new Promise(() => undefined), controller.signal);
  controller.abort();
  expect(await wait).toBe(false);
  expect(await settlesBefore(Promise.resolve(), controller.signal)).toBe(false);
});
