import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { KubeError } from './errors.ts';
import { createWorkQueue, type WorkQueue } from './work-queue.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** Handlers that the test completes. */
function gate() {
  const started: string[] = [];
  const running = new Map<string, PromiseWithResolvers<undefined>>();
  return {
    started,
    running: () => [...running.keys()],
    handler: (key: string): Promise<undefined> => {
      started.push(key);
      expect(running.has(key)).toBe(false);
      const held = Promise.withResolvers<undefined>();
      running.set(key, held);
      return held.promise;
    },
    end: async (key: string, error?: Error): Promise<void> => {
      const held = running.get(key);
      running.delete(key);
      if (error) held?.reject(error);
      else held?.resolve(undefined);
      await vi.advanceTimersByTimeAsync(0);
    },
  };
}

/** Runs keys at once and records them. */
function recorder(queue: WorkQueue, workers = 1): string[] {
  const handled: string[] = [];
  void queue.run(
    (key) => {
      handled.push(key);
      return Promise.resolve(undefined);
    },
    { workers },
  );
  return handled;
}

describe('order', () => {
  test('first come, first served, each key once', async () => {
    const queue = createWorkQueue();
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(queue.depth()).toBe(3);
    const handled = recorder(queue);
    await vi.advanceTimersByTimeAsync(0);
    expect(handled).toEqual(['a', 'b', 'c']);
  });

  test('high priority may have workers besides', async () => {
    const queue = createWorkQueue();
    const { handler, running, end } = gate();
    void queue.run(handler, { workers: 1, urgentWorkers: 2 });
    for (const key of ['a', 'b']) queue.add(key);
    for (const key of ['c', 'd']) queue.add(key, { priority: 'high' });
    expect(running()).toEqual(['a', 'c']);
    await end('c');
    expect(running()).toEqual(['a', 'd']);
    await end('a');
    expect(running()).toEqual(['d']);
    await end('d');
    expect(running()).toEqual(['b']);
  });

  test('high priority goes first, and raises a key that waits', async () => {
    const queue = createWorkQueue();
    for (const key of ['a', 'b', 'c']) queue.add(key);
    queue.add('c', { priority: 'high' });
    queue.add('d', { priority: 'high' });
    queue.add('d');
    const handled = recorder(queue);
    await vi.advanceTimersByTimeAsync(0);
    expect(handled).toEqual(['c', 'd', 'a', 'b']);
  });

  test('a key has one worker at a time, and is handled again if it was added meanwhile', async () => {
    const queue = createWorkQueue();
    const gates = gate();
    void queue.run(gates.handler, { workers: 2 });
    queue.add('a');
    queue.add('a');
    queue.add('a', { priority: 'high' });
    queue.add('b');
    queue.add('c');
    expect(gates.running()).toEqual(['a', 'b']);
    await gates.end('a');
    expect(gates.running()).toEqual(['b', 'a']);
    await gates.end('a');
    expect(gates.running()).toEqual(['b', 'c']);
    expect(queue.depth()).toBe(0);
  });

  test('high priority interrupts the handler of its key, and no other', async () => {
    const queue = createWorkQueue();
    const { handler, running, end } = gate();
    const interruptions: AbortSignal[] = [];
    void queue.run(
      (key, interruption) => {
        interruptions.push(interruption);
        return handler(key);
      },
      { workers: 3 },
    );
    for (const key of ['a', 'b']) queue.add(key);
    queue.add('a');
    expect(interruptions.map(({ aborted }) => aborted)).toEqual([false, false]);
    queue.add('a', { priority: 'high' });
    expect(interruptions.map(({ aborted }) => aborted)).toEqual([true, false]);
    await end('a');
    expect(running()).toEqual(['b', 'a']);
    expect(interruptions.map(({ aborted }) => aborted)).toEqual([true, false, false]);
  });
});

