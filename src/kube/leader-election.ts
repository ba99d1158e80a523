/** Leader election by a Lease, with the semantics of client-go's leaderelection. */

import { sleep } from './backoff.ts';
import { createLeaseCandidate, type LeaseCandidateOptions } from './lease.ts';
import type { ObjectKey } from './types.ts';

export interface LeaderElectionOptions {
  /** With connections of its own, so that no other request delays a renewal. */
  client: LeaseCandidateOptions['client'];
  lease: Required<ObjectKey>;
  /** Unique to this process, also among its own restarts. */
  identity: string;
  /** Whether it is sure that a holder runs no more, so that nobody need wait for its lease to run out. Default: never. */
  hasEnded?: LeaseCandidateOptions['hasEnded'];
  /** How long others wait until they take a lease that is not renewed. Default 15 000. */
  leaseDurationMs?: number;
  /** How long the leadership outlives the last successful renewal; less than the lease. Default 10 000. */
  renewDeadlineMs?: number;
  /** Between attempts. Default 2 000. */
  retryPeriodMs?: number;
  /** `signal` is aborted when the leadership is lost, or when a stop begins. */
  onStartedLeading: (signal: AbortSignal) => void;
  /**
   * `lost`: another may lead already; the candidacy goes on. `stopped`: the lease is held and renewed until what this
   * returns settles, and then given back: work that was begun can be finished under it.
   */
  onStoppedLeading: (why: 'lost' | 'stopped') => void | Promise<void>;
  /** A failed attempt, which is repeated, or what a callback threw. */
  onError?: (error: unknown) => void;
}

export interface LeaderElection {
  start: () => void;
  /**
   * Asks the clocks, not what was last heard: false as soon as the last renewal is too long ago, also in a process that
   * was frozen and has only just woken up. To be asked before every write: give it to `createClient` as `mayWrite`.
   */
  isLeader: () => boolean;
  /** The holder that was last seen. */
  leader: () => string | undefined;
  /** Ends the candidacy, and settles when all is done. */
  stop: () => Promise<void>;
}

/** By both local clocks: the monotonic one may stand still while a machine sleeps, the other may be set. */
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
  /** When the last successful renewal was sent: others count from its arrival, which is later. */
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
      // client-go's jitter: candidates that started together don't stay together.
      else await sleep(retryPeriodMs * (1 + 1.2 * Math.random()), stopping.signal);
    }
  }

  /** Is never aborted: what became of the lease would not be known, and it could not be given back. */
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
    /** The work that a stop lets finish, under renewals. */
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
