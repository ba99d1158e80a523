import { LRUCache } from 'lru-cache';
import type { Resolved } from './types.ts';

export interface AnswersConfig {
  /** Limit for the size of all answers together, as sizeOf counts it. */
  readonly maxBytes: number;
  /** How long an answer serves any caller. */
  readonly freshMs: number;
  readonly now: () => number;
}

/** Cached answers of registries, by the namespace that asked. Above the limit, answers of the namespace with the most bytes are dropped. */
export interface Answers {
  /** `since`: an answer that is not older than this serves even after its time. */
  readonly get: (namespace: string, id: string, since: number) => Resolved | undefined;
  readonly set: (namespace: string, id: string, resolved: Resolved) => void;
  readonly size: () => number;
  readonly bytes: () => number;
}

interface Answer {
  readonly resolved: Resolved;
  readonly at: number;
}

type NamespaceAnswers = LRUCache<string, Answer>;

/**
 * A release is recorded with the answers for all of its images, so the first answer must stay until the last one arrives:
 * 64 images of a registry that needs 30 s for each, 4 at a time. Otherwise the resolver would ask for them in turns, forever.
 */
const MAX_COLLECTING_MS = 600_000;

const ENTRY_BYTES = 512;
const STRING_BYTES = 64;

export function createAnswers({ maxBytes, freshMs, now }: AnswersConfig): Answers {
  const byNamespace = new Map<string, NamespaceAnswers>();
  const keptMs = Math.max(freshMs, MAX_COLLECTING_MS);
  let expiredAt = now();

  function answersOf(namespace: string): NamespaceAnswers {
    const found = byNamespace.get(namespace);
    if (found !== undefined) return found;
    const answers: NamespaceAnswers = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: sizeOf,
      ttl: keptMs,
      ttlResolution: 0,
      perf: { now },
    });
    byNamespace.set(namespace, answers);
    return answers;
  }

  function expire(): void {
    expiredAt = now();
    for (const [namespace, answers] of byNamespace) {
      answers.purgeStale();
      if (answers.size === 0) byNamespace.delete(namespace);
    }
  }

  /** Drops answers of the namespace with the most bytes, so that other namespaces need not ask again. */
  function makeRoom(): void {
    if (bytes() > maxBytes || now() - expiredAt >= freshMs) expire();
    while (bytes() > maxBytes) {
      const largest = [...byNamespace.values()].reduce((a, b) => (b.calculatedSize > a.calculatedSize ? b : a));
      largest.pop();
    }
  }

  function bytes(): number {
    return sum([...byNamespace.values()].map(({ calculatedSize }) => calculatedSize));
  }

  return {
    get(namespace, id, since) {
      const answer = byNamespace.get(namespace)?.get(id);
      if (answer === undefined) return undefined;
      return now() - answer.at < (answer.at >= since ? keptMs : freshMs) ? answer.resolved : undefined;
    },
    set(namespace, id, resolved) {
      answersOf(namespace).set(id, { resolved, at: now() });
      makeRoom();
    },
    size: () => sum([...byNamespace.values()].map(({ size }) => size)),
    bytes,
  };
}

/** Approximate heap size: characters, plus a share of objects and maps for each entry and each string. */
function sizeOf({ resolved: { pinned, digest, platforms } }: Answer, id: string): number {
  const texts = platforms.flatMap((manifest) => [manifest.platform ?? '', manifest.digest]);
  return ENTRY_BYTES + id.length + pinned.length + digest.length + sum(texts.map((text) => text.length + STRING_BYTES));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
