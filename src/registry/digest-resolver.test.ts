// Resolutions run in the background with backoff, not in the workers.
import { describe, expect, it, vi } from 'vitest';
import { DIGEST, failed, flush, request, resolved, useResolvers } from './digest-resolver-testing.ts';
import { createKeyring } from './credentials.ts';
import { basicCredential } from './testing.ts';
import type { DigestRequest, Keyring, Resolution } from './types.ts';

const start = useResolvers();

describe('lookup', () => {
  it('is pending until the registry answers, and then reports the answer', async () => {
    const { resolver, calls, changes, settle } = start();
    expect(resolver.lookup(request('app:1'))).toEqual({ state: 'pending' });
    expect(resolver.lookup(request('app:1'))).toEqual({ state: 'pending' });
    await flush();
    expect(calls).toHaveLength(1);
    expect(changes).toEqual([]);
    await settle(resolved());
    expect(changes).toEqual(['shop/web']);
    expect(resolver.lookup(request('app:1'))).toEqual({
      state: 'resolved',
      pinned: `app:1@${DIGEST}`,
      digest: DIGEST,
      mediaType: 'm',
      platforms: [{ digest: DIGEST }],
    });
    expect(calls).toHaveLength(1);
  });

  it('needs no request for a digest or an invalid reference', () => {
    const { resolver } = start();
    expect(resolver.lookup(request(`app:1@${DIGEST}`))).toEqual({
      state: 'resolved',
      pinned: `app:1@${DIGEST}`,
      digest: DIGEST,
      platforms: [],
    });
    const invalid = resolver.lookup(request('App'));
    expect(invalid).toMatchObject({ state: 'failed', reason: 'InvalidReference', retryable: false });
    expect(invalid).not.toHaveProperty('retryAt');
    expect(resolver.stats()).toEqual({ entries: 0, queued: 0, running: 0 });
  });

  it('asks again when an answer is too old', async () => {
    const { resolver, calls, settle } = start({ cacheMs: 1000 });
    resolver.lookup(request('app:1'));
    await flush();
    await settle(resolved());
    await vi.advanceTimersByTimeAsync(999);
    expect(resolver.lookup(request('app:1')).state).toBe('resolved');
    await vi.advanceTimersByTimeAsync(1);
    expect(resolver.lookup(request('app:1')).state).toBe('pending');
    await flush();
    expect(calls).toHaveLength(2);
  });

  it('notifies every waiting release once', async () => {
    const { resolver, calls, changes, settle } = start();
    for (const key of ['shop/a', 'shop/b', 'shop/a']) resolver.lookup(request('app:1', key));
    await flush();
    await settle(resolved());
    expect(calls).toHaveLength(1);
    expect(changes).toEqual(['shop/a', 'shop/b']);
  });

  it('limits the memory for answers', async () => {
    const { resolver, settle } = start({ maxAnswerBytes: 2000 });
    for (const image of ['a:1', 'b:1', 'c:1']) {
      resolver.lookup(request(image));
      await flush();
      await settle(resolved());
    }
    expect(resolver.stats().entries).toBe(2);
    expect(['b:1', 'c:1', 'a:1'].map((image) => resolver.lookup(request(image)).state)).toEqual([
      'resolved',
      'resolved',
      'pending',
    ]);
  });
});

