import type { DigestRequest, Reference, Resolution, TagCheck } from './types.ts';

export interface TagWatchConfig {
  /** Time between two checks of a tag; 0: never. */
  readonly intervalMs: number;
  /** Asks the registry eventually; must not reject. Best effort: a failure keeps the last answer. */
  readonly ask: (reference: Reference, request: DigestRequest) => Promise<Resolution>;
  readonly onChange: (key: string) => void;
  readonly now: () => number;
  /** 0 ≤ random() < 1 */
  readonly random: () => number;
}

/** Detects moved tags. See DigestResolver.recheck. */
export interface TagWatch {
  readonly recheck: (id: string, reference: Reference, request: DigestRequest, pinnedDigest: string) => TagCheck;
  /** Sets the tags of this key by their ids; other tags are no longer checked for it. */
  readonly retain: (key: string, ids: ReadonlySet<string>) => void;
  readonly size: () => number;
  readonly stop: () => void;
}

interface Watched {
  readonly reference: Reference;
  readonly request: DigestRequest;
  /** Work queue key → pinned digest. */
  readonly pinned: Map<string, string>;
  isDropped?: true;
  timer?: NodeJS.Timeout;
  latest?: { readonly digest: string; readonly checkedAt: number };
}

export function createTagWatch({ intervalMs, ask, onChange, now, random }: TagWatchConfig): TagWatch {
  const watched = new Map<string, Watched>();
  const idsByKey = new Map<string, Set<string>>();

  // Random delay, so that a restart with many releases does not check all tags at once.
  function schedule(tag: Watched, share: number): void {
    tag.timer = setTimeout(() => void check(tag), intervalMs * share);
    tag.timer.unref();
  }

  async function check(tag: Watched): Promise<void> {
    const result = await ask(tag.reference, tag.request);
    if (tag.isDropped) return;
    if (result.kind === 'resolved') {
      const before = tag.latest;
      tag.latest = { digest: result.digest, checkedAt: now() };
      for (const [key, pinned] of tag.pinned) {
        const wasMoved = before !== undefined && before.digest !== pinned;
        if ((result.digest !== pinned) !== wasMoved) onChange(key);
      }
    }
    schedule(tag, 0.9 + 0.2 * random());
  }

  function drop(id: string, tag: Watched): void {
    tag.isDropped = true;
    clearTimeout(tag.timer);
    watched.delete(id);
  }

  function leave(key: string, id: string): void {
    idsByKey.get(key)?.delete(id);
    const tag = watched.get(id);
    if (tag?.pinned.delete(key) && tag.pinned.size === 0) drop(id, tag);
  }

  return {
    recheck(id, reference, request, pinnedDigest) {
      if (intervalMs <= 0 || reference.digest !== undefined) return { state: 'unknown' };
      let tag = watched.get(id);
      if (tag === undefined) {
        tag = { reference, request, pinned: new Map() };
        watched.set(id, tag);
        schedule(tag, random());
      }
      tag.pinned.set(request.key, pinnedDigest);
      const ids = idsByKey.get(request.key);
      if (ids === undefined) idsByKey.set(request.key, new Set([id]));
      else ids.add(id);
      if (tag.latest === undefined) return { state: 'unknown' };
      const { digest, checkedAt } = tag.latest;
      return digest === pinnedDigest ? { state: 'same', checkedAt } : { state: 'moved', checkedAt, digest };
    },
    retain(key, ids) {
      for (const id of idsByKey.get(key) ?? []) if (!ids.has(id)) leave(key, id);
      if (idsByKey.get(key)?.size === 0) idsByKey.delete(key);
    },
    size: () => watched.size,
    stop() {
      for (const [id, tag] of watched) drop(id, tag);
      idsByKey.clear();
    },
  };
}
