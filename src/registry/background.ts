import { fingerprint } from './authorization.ts';
import { failPaused } from './failures.ts';
import { createHostQueue } from './host-queue.ts';
import { createLruMap } from './lru.ts';
import type { LoadCredentials } from './pull-secrets.ts';
import { serviceAccountOf } from './pull-secrets.ts';
import { parseReference } from './reference.ts';
import type { ResolveDigest } from './resolver.ts';
import { createTagWatch } from './tag-watch.ts';
import type {
  DigestRequest,
  DigestResolver,
  Keyring,
  Lookup,
  Reference,
  Resolution,
  ResolutionEvent,
  ResolutionFailure,
  Resolved,
} from './types.ts';

export interface DigestResolverConfig {
  readonly resolve: ResolveDigest;
  readonly loadCredentials: LoadCredentials;
  /** The answer for this key is another one now: look it up again. Must only enqueue. */
  readonly onChange: (key: string) => void;
  /** Resolutions at the same time; default 8. */
  readonly concurrency?: number;
  /** Resolutions at the same time for one registry; default 4. */
  readonly perHost?: number;
  /** How long an answer serves further lookups; default 60,000 ms. What must last longer is recorded by the caller. */
  readonly cacheMs?: number;
  /** Answers that are kept at most; default 10,000. */
  readonly maxAnswers?: number;
  /** Wait before the first retry, doubled for each further one; defaults 1,000 ms up to 300,000 ms. */
  readonly backoffMs?: { readonly initial: number; readonly max: number };
  /** How often to check whether pinned tags have moved; default 0: never. */
  readonly recheckIntervalMs?: number;
  readonly onResolution?: (event: ResolutionEvent) => void;
  readonly now?: () => number;
  /** 0 ≤ random() < 1 */
  readonly random?: () => number;
}

/** A resolution that is not finished: it waits, runs, or failed and will be tried again. */
interface Attempt {
  readonly id: string;
  readonly reference: Reference;
  readonly request: DigestRequest;
  /** Who looked since the last failure: what nobody asks for any more is not tried again. */
  readonly keys: Set<string>;
  failures: number;
  failure?: ResolutionFailure;
  retryAt?: number;
  timer?: NodeJS.Timeout;
  unqueue?: () => void;
}

interface Answer extends Resolved {
  readonly expiresAt: number;
}

// A registry that asks for more patience than this is asked anyway: the person who waits may have fixed it.
const MAX_RETRY_AFTER_MS = 3_600_000;