describe('credentials', () => {
  function startWith(credentials: (request: DigestRequest) => string) {
    const notes: readonly string[] = [];
    return start({
      loadCredentials: (wanted) => {
        const credential = basicCredential('me', credentials(wanted));
        return Promise.resolve(createKeyring([{ location: 'r.example', credential }], notes));
      },
    });
  }

  it('are loaded for the request and passed to the resolution', async () => {
    const wanted = request('r.example/app:1', 'shop/web', { podSpec: { imagePullSecrets: [{ name: 's' }] } });
    const seen: DigestRequest[] = [];
    const keyring: Keyring = createKeyring([], ['a note']);
    const { resolver, calls } = start({
      loadCredentials: (given) => {
        seen.push(given);
        return Promise.resolve(keyring);
      },
    });
    resolver.lookup(wanted);
    await flush();
    expect(seen).toEqual([wanted]);
    expect(calls[0]?.options.keyring).toBe(keyring);
  });

  it('that are equal share one request to the registry, across namespaces', async () => {
    const { resolver, calls, changes, settle } = startWith(() => 'same');
    resolver.lookup(request('r.example/app:1', 'a/web', { namespace: 'a' }));
    resolver.lookup(request('r.example/app:1', 'b/web', { namespace: 'b' }));
    await flush();
    expect(calls).toHaveLength(1);
    await settle(resolved());
    expect(changes).toEqual(['a/web', 'b/web']);
  });

  it('that differ cause separate requests', async () => {
    const { resolver, calls } = startWith(({ namespace }) => namespace);
    resolver.lookup(request('r.example/app:1', 'a/web', { namespace: 'a' }));
    resolver.lookup(request('r.example/app:1', 'b/web', { namespace: 'b' }));
    await flush();
    expect(calls).toHaveLength(2);
  });

  it('are distinguished by the names of the pull secrets and the service account', async () => {
    const { resolver, calls } = startWith(({ podSpec }) => JSON.stringify(podSpec));
    for (const podSpec of [
      {},
      { serviceAccountName: 'a' },
      { serviceAccount: 'a' },
      { serviceAccountName: 'default' },
      { imagePullSecrets: [{ name: 'a' }] },
      { imagePullSecrets: [{ name: 'b' }] },
    ]) {
      resolver.lookup(request('r.example/app:1', 'shop/web', { podSpec }));
    }
    await flush();
    expect(calls).toHaveLength(4);
  });

  it('that cannot be loaded are a failure that is retried', async () => {
    const { resolver, calls, changes } = start({ loadCredentials: () => Promise.resolve(failed('InvalidPullSecret')) });
    resolver.lookup(request('app:1'));
    await flush();
    expect(changes).toEqual(['shop/web']);
    expect(resolver.lookup(request('app:1'))).toMatchObject({ state: 'failed', reason: 'InvalidPullSecret' });
    await vi.advanceTimersByTimeAsync(1000);
    expect(changes).toEqual(['shop/web', 'shop/web']);
    expect(calls).toEqual([]);
  });
});

describe('a failure', () => {
  it('is returned until a retry succeeds; the delays double up to the limit', async () => {
    const { resolver, calls, changes, settle } = start({ backoffMs: { initial: 1000, max: 5000 } });
    resolver.lookup(request('app:1'));
    await flush();
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      await settle(failed('NotFound'));
      expect(changes).toHaveLength(attempt);
      const lookup = resolver.lookup(request('app:1'));
      if (lookup.state !== 'failed' || lookup.retryAt === undefined) throw new Error(lookup.state);
      expect(lookup).toMatchObject({ reason: 'NotFound', message: 'because NotFound', retryable: true });
      const wait = lookup.retryAt - Date.now();
      waits.push(wait);
      await vi.advanceTimersByTimeAsync(wait - 1);
      expect(calls).toHaveLength(attempt);
      await vi.advanceTimersByTimeAsync(1);
      expect(calls).toHaveLength(attempt + 1);
      // The condition does not flap during a retry.
      expect(resolver.lookup(request('app:1')).state).toBe('failed');
    }
    expect(waits).toEqual([750, 1500, 3000, 3750, 3750]);
    await settle(resolved());
    expect(resolver.lookup(request('app:1')).state).toBe('resolved');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(calls).toHaveLength(6);
  });

  it('is jittered by at most half', async () => {
    for (const [value, wait] of [
      [0, 500],
      [0.999, 999.5],
    ] as const) {
      const { resolver, settle } = start({ random: () => value });
      const at = Date.now();
      resolver.lookup(request('app:1'));
      await flush();
      await settle(failed('NotFound'));
      expect(resolver.lookup(request('app:1'))).toMatchObject({ retryAt: at + wait });
    }
  });

  it('is not retried when nobody asks any more', async () => {
    const { resolver, calls, settle } = start();
    resolver.lookup(request('app:1'));
    await flush();
    await settle(failed('NotFound'));
    await vi.advanceTimersByTimeAsync(600_000);
    expect(calls).toHaveLength(1);
    expect(resolver.stats()).toEqual({ entries: 0, queued: 0, running: 0 });
  });

  it('waits for Retry-After, but no longer than an hour', async () => {
    const { resolver, settle } = start();
    for (const [image, seconds, wait] of [
      ['a.example/a:1', 120, 120_000],
      ['b.example/b:1', 1_000_000, 3_600_000],
      ['c.example/c:1', 0, 750],
    ] as const) {
      resolver.lookup(request(image));
      await flush();
      await settle(failed('RegistryUnavailable', seconds));
      expect(resolver.lookup(request(image))).toMatchObject({ retryAfterSeconds: seconds, retryAt: Date.now() + wait });
    }
  });
});

