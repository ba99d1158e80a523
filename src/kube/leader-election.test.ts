import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { sleep } from './backoff.ts';
import { KubeError } from './errors.ts';
import { createLeaderElection, type LeaderElection, type LeaderElectionOptions } from './leader-election.ts';
import type { Lease } from './lease.ts';
import type { KubeClient, Live, RequestOptions } from './types.ts';

/** An API server with one Lease. Each candidate can be disconnected from it. */
function leaseServer() {
  let stored: Live<Lease> | undefined;
  let version = 0;
  const cut = new Set<string>();
  let answerMs = 0;

  function refuse(code: number, reason: string): Promise<never> {
    return Promise.reject(new KubeError({ code, reason, message: reason, verb: '', path: '' }));
  }

  function store(lease: Lease): Promise<Live<Lease>> {
    const metadata = { name: 'op', uid: 'u', creationTimestamp: '', resourceVersion: String(++version) };
    stored = structuredClone({ ...lease, apiVersion: '', kind: 'Lease', metadata });
    return Promise.resolve(structuredClone(stored));
  }

  function client(name: string): Pick<KubeClient, 'get' | 'create' | 'update'> {
    const candidate = {
      get: () => {
        if (cut.has(name)) return refuse(0, 'ConnectionFailed');
        return stored ? Promise.resolve(structuredClone(stored)) : refuse(404, 'NotFound');
      },
      create: (_resource: unknown, lease: Lease) => {
        if (cut.has(name)) return refuse(0, 'ConnectionFailed');
        return stored ? refuse(409, 'AlreadyExists') : store(lease);
      },
      update: async (_resource: unknown, lease: Live<Lease>, { signal }: RequestOptions = {}) => {
        if (cut.has(name)) return refuse(0, 'ConnectionFailed');
        if (!stored) return refuse(404, 'NotFound');
        if (lease.metadata.resourceVersion !== stored.metadata.resourceVersion) return refuse(409, 'Conflict');
        const written = await store(lease);
        if (answerMs > 0) await sleep(answerMs, signal ?? new AbortController().signal);
        return signal?.aborted ? refuse(0, 'Aborted') : written;
      },
    };
    return candidate as unknown as Pick<KubeClient, 'get' | 'create' | 'update'>;
  }

  return {
    client,
    cut,
    spec: () => stored?.spec,
    /** A write by somebody else. */
    write: (spec: Lease['spec']) => store({ ...(spec ? { spec } : {}) }),
    remove: () => (stored = undefined),
    /** Writes are applied at once; their answers take this long. */
    answerAfter: (ms: number) => (answerMs = ms),
  };
}

let server: ReturnType<typeof leaseServer>;
let log: string[];
const elections: LeaderElection[] = [];

function candidate(identity: string, options: Partial<LeaderElectionOptions> = {}): LeaderElection {
  const election = createLeaderElection({
    client: server.client(identity),
    lease: { namespace: 'system', name: 'op' },
    identity,
    onStartedLeading: (signal) => {
      log.push(`${identity} leads`);
      signal.addEventListener('abort', () => log.push(`${identity} must end`));
    },
    onStoppedLeading: (why) => {
      log.push(`${identity} ${why}`);
    },
    ...options,
  });
  elections.push(election);
  election.start();
  return election;
}

beforeEach(() => {
  vi.useFakeTimers();
  server = leaseServer();
  log = [];
});

afterEach(async () => {
  const stopped = Promise.all(elections.splice(0).map((election) => election.stop()));
  await vi.advanceTimersByTimeAsync(20_000);
  await stopped;
  vi.useRealTimers();
});

const step = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('a term', () => {
  test('the first candidate creates the lease, renews it, and keeps it', async () => {
    const one = candidate('one');
    await step(0);
    expect(one.isLeader()).toBe(true);
    expect(server.spec()).toMatchObject({ holderIdentity: 'one', leaseDurationSeconds: 15, leaseTransitions: 0 });
    const { acquireTime } = server.spec() ?? {};
    expect(acquireTime).toMatch(/T\d\d:\d\d:\d\d\.\d{6}Z$/);
    const two = candidate('two');
    await step(120_000);
    expect([one.isLeader(), two.isLeader(), two.leader()]).toEqual([true, false, 'one']);
    expect(server.spec()?.acquireTime).toBe(acquireTime);
    expect(Date.now() - Date.parse(server.spec()?.renewTime ?? '')).toBeLessThanOrEqual(2000);
    expect(log).toEqual(['one leads']);
  });

  test('is released on a stop: the next candidate does not wait for the lease to expire', async () => {
    const one = candidate('one');
    await step(0);
    const two = candidate('two');
    await step(5000);
    const stopped = one.stop();
    await step(0);
    await stopped;
    expect(server.spec()?.holderIdentity).toBeUndefined();
    expect(one.isLeader()).toBe(false);
    await step(4400);
    expect(two.isLeader()).toBe(true);
    expect(server.spec()).toMatchObject({ holderIdentity: 'two', leaseTransitions: 1 });
    expect(log).toEqual(['one leads', 'one must end', 'one stopped', 'two leads']);
  });

  test('a stop renews the lease until running work has finished', async () => {
    const work = Promise.withResolvers<undefined>();
    const one = candidate('one', { onStoppedLeading: () => work.promise });
    await step(0);
    const two = candidate('two');
    const stopped = one.stop();
    await step(60_000);
    expect([one.isLeader(), two.isLeader()]).toEqual([true, false]);
    work.resolve(undefined);
    await step(0);
    await stopped;
    await step(4400);
    expect(two.isLeader()).toBe(true);
  });

  test('is released if the stop comes during the acquisition, and nobody leads', async () => {
    await server.write({ leaseDurationSeconds: 1 });
    server.answerAfter(500);
    const one = candidate('one');
    await step(100);
    const stopped = one.stop();
    await step(5_000);
    await stopped;
    expect(server.spec()?.holderIdentity).toBeUndefined();
    expect(server.spec()?.leaseTransitions).toBe(1);
    expect(log).toEqual([]);
  });

  test('is also released if the work ends during a renewal', async () => {
    const work = Promise.withResolvers<undefined>();
    const one = candidate('one', { onStoppedLeading: () => work.promise });
    await step(0);
    const stopped = one.stop();
    server.answerAfter(500);
    // The renewal is applied; its answer is pending.
    await step(2_100);
    work.resolve(undefined);
    await step(5_000);
    await stopped;
    expect(server.spec()?.holderIdentity).toBeUndefined();
  });
});

