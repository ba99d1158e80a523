/** Leader election with a Lease, with the semantics of client-go's leaderelection. */

import { sleep } from './backoff.ts';
import { createLeaseCandidate, type LeaseCandidateOptions } from './lease.ts';
import type { ObjectKey } from './types.ts';

export interface LeaderElectionOptions {
  /** A client with its own connections, so that no other request delays a renewal. */
  client: LeaseCandidateOptions['client'];
  lease: Required<ObjectKey>;
  /** Unique for this process, also across restarts. */
  identity: string;
  /** Whether a holder has certainly ended, so that its lease need not expire first. Default: never. */
  hasEnded?: LeaseCandidateOptions['hasEnded'];
  /** How long other candidates wait before they acquire a lease that is not renewed. Default 15 000. */
  leaseDurationMs?: number;
  /** How long the leadership lasts after the last successful renewal; less than the lease duration. Default 10 000. */
  renewDeadlineMs?: number;
  /** Time between attempts. Default 2 000. */
  retryPeriodMs?: number;
  /** `signal` aborts when the leadership is lost, or when a stop begins. */
  onStartedLeading: (signal: AbortSignal) => void;
  /**
   * `lost`: another process may lead already; the candidacy continues. `stopped`: the lease is renewed until the returned
   * promise settles, and then released, so that running work can finish under the lease.
   */
  onStoppedLeading: (why: 'lost' | 'stopped') => void | Promise<void>;
  /** Receives the error of a failed attempt, which is retried, or of a callback. */
  onError?: (error: unknown) => void;
}

export interface LeaderElection {
  start: () => void;
  /**
   * Compares the clocks with the last renewal: false as soon as it is too long ago, also in a process that was frozen and
   * has just resumed. Must be checked before every write: pass it to `createClient` as `mayWrite`.
   */
  isLeader: () => boolean;
  /** The last observed holder. */
  leader: () => string | undefined;
  /** Ends the candidacy; settles when everything has ended. */
  stop: () => Promise<void>;
}

/** Uses both local clocks: the monotonic clock may stop while a machine sleeps, and the wall clock may be set. */
interface Instant {
  monotonic: number;
  wall: number;
}

export function createLeaderElection(options: LeaderElectionOptions): LeaderElection {
  const { client, lease, identity, hasEnded } = options;
  const { leaseDurationMs = 15_000, renewDeadlineMs = 10_000, retryPeriodMs = 2_000 } = options;
  if (!(leaseDurationMs > renewDeadlineMs && renewDeadlineMs > retryPeriodMs)) {
    throw new RangeError('lease duration > renew deadline > retry period must hold');
  }
  const candidate = createLeaseCandidate({ client, lease, identity, leaseDurationMs, ...(hasEnded && { hasEnded }) });
  const stopping = new AbortController();
  /** When the last successful renewal was sent. Other candidates count from its arrival, which is later. */
  let renewedAt: Instant | undefined;
  let loop: Promise<void> | undefined;

  function msLeft(): number {
    return renewedAt === undefined ? 0 : renewDeadlineMs - elapsed(renewedAt);
  }

  function isLeader(): boolean {
    return msLeft() > 0;
  }

  function isStopping(): boolean {
    return stopping.signal.aborted;
  }

  async function run(): Promise<void> {
    while (!isStopping()) {
      const isMine = await attempt(renewDeadlineMs / 2);
      if (isMine && isStopping()) await release();
      else if (isMine) await lead();
      // client-go's jitter separates candidates that started together.
      else await sleep(retryPeriodMs * (1 + 1.2 * Math.random()), stopping.signal);
    }
  }

  /** Never aborted, because the state of the lease would be unknown and the lease could not be released. */
  async function attempt(timeoutMs: number): Promise<boolean> {
    const sentAt = now();
    try {
      if (!(await candidate.tryAcquireOrRenew({ timeoutMs }))) return false;
      renewedAt = sentAt;
      return true;
    } catch (error) {
      report(error);
      return false;
    }
  }

  async function lead(): Promise<void> {
    const term = new AbortController();
    await call(() => {
      options.onStartedLeading(term.signal);
    });
    /** Aborted when the work that a stop waits for has finished. The lease is renewed until then. */
    const finished = new AbortController();
    let finishing: Promise<void> | undefined;
    while (isLeader() && !finished.signal.aborted) {
      if (isStopping() && !finishing) {
        term.abort();
        finishing = call(() => options.onStoppedLeading('stopped')).then(() => {
          finished.abort();
        });
      }
      const woken = finishing ? finished.signal : stopping.signal;
      await sleep(Math.min(retryPeriodMs, msLeft()), woken);
      if (woken.aborted || !isLeader()) continue;
      const renewed = await attempt(Math.min(renewDeadlineMs / 2, msLeft()));
      if (!renewed && candidate.holder() !== identity) break;
    }
    if (finished.signal.aborted) await release();
    renewedAt = undefined;
    term.abort();
    await (finishing ?? call(() => options.onStoppedLeading('lost')));
  }

  async function release(): Promise<void> {
    if (!isLeader()) return;
    const timeoutMs = msLeft();
    renewedAt = undefined;
    await call(() => candidate.release({ timeoutMs }));
  }

  async function call(callback: () => void | Promise<void>): Promise<void> {
    try {
      await callback();
    } catch (error) {
      report(error);
    }
  }

  function report(error: unknown): void {
    options.onError?.(error);
  }

  return {
    start: () => {
      loop ??= run();
    },
    isLeader,
    leader: candidate.holder,
    stop: async () => {
      stopping.abort();
      await loop;
    },
  };
}

function now(): Instant {
  return { monotonic: performance.now(), wall: Date.now() };
}

function elapsed(since: Instant): number {
  return Math.max(performance.now() - since.monotonic, Date.now() - since.wall);
}