describe('delays', () => {
  test('among several delayed adds only the earliest counts', async () => {
    const queue = createWorkQueue();
    const handled = recorder(queue);
    queue.addAfter('a', 1000);
    queue.addAfter('a', 5000);
    queue.addAfter('a', 500);
    await vi.advanceTimersByTimeAsync(499);
    expect(handled).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(handled).toEqual(['a']);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(handled).toEqual(['a']);
  });

  test('a delay of zero, and one of a year', async () => {
    const queue = createWorkQueue();
    const handled = recorder(queue);
    queue.addAfter('now', 0);
    queue.addAfter('year', 365 * 24 * 3600_000);
    await vi.advanceTimersByTimeAsync(1000);
    expect(handled).toEqual(['now']);
  });

  test('a rate-limited add can be forgotten', () => {
    const queue = createWorkQueue();
    queue.addRateLimited('a');
    queue.addRateLimited('a');
    expect(queue.retries('a')).toBe(2);
    queue.forget('a');
    expect(queue.retries('a')).toBe(0);
  });
});

describe('results', () => {
  test('a failing key is retried with growing delays, up to the maximum, until it succeeds', async () => {
    const failed: unknown[] = [];
    const queue = createWorkQueue({ maxDelayMs: 40, onError: (key, error) => failed.push([key, error]) });
    const times: number[] = [];
    const error = new Error('no');
    void queue.run(
      () => {
        times.push(performance.now());
        return times.length < 7 ? Promise.reject(error) : Promise.resolve(undefined);
      },
      { workers: 1 },
    );
    queue.add('a');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(times.slice(1).map((time, index) => time - (times[index] ?? 0))).toEqual([5, 10, 20, 40, 40, 40]);
    expect(failed).toEqual(Array(6).fill(['a', error]));
    expect(queue.retries('a')).toBe(0);
  });

  test('an error has its minimum delay and backs off; a new add of its key does not wait', async () => {
    const queue = createWorkQueue({ leastDelayMs: () => 20 });
    const times: number[] = [];
    void queue.run(
      () => {
        times.push(performance.now());
        return Promise.reject(new Error('no'));
      },
      { workers: 1 },
    );
    queue.add('a');
    await vi.advanceTimersByTimeAsync(150);
    expect(times.slice(1).map((time, index) => time - (times[index] ?? 0))).toEqual([20, 20, 20, 40]);
    expect(queue.retries('a')).toBe(5);
    queue.add('a');
    await vi.advanceTimersByTimeAsync(0);
    expect(times).toHaveLength(6);
  });

  test('a key waits as long as the server asks', async () => {
    const queue = createWorkQueue();
    const fields = { code: 429, reason: 'TooManyRequests', message: '', verb: 'get', path: '/', retryAfterSeconds: 3 };
    const handler = vi.fn().mockRejectedValueOnce(new KubeError(fields)).mockResolvedValue(undefined);
    void queue.run(handler, { workers: 1 });
    queue.add('a');
    await vi.advanceTimersByTimeAsync(2999);
    expect(handler).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(handler).toHaveBeenCalledTimes(2);
  });

  test('a new add of a key waits as long as the API server asks, unless its priority is high', async () => {
    const queue = createWorkQueue();
    const fields = { code: 429, reason: 'TooManyRequests', message: '', verb: 'get', path: '/', retryAfterSeconds: 3 };
    const handler = vi.fn(() => {
      queue.add('a');
      throw new KubeError(fields);
    });
    void queue.run(handler, { workers: 1 });
    queue.add('a');
    await vi.advanceTimersByTimeAsync(2000);
    queue.add('a');
    await vi.advanceTimersByTimeAsync(999);
    expect(handler).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(handler).toHaveBeenCalledTimes(2);
    queue.add('a', { priority: 'high' });
    await vi.advanceTimersByTimeAsync(0);
    expect(handler).toHaveBeenCalledTimes(3);
  });

  test('an add that was due earlier waits as long as the API server asks', async () => {
    const queue = createWorkQueue();
    const fields = { code: 429, reason: 'TooManyRequests', message: '', verb: 'get', path: '/', retryAfterSeconds: 3 };
    const handler = vi.fn().mockRejectedValueOnce(new KubeError(fields)).mockResolvedValue(undefined);
    void queue.run(handler, { workers: 1 });
    queue.addAfter('a', 1000);
    queue.add('a');
    await vi.advanceTimersByTimeAsync(2999);
    expect(handler).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(handler).toHaveBeenCalledTimes(2);
  });

  test('a delayed add does not shorten the time that the API server asks for', async () => {
    const queue = createWorkQueue();
    const fields = { code: 429, reason: 'TooManyRequests', message: '', verb: 'get', path: '/', retryAfterSeconds: 3 };
    const handler = vi.fn().mockRejectedValueOnce(new KubeError(fields)).mockResolvedValue(undefined);
    void queue.run(handler, { workers: 1 });
    queue.add('a');
    await vi.advanceTimersByTimeAsync(0);
    queue.addAfter('a', 50);
    await vi.advanceTimersByTimeAsync(2999);
    expect(handler).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(handler).toHaveBeenCalledTimes(2);
  });

  test('a handler can request its key again', async () => {
    const queue = createWorkQueue();
    const handler = vi.fn().mockResolvedValueOnce({ requeueAfterMs: 1000 }).mockResolvedValue(undefined);
    void queue.run(handler, { workers: 1 });
    queue.add('a');
    await vi.advanceTimersByTimeAsync(5000);
    expect(handler).toHaveBeenCalledTimes(2);
  });
});

