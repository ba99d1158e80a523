/**
 * The time of the API server, from the Date header of its answers. All times that the operator records or compares are of
 * this clock, so that processes whose own clocks differ agree, also with the times that the API server writes.
 */

/** The Date header of one answer. The header was written between the two instants (`performance.now()`). */
export interface DatedAnswer {
  date: string;
  sentAt: number;
  receivedAt: number;
}

export interface ServerClock {
  /** Milliseconds since the epoch. Before the first answer: the time of this process. */
  now: () => number;
  /** How far the clock of this process is ahead of the API server's (ms); negative if it is behind. */
  skewMs: () => number;
  onAnswer: (answer: DatedAnswer) => void;
}

/** The header has whole seconds. */
const PRECISION_MS = 1000;
/** A smaller change of the skew is not reported: a message with the skew stays the same for a while. */
const STEADY_MS = 1000;

export interface Clocks {
  /** The clock of this process (ms since the epoch). It may be set at any time. */
  wall: () => number;
  /** A clock that nobody sets (ms). */
  monotonic: () => number;
}

const OWN_CLOCKS: Clocks = { wall: Date.now, monotonic: () => performance.now() };

export function createServerClock({ wall, monotonic }: Clocks = OWN_CLOCKS): ServerClock {
  /** The time of the API server minus the monotonic clock. */
  let offset = wall() - monotonic();
  let steady = 0;

  function now(): number {
    return Math.round(monotonic() + offset);
  }

  function skewMs(): number {
    const skew = wall() - now();
    if (Math.abs(skew - steady) > STEADY_MS) steady = skew;
    return steady;
  }

  /** Each answer gives bounds of the offset. The clock is corrected by as much as the bounds prove, and no more. */
  function onAnswer({ date, sentAt, receivedAt }: DatedAnswer): void {
    const at = Date.parse(date);
    if (Number.isNaN(at)) return;
    offset = Math.min(Math.max(offset, at - receivedAt), at + PRECISION_MS - sentAt);
  }

  return { now, skewMs, onAnswer };
}
