/** For tests only: background resolvers with fake time, and a registry that the test controls. */

import { afterEach, beforeEach, vi } from 'vitest';
import { createDigestResolver } from './digest-resolver.ts';
import type { DigestResolverConfig } from './digest-resolver.ts';
import { createKeyring } from './credentials.ts';
import type { ResolveOptions } from './resolver.ts';
import type { DigestRequest, DigestResolver, Reference, Resolution, ResolutionFailure } from './types.ts';

export const DIGEST = `sha256:${'1'.repeat(64)}`;
export const OTHER = `sha256:${'2'.repeat(64)}`;

interface Call {
  readonly reference: Reference;
  readonly options: ResolveOptions;
  readonly settle: (result: Resolution) => Promise<void>;
}

/** Creates resolvers that are stopped after the test. Time passes only when the test advances it. */
export function useResolvers() {
  const started: DigestResolver[] = [];
  beforeEach(() => {
    vi.useFakeTimers({ now: 0 });
  });
  afterEach(() => {
    for (const resolver of started.splice(0)) void resolver.stop();
    vi.useRealTimers();
  });

  return function start(config: Partial<DigestResolverConfig> = {}) {
    const calls: Call[] = [];
    const changes: string[] = [];
    const resolver = createDigestResolver({
      resolve: (reference, options = {}) =>
        new Promise((done) => {
          if (typeof reference === 'string') throw new Error('a parsed reference was expected');
          const settle = async (result: Resolution) => {
            done(result);
            await flush();
          };
          calls.push({ reference, options, settle });
        }),
      loadCredentials: () => Promise.resolve(createKeyring([])),
      onChange: (key) => changes.push(key),
      random: () => 0.5,
      ...config,
    });
    started.push(resolver);
    return { resolver, calls, changes, settle: (result: Resolution, at = -1) => nth(calls, at).settle(result) };
  };
}

/** Lets all promises settle that can. */
export async function flush(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

function nth<T>(items: readonly T[], at: number): T {
  const item = items.at(at);
  if (item === undefined) throw new Error(`there is no item ${at} of ${items.length}`);
  return item;
}

export function request(image: string, key = 'shop/web', more: Partial<DigestRequest> = {}): DigestRequest {
  return { key, image, namespace: 'shop', podSpec: {}, ...more };
}

export function resolved(digest = DIGEST): Resolution {
  return { kind: 'resolved', pinned: `app:1@${digest}`, digest, mediaType: 'm', platforms: [{ digest }] };
}

export function failed(reason: ResolutionFailure['reason'], retryAfterSeconds?: number): ResolutionFailure {
  return {
    kind: 'failed',
    reason,
    message: `because ${reason}`,
    retryable: true,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
}
