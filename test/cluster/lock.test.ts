import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withLock } from './lock.ts';

let dir: string;
let path: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lock-'));
  path = join(dir, 'lock');
});

afterEach(async () => {
  await rm(dir, { recursive: true });
});

test('waits for a holder that is alive', async () => {
  const order: string[] = [];
  const first = Promise.withResolvers<undefined>();
  const entered = Promise.withResolvers<undefined>();
  const firstDone = withLock(path, async () => {
    entered.resolve(undefined);
    await first.promise;
    order.push('first');
  });
  await entered.promise;
  const secondDone = withLock(path, () => {
    order.push('second');
    return Promise.resolve();
  });
  first.resolve(undefined);
  await Promise.all([firstDone, secondDone]);
  expect(order).toEqual(['first', 'second']);
});

test('takes over from a holder that is dead', async () => {
  // No process can have this id: it is beyond every system's limit.
  await writeFile(path, String(2 ** 30));
  await expect(withLock(path, () => Promise.resolve('done'))).resolves.toBe('done');
});

test('is free again after a failure, and leaves no file', async () => {
  await expect(withLock(path, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await readdir(dir)).toEqual([]);
});