describe('shutdown', () => {
  test('finishes running keys and drops waiting ones', async () => {
    const queue = createWorkQueue();
    const gates = gate();
    const run = vi.fn();
    void queue.run(gates.handler, { workers: 1 }).then(run);
    for (const key of ['a', 'b']) queue.add(key);
    queue.addAfter('c', 10);
    queue.add('a');
    const shut = vi.fn();
    void queue.shutDown().then(shut);
    queue.add('d');
    queue.addAfter('d', 10);
    await vi.advanceTimersByTimeAsync(1000);
    expect(shut).not.toHaveBeenCalled();
    await gates.end('a', new Error('no'));
    expect(shut).toHaveBeenCalled();
    expect(run).toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1000);
    expect(gates.started).toEqual(['a']);
    expect(queue.depth()).toBe(0);
  });

  test('an idle queue ends at once', async () => {
    const queue = createWorkQueue();
    const run = queue.run(() => Promise.resolve(undefined), { workers: 1 });
    await queue.shutDown();
    await run;
  });
});

test('metrics', async () => {
  const told: string[] = [];
  const queue = createWorkQueue({
    metrics: {
      depth: (keys) => told.push(`depth ${keys}`),
      latency: (seconds) => told.push(`latency ${seconds}`),
      workDuration: (seconds) => told.push(`duration ${seconds}`),
      retry: () => told.push('retry'),
    },
  });
  queue.add('a');
  await vi.advanceTimersByTimeAsync(2000);
  const gates = gate();
  void queue.run(gates.handler, { workers: 1 });
  await vi.advanceTimersByTimeAsync(3000);
  await gates.end('a', new Error('no'));
  expect(told).toEqual(['depth 1', 'depth 0', 'latency 2', 'retry', 'duration 3']);
});

test('in random sequences no key is lost, and no key has two handlers at a time', async () => {
  const step = fc.oneof(
    fc.record({ what: fc.constant('add' as const), key: fc.constantFrom('a', 'b', 'c'), high: fc.boolean() }),
    fc.record({ what: fc.constant('after' as const), key: fc.constantFrom('a', 'b', 'c'), ms: fc.nat(50) }),
    fc.record({ what: fc.constant('end' as const), fails: fc.boolean() }),
    fc.record({ what: fc.constant('wait' as const), ms: fc.nat(100) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), async (steps, workers) => {
      const queue = createWorkQueue({ maxDelayMs: 20 });
      const gates = gate();
      void queue.run(gates.handler, { workers });
      /** How many handlings of a key had started at its last add. */
      const owed = new Map<string, number>();
      const begun = (key: string) => gates.started.filter((each) => each === key).length;
      for (const each of steps) {
        if (each.what === 'add' || each.what === 'after') owed.set(each.key, begun(each.key));
        if (each.what === 'add') queue.add(each.key, { priority: each.high ? 'high' : 'normal' });
        if (each.what === 'after') queue.addAfter(each.key, each.ms);
        if (each.what === 'wait') await vi.advanceTimersByTimeAsync(each.ms);
        const [first] = gates.running();
        if (each.what === 'end' && first) await gates.end(first, each.fails ? new Error('no') : undefined);
        expect(gates.running().length).toBeLessThanOrEqual(workers);
      }
      await vi.advanceTimersByTimeAsync(100);
      while (gates.running().length > 0) {
        for (const key of gates.running()) await gates.end(key);
        await vi.advanceTimersByTimeAsync(100);
      }
      for (const [key, before] of owed) expect(begun(key)).toBeGreaterThan(before);
      await queue.shutDown();
    }),
    { numRuns: 200 },
  );
});
