import { createHash } from 'node:crypto';
import { createAnswers } from './answers.ts';
import { fingerprint } from './authorization.ts';
import { failPaused } from './failures.ts';
import { createHostQueue } from './host-queue.ts';
import type { LoadCredentials } from './pull-secrets.ts';
import { pullSpecOf, serviceAccountOf } from './pull-secrets.ts';
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
  /** The answer for this key has changed: look it up again. Must only enqueue. */
  readonly onChange: (key: string) => void;
  /** Resolutions at the same time; default 16. Each may keep a manifest in memory. */
  readonly concurrency?: number;
  /** Resolutions at the same time for one registry; default 4. */
  readonly perHost?: number;
  /** Resolutions at the same time for one namespace; default 4. */
  readonly perNamespace?: number;
  /** How long an answer serves further lookups; default 60,000 ms. The caller records answers that must last longer. */
  readonly cacheMs?: number;
  /** Memory limit for cached answers; default 32 MiB. */
  readonly maxAnswerBytes?: number;
  /** Wait before the first retry, doubled for each further one; defaults 1,000 ms up to 300,000 ms. */
  readonly backoffMs?: { readonly initial: number; readonly max: number };
  /** How often to check whether pinned tags have moved; default 0: never. */
  readonly recheckIntervalMs?: number;
  readonly onResolution?: (event: ResolutionEvent) => void;
  readonly now?: () => number;
  /** 0 ≤ random() < 1 */
  readonly random?: () => number;
}

/** A resolution that is not finished: it waits, runs, or failed and will be retried. */
interface Attempt {
  readonly id: string;
  readonly reference: Reference;
  readonly request: DigestRequest;
  /** The releases that need the image. */
  readonly askers: Set<string>;
  /** The releases that looked since the last failure. Without any, there is no retry. */
  readonly keys: Set<string>;
  /** Whether it waits for its turn, and the releases that know. */
  isQueued: boolean;
  readonly toldQueued: Set<string>;
  failures: number;
  failure?: ResolutionFailure;
  retryAt?: number;
  timer?: NodeJS.Timeout;
  unqueue?: () => void;
}

/**
 * The answers for the images of a release, which is recorded with all of them. Answers since its start stay. Otherwise,
 * with a slow registry, the resolver would ask for them in turns forever.
 */
interface Collection {
  readonly attempts: Set<Attempt>;
  since: number;
  answeredAt: number;
}

// A registry that asks for a longer wait is asked anyway: somebody may have fixed it.
const MAX_RETRY_AFTER_MS = 3_600_000;

