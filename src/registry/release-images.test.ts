// Which answers the resolver keeps for the images of a release, and for how long.
import { describe, expect, it, vi } from 'vitest';
import { failed, flush, request, resolved, useResolvers } from './digest-resolver-testing.ts';
import { createKeyring } from './credentials.ts';
import type { DigestRequest } from './types.ts';

const start = useResolvers();

describe('a release with several images', () => {
  const minute = 60_000;

  it('keeps its answers as long as others are pending', async () => {
    const { resolver, calls, settle } = start({ perHost: 1 });
    const images = ['a:1', 'b:1', 'c:1'];
    const look = () => images.map((image) => resolver.lookup(request(image)).state);
    look();
    await flush();
    for (let answered = 1; answered <= 3; answered += 1) {
      await vi.advanceTimersByTimeAsync(2 * minute);
      await settle(resolved());
      expect(look()).toEqual(images.map((_, n) => (n < answered ? 'resolved' : 'pending')));
    }
    expect(calls).toHaveLength(3);
    // Another release asks again; so does the same release for another version.
    expect(resolver.lookup(request('a:1', 'shop/other')).state).toBe('pending');
    await vi.advanceTimersByTimeAsync(minute);
    expect(look()).toEqual(['pending', 'pending', 'pending']);
  });

  it('asks again if another image failed meanwhile', async () => {
    const { resolver, settle } = start();
    resolver.lookup(request('app:latest'));
    resolver.lookup(request('missing:1'));
    await flush();
    await settle(resolved(), 0);
    await settle(failed('NotFound'), 1);
    await vi.advanceTimersByTimeAsync(minute);
    expect(resolver.lookup(request('app:latest')).state).toBe('pending');
  });
});

describe('an image that a release no longer has', () => {
  it('is no longer requested', async () => {
    const { resolver, calls, changes, settle } = start({ concurrency: 1 });
    for (let edit = 0; edit < 1000; edit += 1) {
      const images = ['kept:1', `a:${edit}`, `b:${edit}`].map((image) => request(image));
      resolver.retain('shop/web', images);
      images.map(resolver.lookup);
    }
    expect(resolver.stats()).toEqual({ entries: 3, queued: 2, running: 1 });
    await flush();
    await settle(resolved());
    await settle(resolved());
    await settle(resolved());
    expect(calls.map(({ reference }) => reference.text)).toEqual(['kept:1', 'a:999', 'b:999']);
    // Three answers, and two requests that begin after they waited.
    expect(changes).toEqual(Array(5).fill('shop/web'));
  });

  it('is still requested while another release has it', async () => {
    const { resolver, calls } = start({ concurrency: 1 });
    for (const image of ['first:1', 'shared:1']) {
      for (const key of ['shop/a', 'shop/b']) resolver.lookup(request(image, key));
    }
    resolver.retain('shop/a', []);
    expect(resolver.stats().entries).toBe(2);
    resolver.retain('shop/b', []);
    expect(resolver.stats().entries).toBe(0);
    await flush();
    expect(calls).toHaveLength(1);
  });

  it('counts as another image if the pull secrets change', () => {
    const { resolver } = start({ concurrency: 1 });
    for (let edit = 0; edit < 100; edit += 1) {
      const wanted = request('app:1', 'shop/web', { podSpec: { imagePullSecrets: [{ name: `s${edit}` }] } });
      resolver.retain('shop/web', [wanted]);
      resolver.lookup(wanted);
    }
    expect(resolver.stats().entries).toBe(1);
  });

  it('is dropped together with its failure', async () => {
    const { resolver, settle } = start();
    for (let edit = 0; edit < 100; edit += 1) {
      const wanted = request(`app:${edit}`);
      resolver.retain('shop/web', [wanted]);
      resolver.lookup(wanted);
      await flush();
      await settle(failed('RegistryUnavailable', 3600));
    }
    expect(resolver.stats().entries).toBe(1);
    expect(vi.getTimerCount()).toBe(1);
  });
});

it('a waiting request keeps only the fields of a template that decide about credentials', async () => {
  const seen: DigestRequest[] = [];
  const { resolver } = start({
    loadCredentials: (given) => {
      seen.push(given);
      return Promise.resolve(createKeyring([]));
    },
  });
  const names = Array.from({ length: 1000 }, (_, n) => ({ name: `s${n}` }));
  const podSpec = { imagePullSecrets: names, serviceAccount: 'x'.repeat(100_000), containers: [{ name: 'app' }] };
  resolver.lookup(request('app:1', 'shop/web', { podSpec }));
  await flush();
  expect(JSON.stringify(seen).length).toBeLessThan(2000);
});