/** Resolves digests beside the work queue's workers. See DigestResolver. */
export function createDigestResolver(config: DigestResolverConfig): DigestResolver {
  const { resolve, loadCredentials, onChange, onResolution, now = Date.now, random = Math.random } = config;
  const { concurrency = 8, perHost = 4, cacheMs = 60_000, maxAnswers = 10_000 } = config;
  const { backoffMs = { initial: 1000, max: 300_000 }, recheckIntervalMs = 0 } = config;

  const queue = createHostQueue({ concurrency, perHost, now });
  const attempts = new Map<string, Attempt>();
  const answers = createLruMap<Answer>(maxAnswers);
  const flights = new Map<string, Promise<Resolution>>();
  const tags = createTagWatch({ intervalMs: recheckIntervalMs, ask: askInQueue, onChange, now, random });
  const stopping = new AbortController();

  function lookup(request: DigestRequest): Lookup {
    const reference = parseReference(request.image);
    if (reference.kind === 'invalid') {
      return { state: 'failed', reason: 'InvalidReference', message: reference.message, retryable: false };
    }
    if (reference.digest !== undefined) {
      return { state: 'resolved', pinned: reference.text, digest: reference.digest, platforms: [] };
    }
    const id = identify(request);
    const answer = answers.get(id);
    if (answer !== undefined && answer.expiresAt > now()) return toLookup(answer);

    const attempt = attempts.get(id) ?? begin(id, reference, request);
    attempt.keys.add(request.key);
    return describeAttempt(attempt);
  }

  function begin(id: string, reference: Reference, request: DigestRequest): Attempt {
    const attempt: Attempt = { id, reference, request, keys: new Set(), failures: 0 };
    if (stopping.signal.aborted) return attempt;
    attempts.set(id, attempt);
    enqueue(attempt);
    return attempt;
  }

  function enqueue(attempt: Attempt): void {
    attempt.unqueue = queue.add(attempt.reference.registry, () => run(attempt));
  }

  function describeAttempt({ failure, retryAt, reference: { registry, text } }: Attempt): Lookup {
    if (failure !== undefined) return failedLookup(failure, retryAt);
    const until = queue.pausedUntil(registry);
    return until === undefined
      ? { state: 'pending' }
      : failedLookup(failPaused({ image: text, registry }, until), until);
  }

  async function run(attempt: Attempt): Promise<void> {
    const result = await ask(attempt.reference, attempt.request);
    if (attempts.get(attempt.id) !== attempt) return;
    const keys = [...attempt.keys];
    if (result.kind === 'resolved') {
      attempts.delete(attempt.id);
      answers.set(attempt.id, { ...result, expiresAt: now() + cacheMs });
    } else {
      planRetry(attempt, result);
    }
    for (const key of keys) onChange(key);
  }

  function planRetry(attempt: Attempt, failure: ResolutionFailure): void {
    const delay = retryDelay(attempt.failures, failure);
    attempt.keys.clear();
    attempt.failure = failure;
    attempt.failures += 1;
    attempt.retryAt = now() + delay;
    attempt.timer = setTimeout(() => {
      if (attempt.keys.size > 0) enqueue(attempt);
      else attempts.delete(attempt.id);
    }, delay);
    attempt.timer.unref();
  }

  /** Half of the backoff is random, so that many releases do not come back at once; never before Retry-After. */
  function retryDelay(failures: number, { retryAfterSeconds = 0 }: ResolutionFailure): number {
    const backoff = Math.min(backoffMs.initial * 2 ** failures, backoffMs.max);
    const asked = Math.min(retryAfterSeconds * 1000, MAX_RETRY_AFTER_MS);
    return Math.max((backoff * (1 + random())) / 2, asked);
  }

  function askInQueue(reference: Reference, request: DigestRequest): Promise<Resolution> {
    return new Promise((settle) => {
      queue.add(reference.registry, async () => {
        settle(await ask(reference, request));
      });
    });
  }

  async function ask(reference: Reference, request: DigestRequest): Promise<Resolution> {
    const start = now();
    const { registry } = reference;
    const keyring = await loadCredentials(request, stopping.signal);
    const result = keyring.kind === 'failed' ? keyring : await share(reference, keyring);
    const outcome = result.kind === 'resolved' ? 'resolved' : result.reason;
    onResolution?.({ registry, outcome, seconds: (now() - start) / 1000 });
    if (result.kind === 'failed' && outcome === 'TooManyRequests') {
      queue.pause(registry, now() + retryDelay(0, result));
      tellWaiting(registry);
    }
    return result;
  }

  function tellWaiting(registry: string): void {
    for (const { reference, failure, keys } of attempts.values()) {
      if (reference.registry === registry && failure === undefined) for (const key of keys) onChange(key);
    }
  }

  /** Requests that differ in nothing that matters to the registry, such as their namespace, share one resolution. */
  function share(reference: Reference, keyring: Keyring): Promise<Resolution> {
    const id = JSON.stringify([reference.text, keyring.notes, keyring.candidates(reference).map(fingerprint)]);
    const underWay = flights.get(id);
    if (underWay !== undefined) return underWay;
    const flight = resolve(reference, { keyring, signal: stopping.signal }).finally(() => flights.delete(id));
    flights.set(id, flight);
    return flight;
  }

  function drop(attempt: Attempt): void {
    attempt.unqueue?.();
    clearTimeout(attempt.timer);
    attempts.delete(attempt.id);
  }

  return {
    lookup,
    recheck(request, pinnedDigest) {
      const reference = parseReference(request.image);
      if (reference.kind === 'invalid' || stopping.signal.aborted) return { state: 'unknown' };
      return tags.recheck(identify(request), reference, request, pinnedDigest);
    },
    forget(key) {
      tags.forget(key);
      for (const attempt of attempts.values()) {
        if (attempt.keys.delete(key) && attempt.keys.size === 0) drop(attempt);
      }
    },
    stats: () => ({ entries: attempts.size + answers.size() + tags.size(), ...queue.stats() }),
    async stop() {
      stopping.abort();
      tags.stop();
      for (const attempt of attempts.values()) drop(attempt);
      await queue.stop();
    },
  };
}

/** Equal for requests that must have the same answer: the image as written, and where its credentials come from. */
function identify({ image, namespace, podSpec }: DigestRequest): string {
  const secrets = (podSpec.imagePullSecrets ?? []).map(({ name }) => name ?? '');
  return JSON.stringify([image, namespace, serviceAccountOf(podSpec), secrets]);
}

function failedLookup({ kind: _kind, ...failure }: ResolutionFailure, retryAt: number | undefined): Lookup {
  return { state: 'failed', ...failure, ...(retryAt !== undefined && { retryAt }) };
}

function toLookup({ pinned, digest, mediaType, platforms }: Answer): Lookup {
  return { state: 'resolved', pinned, digest, ...(mediaType !== undefined && { mediaType }), platforms };
}