/** Resolves digests in the background, outside the workers. See DigestResolver. */
export function createDigestResolver(config: DigestResolverConfig): DigestResolver {
  const { resolve, loadCredentials, onChange, onResolution, now = Date.now, random = Math.random } = config;
  const { concurrency = 16, perHost = 4, perNamespace = 4 } = config;
  const { cacheMs = 60_000, maxAnswerBytes = 32 * 1024 * 1024 } = config;
  const { backoffMs = { initial: 1000, max: 300_000 }, recheckIntervalMs = 0 } = config;

  const queue = createHostQueue({ concurrency, perHost, perOwner: perNamespace, now });
  // Unfinished resolutions and their failures are never dropped: the images of existing releases limit their number.
  // Answers may be dropped, and are then requested again.
  const attempts = new Map<string, Attempt>();
  const collections = new Map<string, Collection>();
  const answers = createAnswers({ maxBytes: maxAnswerBytes, freshMs: cacheMs, now });
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
    const collection = collections.get(request.key);
    const since = collection !== undefined && isCollecting(collection) ? collection.since : Infinity;
    const answer = answers.get(request.namespace, id, since);
    if (answer !== undefined) return toLookup(answer);

    const attempt = attempts.get(id) ?? begin(id, reference, request);
    join(attempt, request.key);
    return describeAttempt(attempt, request.key);
  }

  /** Whether further answers are pending, or the last one is recent. */
  function isCollecting({ attempts: own, answeredAt }: Collection): boolean {
    return answeredAt + cacheMs > now() || [...own].some(({ failure }) => failure === undefined);
  }

  function join(attempt: Attempt, key: string): void {
    attempt.keys.add(key);
    attempt.askers.add(key);
    if (stopping.signal.aborted) return;
    const collection = collections.get(key) ?? { since: 0, answeredAt: -Infinity, attempts: new Set() };
    collections.set(key, collection);
    if (!isCollecting(collection)) collection.since = now();
    collection.attempts.add(attempt);
  }

  function leave(attempt: Attempt, key: string): void {
    attempt.keys.delete(key);
    attempt.askers.delete(key);
    attempt.toldQueued.delete(key);
    collections.get(key)?.attempts.delete(attempt);
    if (attempt.askers.size === 0) drop(attempt);
  }

  function begin(id: string, reference: Reference, asked: DigestRequest): Attempt {
    const request = { ...asked, podSpec: pullSpecOf(asked.podSpec) };
    const attempt: Attempt = {
      id,
      reference,
      request,
      askers: new Set(),
      keys: new Set(),
      isQueued: false,
      toldQueued: new Set(),
      failures: 0,
    };
    if (stopping.signal.aborted) return attempt;
    attempts.set(id, attempt);
    enqueue(attempt);
    return attempt;
  }

  function enqueue(attempt: Attempt): void {
    attempt.isQueued = true;
    attempt.unqueue = queue.add(attempt.reference.registry, () => run(attempt), attempt.request.namespace);
  }

  function describeAttempt(attempt: Attempt, key: string): Lookup {
    const { failure, retryAt, reference } = attempt;
    const { registry, text } = reference;
    if (failure !== undefined) return failedLookup(failure, retryAt);
    const until = queue.pausedUntil(registry);
    if (until !== undefined) return failedLookup(failPaused({ image: text, registry }, until), until);
    if (!attempt.isQueued) return { state: 'pending' };
    attempt.toldQueued.add(key);
    return { state: 'pending', isQueued: true };
  }

  async function run(attempt: Attempt): Promise<void> {
    attempt.isQueued = false;
    for (const key of attempt.toldQueued) onChange(key);
    attempt.toldQueued.clear();
    const result = await ask(attempt.reference, attempt.request);
    if (attempts.get(attempt.id) !== attempt) return;
    const keys = [...attempt.keys];
    if (result.kind === 'resolved') {
      answers.set(attempt.request.namespace, attempt.id, result);
      for (const key of attempt.askers) {
        const collection = collections.get(key);
        // After a failure the other answers may be outdated.
        if (collection !== undefined && attempt.failures === 0) collection.answeredAt = now();
        leave(attempt, key);
      }
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
      else for (const key of attempt.askers) leave(attempt, key);
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
      const task = async () => {
        settle(await ask(reference, request));
      };
      queue.add(reference.registry, task, request.namespace);
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

  /** Requests that are equal for the registry share one resolution, whatever their namespace. */
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

  function retain(key: string, requests: readonly DigestRequest[]): void {
    const ids = new Set(requests.map(identify));
    tags.retain(key, ids);
    for (const attempt of collections.get(key)?.attempts ?? []) if (!ids.has(attempt.id)) leave(attempt, key);
  }

  return {
    lookup,
    recheck(request, pinnedDigest) {
      const reference = parseReference(request.image);
      if (reference.kind === 'invalid' || stopping.signal.aborted) return { state: 'unknown' };
      const podSpec = pullSpecOf(request.podSpec);
      return tags.recheck(identify(request), reference, { ...request, podSpec }, pinnedDigest);
    },
    retain,
    forget: (key) => {
      retain(key, []);
      collections.delete(key);
    },
    stats: () => ({ entries: attempts.size + answers.size() + tags.size(), ...queue.stats() }),
    async stop() {
      stopping.abort();
      tags.stop();
      for (const attempt of attempts.values()) drop(attempt);
      collections.clear();
      await queue.stop();
    },
  };
}

/** Equal for requests with the same answer: the image as written, and the source of its credentials. */
function identify({ image, namespace, podSpec }: DigestRequest): string {
  const spec = pullSpecOf(podSpec);
  const secrets = (spec.imagePullSecrets ?? []).map(({ name }) => name);
  const parts = [image, namespace, serviceAccountOf(spec), secrets];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

function failedLookup({ kind: _kind, ...failure }: ResolutionFailure, retryAt: number | undefined): Lookup {
  return { state: 'failed', ...failure, ...(retryAt !== undefined && { retryAt }) };
}

function toLookup({ pinned, digest, mediaType, platforms }: Resolved): Lookup {
  return { state: 'resolved', pinned, digest, ...(mediaType !== undefined && { mediaType }), platforms };
}
