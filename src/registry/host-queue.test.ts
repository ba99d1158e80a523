import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createHostQueue } from './host-queue.ts';
import type { HostQueueConfig } from './host-queue.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

it('starts no task and keeps no timer after a stop', async () => {
  const queue = createHostQueue({ concurrency: 1, perHost: 1, now: Date.now });
  const ran: string[] = [];
  const task = (name: string) => () => {
    ran.push(name);
    return Promise.resolve();
  };
  queue.pause('paused.example', 1000);
  queue.add('paused.example', task('waiting'));
  await queue.stop();
  queue.add('other.example', task('late'));
  queue.pause('other.example', 1000);
  await vi.advanceTimersByTimeAsync(5000);
  expect(ran).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

/** A queue whose tasks the test completes; `ran` is the order in which they started. */
function startQueue(config: Partial<HostQueueConfig>) {
  const queue = createHostQueue({ concurrency: 4, perHost: 2, now: Date.now, ...config });
  const ran: string[] = [];
  const ends = new Map<string, () => void>();
  function add(name: string): void {
    const [owner = '', host = ''] = name.split(' ');
    const task = () => new Promise<void>((done) => void (ran.push(name), ends.set(name, done)));
    queue.add(host, task, owner);
  }
  async function end(name: string): Promise<void> {
    ends.get(name)?.();
    await vi.advanceTimersByTimeAsync(0);
  }
  return { queue, ran, add, end };
}

it('prefers the owner with the fewest running tasks, within the limits', async () => {
  const { ran, add, end } = startQueue({ concurrency: 4, perHost: 2, perOwner: 3 });
  for (const name of ['a h1 1', 'a h1 2', 'a h1 3', 'a h2 4', 'a h3 5', 'b h1 6', 'b h4 7', 'b h4 8']) add(name);
  expect(ran).toEqual(['a h1 1', 'a h1 2', 'a h2 4', 'b h4 7']);
  await end('a h1 1');
  expect(ran.at(-1)).toBe('b h1 6');
  add('c h9 9');
  await end('a h1 2');
  expect(ran.at(-1)).toBe('c h9 9');
  await end('b h4 7');
  expect(ran.at(-1)).toBe('a h1 3');
});

it('an owner with many slow hosts does not delay other owners', () => {
  const { ran, add } = startQueue({ concurrency: 8, perHost: 4, perOwner: 6 });
  for (let n = 0; n < 200; n += 1) add(`hostile slow-${n % 100} ${n}`);
  expect(ran).toHaveLength(6);
  add('shop r 1');
  add('bank r 2');
  expect(ran.slice(6)).toEqual(['shop r 1', 'bank r 2']);
});

it('gives each owner its turn, however many others come first with many tasks', async () => {
  const { ran, add, end } = startQueue({ concurrency: 4, perHost: 4, perOwner: 2 });
  for (let n = 0; n < 1500; n += 1) add(`hostile-${n % 30} silent-${n} ${n}`);
  add('shop r 1');
  add('shop r 2');
  for (let ended = 0; ended < 62; ended += 1) await end(ran[ended] ?? '');
  // Four begin at once; then each of the 30 has one turn before shop has its first, and one before its second.
  expect(ran.indexOf('shop r 1')).toBe(4 + 30);
  expect(ran.indexOf('shop r 2')).toBe(4 + 30 + 1 + 30);
  expect(new Set(ran.slice(4, 34).map((name) => name.split(' ')[0])).size).toBe(30);
});

it('forgets owners without tasks', async () => {
  const { queue, ran, add, end } = startQueue({ concurrency: 1, perHost: 1 });
  for (const name of ['a r 1', 'b r 2']) add(name);
  queue.add('r', () => Promise.resolve(), 'c')();
  expect(queue.stats()).toEqual({ queued: 1, running: 1 });
  for (const name of ['a r 1', 'b r 2']) await end(name);
  expect(ran).toEqual(['a r 1', 'b r 2']);
  expect(queue.stats()).toEqual({ queued: 0, running: 0 });
});

it('limits the number of pauses', () => {
  const queue = createHostQueue({ concurrency: 1, perHost: 1, now: Date.now });
  for (let n = 0; n < 2000; n += 1) queue.pause(`${n}.example`, 3_600_000);
  expect(vi.getTimerCount()).toBe(1000);
  expect(queue.pausedUntil('0.example')).toBeUndefined();
  expect(queue.pausedUntil('1999.example')).toBe(3_600_000);
});

it('removes a waiting task', async () => {
  const queue = createHostQueue({ concurrency: 1, perHost: 1, now: Date.now });
  const ran: string[] = [];
  let finish = () => {};
  queue.add('a', () => new Promise((done) => (finish = done)));
  const remove = queue.add('a', () => Promise.resolve(void ran.push('removed')));
  queue.add('a', () => Promise.resolve(void ran.push('kept')));
  remove();
  finish();
  await vi.advanceTimersByTimeAsync(0);
  expect(ran).toEqual(['kept']);
  expect(queue.stats()).toEqual({ queued: 0, running: 0 });
});