describe('losing it', () => {
  test('a leader that cannot renew gives up before another takes over', async () => {
    const one = candidate('one');
    await step(0);
    const two = candidate('two');
    await step(6000);
    server.cut.add('one');
    await step(7900);
    expect(one.isLeader()).toBe(true);
    await step(2200);
    expect([one.isLeader(), two.isLeader()]).toEqual([false, false]);
    expect(log).toEqual(['one leads', 'one must end', 'one lost']);
    await step(20_000);
    expect([one.isLeader(), two.isLeader()]).toEqual([false, true]);
    server.cut.delete('one');
    await step(60_000);
    expect(one.isLeader()).toBe(false);
    expect(one.leader()).toBe('two');
  });

  test('a short failure is survived', async () => {
    const one = candidate('one');
    await step(0);
    server.cut.add('one');
    await step(7000);
    server.cut.delete('one');
    await step(30_000);
    expect(one.isLeader()).toBe(true);
    expect(log).toEqual(['one leads']);
  });

  test('the leader keeps a lease that was deleted or changed by somebody else', async () => {
    const one = candidate('one');
    await step(0);
    server.remove();
    await step(3000);
    await server.write({ ...server.spec(), leaseDurationSeconds: 99 });
    await step(30_000);
    expect(one.isLeader()).toBe(true);
    expect(log).toEqual(['one leads']);
  });

  test('a lease that another candidate has acquired is lost at once', async () => {
    const one = candidate('one');
    await step(0);
    await server.write({ holderIdentity: 'thief', leaseDurationSeconds: 15 });
    await step(2000);
    expect(one.isLeader()).toBe(false);
    expect(log).toEqual(['one leads', 'one must end', 'one lost']);
  });

  test('a process that was frozen detects the loss before it does anything', async () => {
    const one = candidate('one');
    await step(5000);
    // Nothing ran meanwhile: the clocks have advanced, and the timers are late.
    vi.setSystemTime(Date.now() + 12_000);
    expect(one.isLeader()).toBe(false);
    await step(2000);
    expect(log.slice(0, 3)).toEqual(['one leads', 'one must end', 'one lost']);
  });

  test('the guard stops work that is still finishing when the leadership is lost', async () => {
    const work = Promise.withResolvers<undefined>();
    const one = candidate('one', { onStoppedLeading: () => work.promise });
    await step(0);
    const stopped = one.stop();
    server.cut.add('one');
    await step(11_000);
    expect(one.isLeader()).toBe(false);
    work.resolve(undefined);
    await stopped;
    expect(server.spec()?.holderIdentity).toBe('one');
  });
});

describe('taking over', () => {
  test('requires that the lease is unchanged for its whole duration by the local clock, whatever its times say', async () => {
    const long = '2001-01-01T00:00:00.000000Z';
    await server.write({ holderIdentity: 'dead', leaseDurationSeconds: 15, renewTime: long, acquireTime: long });
    const one = candidate('one');
    await step(14_900);
    expect(one.isLeader()).toBe(false);
    await step(4500);
    expect(one.isLeader()).toBe(true);
    expect(server.spec()).toMatchObject({ holderIdentity: 'one', leaseTransitions: 1 });
  });

  test('needs no wait for a holder that is known to have ended', async () => {
    await server.write({ holderIdentity: 'pod-1_before', leaseDurationSeconds: 15 });
    const other = candidate('pod-2_now', { hasEnded: (holder) => holder.startsWith('pod-2_') });
    const next = candidate('pod-1_now', { hasEnded: (holder) => holder.startsWith('pod-1_') });
    await step(0);
    expect([other.isLeader(), next.isLeader()]).toEqual([false, true]);
    expect(server.spec()).toMatchObject({ holderIdentity: 'pod-1_now', leaseTransitions: 1 });
  });

  test('exactly one of many candidates wins', async () => {
    const all = ['a', 'b', 'c', 'd'].map((identity) => candidate(identity));
    await step(10_000);
    expect(all.filter((election) => election.isLeader())).toHaveLength(1);
  });

  test('a callback that throws is reported and ends nothing', async () => {
    const errors: unknown[] = [];
    const one = candidate('one', {
      onStartedLeading: () => {
        throw new Error('no');
      },
      onError: (error) => errors.push(error),
    });
    await step(30_000);
    expect(one.isLeader()).toBe(true);
    expect(errors).toHaveLength(1);
  });
});

test('inconsistent durations are refused', () => {
  expect(() => candidate('one', { renewDeadlineMs: 20_000 })).toThrow(RangeError);
});