describe('TooManyRequests', () => {
  it('pauses the whole host, but no other host', async () => {
    const { resolver, calls, settle } = start();
    resolver.lookup(request('busy.example/a:1'));
    await flush();
    await settle(failed('TooManyRequests', 60));

    resolver.lookup(request('busy.example/b:1'));
    resolver.lookup(request('other.example/c:1'));
    await flush();
    expect(calls.map(({ reference }) => reference.text)).toEqual(['busy.example/a:1', 'other.example/c:1']);
    expect(resolver.lookup(request('busy.example/b:1'))).toEqual({
      state: 'failed',
      reason: 'TooManyRequests',
      message: expect.stringMatching(
        /^Cannot resolve busy.example\/b:1: busy.example limits .* the operator asks again at 1970-01-01T00:01:00.000Z; credentials/,
      ) as string,
      retryable: true,
      retryAt: 60_000,
    });
    await vi.advanceTimersByTimeAsync(59_999);
    expect(calls).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(calls.at(-1)?.reference.text).toBe('busy.example/b:1');
  });

  it('is reported to requests that wait for the same host', async () => {
    const { resolver, changes, settle } = start({ perHost: 1 });
    resolver.lookup(request('busy.example/a:1', 'shop/a'));
    resolver.lookup(request('busy.example/b:1', 'shop/b'));
    resolver.lookup(request('other.example/c:1', 'shop/c'));
    await flush();
    expect(resolver.lookup(request('busy.example/b:1', 'shop/b'))).toMatchObject({ state: 'pending' });
    await settle(failed('TooManyRequests', 60), 0);
    expect(new Set(changes)).toEqual(new Set(['shop/a', 'shop/b']));
    expect(resolver.lookup(request('busy.example/b:1', 'shop/b'))).toMatchObject({ reason: 'TooManyRequests' });
  });

  it('received twice pauses for the longer time', async () => {
    const { resolver, calls, settle } = start();
    resolver.lookup(request('busy.example/a:1'));
    resolver.lookup(request('busy.example/b:1'));
    await flush();
    await settle(failed('TooManyRequests', 60), 0);
    await settle(failed('TooManyRequests', 10), 1);
    resolver.lookup(request('busy.example/c:1'));
    await vi.advanceTimersByTimeAsync(59_999);
    expect(calls).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(calls.at(-1)?.reference.text).toBe('busy.example/c:1');
  });
});

describe('limits', () => {
  it('apply in total and per registry, so that a hanging registry delays no other', async () => {
    const { resolver, calls, settle } = start({ concurrency: 3, perHost: 2 });
    for (const image of ['slow.example/1', 'slow.example/2', 'slow.example/3', 'a.example/1', 'a.example/2']) {
      resolver.lookup(request(image));
    }
    await flush();
    expect(calls.map(({ reference }) => reference.text)).toEqual(['slow.example/1', 'slow.example/2', 'a.example/1']);
    expect(resolver.stats()).toEqual({ entries: 5, queued: 2, running: 3 });
    await settle(resolved(), 2);
    expect(calls.at(-1)?.reference.text).toBe('a.example/2');
    await settle(resolved(), 0);
    expect(calls.at(-1)?.reference.text).toBe('slow.example/3');
  });
});

describe('a request that waits for its turn', () => {
  it('says so, and enqueues the release when it begins', async () => {
    const { resolver, calls, changes, settle } = start({ concurrency: 1 });
    expect(resolver.lookup(request('a:1', 'bank/a', { namespace: 'bank' }))).toEqual({ state: 'pending' });
    expect(resolver.lookup(request('b:1', 'shop/b'))).toEqual({ state: 'pending', isQueued: true });
    await flush();
    expect(changes).toEqual([]);
    await settle(resolved());
    expect(changes).toEqual(['bank/a', 'shop/b']);
    expect(resolver.lookup(request('b:1', 'shop/b'))).toEqual({ state: 'pending' });
    expect(calls.map(({ reference }) => reference.text)).toEqual(['a:1', 'b:1']);
  });

  it('enqueues no release that needs the image no longer', async () => {
    const { resolver, changes, settle } = start({ concurrency: 1 });
    resolver.lookup(request('a:1', 'bank/a', { namespace: 'bank' }));
    for (const key of ['shop/b', 'shop/c']) resolver.lookup(request('b:1', key));
    resolver.forget('shop/b');
    await flush();
    await settle(resolved());
    expect(changes).toEqual(['bank/a', 'shop/c']);
  });
});

