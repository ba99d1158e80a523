import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createHostQueue } from './host-queue.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

it('runs nothing and keeps no timer once it is stopped', async () => {
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

it('takes a task out again while it waits', async () => {
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
