/** Seeded randomness: one generator for a whole history, so that the seed replays it. */

export interface Random {
  /** From 0 (inclusive) to 1 (exclusive). */
  next: () => number;
  chance: (probability: number) => boolean;
  /** An integer from `low` to `high`, both inclusive. */
  between: (low: number, high: number) => number;
  /** Throws for an empty list. */
  pick: <T>(items: readonly T[]) => T;
}

/** mulberry32 (Tommy Ettinger, public domain): 32 bits of state are plenty for a history. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;

  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  function between(low: number, high: number): number {
    return low + Math.floor(next() * (high - low + 1));
  }

  function pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error('nothing to pick from');
    return items[between(0, items.length - 1)] as T;
  }

  return { next, chance: (probability) => next() < probability, between, pick };
}