it('1,500 references of many namespaces to silent hosts delay another namespace by one turn', async () => {
  const silent = () => new Promise<never>(() => undefined);
  let answered: number | undefined;
  const { resolver } = start({
    resolve: (reference) => {
      if (typeof reference !== 'string' && reference.registry === 'registry.example') {
        answered = Date.now();
        return Promise.resolve(resolved());
      }
      return Promise.race([silent(), new Promise<Resolution>((done) => setTimeout(done, 10_000, failed('NotFound')))]);
    },
  });
  for (let n = 0; n < 1500; n += 1) {
    const namespace = `hostile-${n % 100}`;
    resolver.lookup(request(`silent-${n}.example/app:1`, `${namespace}/web-${n}`, { namespace }));
  }
  expect(resolver.lookup(request('registry.example/app:1'))).toEqual({ state: 'pending', isQueued: true });
  await vi.advanceTimersByTimeAsync(1_800_000);
  // 100 namespaces, 16 at a time, 10 s each.
  expect(answered).toBeLessThanOrEqual(70_000);
});

describe('forget', () => {
  it('drops resolutions that nobody else waits for', async () => {
    const { resolver, calls, changes, settle } = start({ concurrency: 1 });
    resolver.lookup(request('a:1', 'shop/a'));
    resolver.lookup(request('b:1', 'shop/a'));
    resolver.lookup(request('c:1', 'shop/a'));
    resolver.lookup(request('c:1', 'shop/c'));
    await flush();
    resolver.forget('shop/a');
    await settle(resolved());
    expect(calls.map(({ reference }) => reference.text)).toEqual(['a:1', 'c:1']);
    // It waited, and has begun.
    expect(changes).toEqual(['shop/c']);
    await settle(resolved());
    expect(changes).toEqual(['shop/c', 'shop/c']);
  });

  it('makes the next lookup try at once', async () => {
    const { resolver, calls, settle } = start();
    resolver.lookup(request('app:1'));
    await flush();
    await settle(failed('Unauthorized'));
    expect(resolver.lookup(request('app:1')).state).toBe('failed');
    resolver.forget('shop/web');
    expect(resolver.lookup(request('app:1')).state).toBe('pending');
    await flush();
    expect(calls).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(calls).toHaveLength(2);
    await settle(resolved());
    expect(resolver.lookup(request('app:1')).state).toBe('resolved');
  });
});

describe('stop', () => {
  it('aborts running resolutions, waits for their end and notifies nobody', async () => {
    const { resolver, calls, changes, settle } = start({ recheckIntervalMs: 1000, concurrency: 1 });
    resolver.lookup(request('app:1'));
    resolver.lookup(request('queued:1'));
    resolver.recheck(request('other:1'), DIGEST);
    await vi.advanceTimersByTimeAsync(1000);
    let isStopped = false;
    const stopped = resolver.stop().then(() => (isStopped = true));
    await flush();
    expect(calls[0]?.options.signal?.aborted).toBe(true);
    expect(isStopped).toBe(false);
    await settle(failed('Aborted'));
    await stopped;
    expect(resolver.lookup(request('late:1'))).toEqual({ state: 'pending' });
    await vi.advanceTimersByTimeAsync(600_000);
    expect(calls).toHaveLength(1);
    expect(changes).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

it('reports each resolution for metrics', async () => {
  const events: unknown[] = [];
  const { resolver, settle } = start({ onResolution: (event) => events.push(event) });
  resolver.lookup(request('app:1'));
  await flush();
  await vi.advanceTimersByTimeAsync(250);
  await settle(failed('NotFound'));
  resolver.lookup(request('app:1'));
  await vi.advanceTimersByTimeAsync(750);
  await settle(resolved());
  expect(events).toEqual([
    { registry: 'docker.io', outcome: 'NotFound', seconds: 0.25 },
    { registry: 'docker.io', outcome: 'resolved', seconds: 0 },
  ]);
});
