import { LRUCache } from 'lru-cache';
import type { Resolved } from './types.ts';

export interface AnswersConfig {
  /** What all answers together may take, as sizeOf counts it. */
  readonly maxBytes: number;
  /** How long an answer serves whoever asks. */
  readonly freshMs: number;
  readonly now: () => number;
}

/** Answers of registries, each for the namespace that asked. Where they are too many, the namespace with most gives way. */
export interface Answers {
  /** `since`: an answer that is no older serves beyond its time. */
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
 * A release is recorded with the answers for all of its images. The first one stays for as long as the last one may
 * take: 64 images of a registry that needs 30 s for each, 4 at a time. Else they would be asked for in turns, for ever.
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

  /** Whoever asks for much gives way, so that nobody else's answers go, to be asked for again. */
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

/** Roughly what it takes of the heap: characters, and a share of objects and maps for each entry and each string. */
function sizeOf({ resolved: { pinned, digest, platforms } }: Answer, id: string): number {
  const texts = platforms.flatMap((manifest) => [manifest.platform ?? '', manifest.digest]);
  return ENTRY_BYTES + id.length + pinned.length + digest.length + sum(texts.map((text) => text.length + STRING_BYTES));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
