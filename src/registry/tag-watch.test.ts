// The operator detects moved tags.
import { describe, expect, it, vi } from 'vitest';
import { DIGEST, failed, OTHER, request, resolved, useResolvers } from './digest-resolver-testing.ts';

const start = useResolvers();

describe('recheck', () => {
  const hour = 3_600_000;

  it('is off by default', async () => {
    const { resolver, calls } = start();
    expect(resolver.recheck(request('app:1'), DIGEST)).toEqual({ state: 'unknown' });
    await vi.advanceTimersByTimeAsync(48 * hour);
    expect(calls).toEqual([]);
  });

  it('reports a tag that moved, and that moved back, and nothing else', async () => {
    const { resolver, calls, changes, settle } = start({ recheckIntervalMs: hour });
    const check = () => resolver.recheck(request('app:1'), DIGEST);
    expect(check()).toEqual({ state: 'unknown' });
    await vi.advanceTimersByTimeAsync(hour / 2);
    await settle(resolved());
    expect(check()).toEqual({ state: 'same', checkedAt: hour / 2 });
    expect(changes).toEqual([]);

    await vi.advanceTimersByTimeAsync(hour);
    await settle(resolved(OTHER));
    expect(check()).toEqual({ state: 'moved', checkedAt: 1.5 * hour, digest: OTHER });
    expect(changes).toEqual(['shop/web']);

    await vi.advanceTimersByTimeAsync(hour);
    await settle(failed('RegistryUnavailable'));
    expect(check()).toMatchObject({ state: 'moved', checkedAt: 1.5 * hour });

    await vi.advanceTimersByTimeAsync(hour);
    await settle(resolved());
    expect(changes).toEqual(['shop/web', 'shop/web']);

    resolver.forget('shop/web');
    await vi.advanceTimersByTimeAsync(4 * hour);
    expect(calls).toHaveLength(4);
    expect(resolver.stats().entries).toBe(0);
  });

  it('ends for a release that is forgotten during a check', async () => {
    const { resolver, calls, changes, settle } = start({ recheckIntervalMs: hour });
    resolver.recheck(request('app:1'), DIGEST);
    await vi.advanceTimersByTimeAsync(hour / 2);
    resolver.forget('shop/web');
    await settle(resolved(OTHER));
    await vi.advanceTimersByTimeAsync(4 * hour);
    expect(calls).toHaveLength(1);
    expect(changes).toEqual([]);
  });

  it('ends for a tag that the release no longer has', async () => {
    const { resolver, calls, settle } = start({ recheckIntervalMs: hour });
    for (let edit = 0; edit < 1000; edit += 1) {
      const wanted = request(`app:${edit}`);
      resolver.retain('shop/web', [wanted]);
      resolver.recheck(wanted, DIGEST);
    }
    resolver.recheck(request('app:998', 'shop/other'), DIGEST);
    expect(resolver.stats().entries).toBe(2);
    await vi.advanceTimersByTimeAsync(hour / 2);
    await settle(resolved(), 0);
    await settle(resolved(), 1);
    expect(calls.map(({ reference }) => reference.text).toSorted()).toEqual(['app:998', 'app:999']);
    resolver.forget('shop/web');
    resolver.forget('shop/other');
    expect(resolver.stats().entries).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('never checks an image by digest', async () => {
    const { resolver, calls } = start({ recheckIntervalMs: hour });
    expect(resolver.recheck(request(`app:1@${DIGEST}`), DIGEST)).toEqual({ state: 'unknown' });
    await vi.advanceTimersByTimeAsync(4 * hour);
    expect(calls).toEqual([]);
  });
});
