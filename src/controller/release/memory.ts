/** What the process remembers of a release between passes. Its loss costs at most writes that change nothing. */
import type { Drained } from '../../release/traffic/drained-since.ts';
import { NEVER_DRAINED } from '../../release/traffic/drained-since.ts';
import type { InFlight } from './in-flight.ts';
import { createInFlight } from './in-flight.ts';
import type { Covered, DryRun, Memory, Refusal, StoredState } from '../../release/state/observed.ts';

const CONTESTED_AFTER = 3;
const CONTESTED_WINDOW_MS = 600_000;
const CONTESTED_FOR_MS = 300_000;
/** How often the selector of a contested Service is put back (ms). */
const PACE_MS = 5_000;
/** How long a refusal counts: its cause may be gone after that (ms). */
const REFUSAL_MS = 30_000;
/** A dry run that gave no verdict is repeated after twice this time, then after twice as long each time, up to `REFUSAL_MS`. */
const RETRY_MS = 1_000;

/** How long a refusal by a quota counts. The write is repeated sooner (ms). */
const OVER_QUOTA_MS = 120_000;
/** How long nothing is created in a namespace that is being deleted (ms). */
const TERMINATING_MS = 60_000;
/** How long after the removal of a Deployment a quota may still count it (ms). */
const QUOTA_LAG_MS = 5_000;

interface Answer {
  at: number;
  /** Number of dry runs in a row without success. */
  tries: number;
}

export interface ReleaseMemory {
  inFlight: InFlight;
  dryRuns: Map<string, DryRun & Answer>;
  /** Kind/name → conflict. An expired entry stays, so that its event is not repeated. */
  nameConflicts: Map<string, { message: string; at: number }>;
  /** Kind/name → when the object was found to be missing, or was deleted (ms since the epoch). */
  lost: Map<string, number>;
  /** Kind/name → number of writes in a row that were made on stale data. */
  conflicts: Map<string, number>;
  /** Number of passes in a row that were made on stale data. */
  stale: number;
  /** When a creation failed because the namespace is being deleted (ms since the epoch). */
  terminating?: number;
  /** The Deployments that a quota did not let the operator create → when. */
  overQuota: Map<string, number>;
  refused: Map<string, Refusal & { hash: string; at: number }>;
  stored: Map<string, StoredState>;
  /** Kind/name → the desired state that was put back, and when (ms since the epoch). */
  driftReverts: Map<string, { hash: string; at: number[] }>;
  contested: Map<string, { hash: string; manager: string; until: number; revertedAt: number }>;
  /** From the last plan. */
  drained: Drained;
  covered: Covered;
  /** Image → the digest in the last event TagMoved. */
  moved: Map<string, string>;
  /** The message of the last event InternalError. */
  internalError?: string;
  /** When a status that can wait is to be written (ms since the epoch). */
  statusDue?: number;
  /** When the status was last written (ms since the epoch). */
  lastStatusAt: number;
  /** The SHA-256 of that status. */
  lastStatus?: string;
}

export function createMemory(): ReleaseMemory {
  return {
    inFlight: createInFlight(),
    dryRuns: new Map(),
    nameConflicts: new Map(),
    lost: new Map(),
    conflicts: new Map(),
    stale: 0,
    overQuota: new Map(),
    refused: new Map(),
    stored: new Map(),
    driftReverts: new Map(),
    contested: new Map(),
    drained: NEVER_DRAINED,
    covered: new Map(),
    moved: new Map(),
    lastStatusAt: 0,
  };
}

/** Removes expired entries, and returns the memory for the planner. */
export function expire(memory: ReleaseMemory, now: number): Memory {
  for (const [hash, answer] of memory.dryRuns)
    if (!answer.ok && now - answer.at > 2 * REFUSAL_MS) memory.dryRuns.delete(hash);
  if (memory.terminating !== undefined && now - memory.terminating > TERMINATING_MS) delete memory.terminating;
  for (const [name, at] of memory.overQuota) if (now - at > OVER_QUOTA_MS) memory.overQuota.delete(name);
  for (const [name, at] of memory.lost) if (now - at > REFUSAL_MS) memory.lost.delete(name);
  for (const [name, { at }] of memory.refused) if (now - at > REFUSAL_MS) memory.refused.delete(name);
  for (const [name, { until }] of memory.contested) if (until <= now) memory.contested.delete(name);
  return {
    dryRuns: new Map([...memory.dryRuns].filter(([, answer]) => answer.ok || now <= retryAt(answer))),
    nameConflicts: new Map(
      [...memory.nameConflicts].flatMap(([name, { message, at }]) => (now - at > REFUSAL_MS ? [] : [[name, message]])),
    ),
    lost: new Set(memory.lost.keys()),
    terminating: memory.terminating !== undefined,
    overQuota: new Set(memory.overQuota.keys()),
    refused: memory.refused,
    stored: memory.stored,
    contested: memory.contested,
    paced: new Set(
      [...memory.contested].flatMap(([object, { revertedAt }]) => (now < revertedAt + PACE_MS ? [object] : [])),
    ),
    drained: memory.drained,
    covered: memory.covered,
  };
}

/** Notes the answer to a dry run. */
export function noteDryRun({ dryRuns }: ReleaseMemory, hash: string, answer: DryRun, at: number): void {
  dryRuns.set(hash, { ...answer, at, tries: (dryRuns.get(hash)?.tries ?? 0) + 1 });
}

/** Notes that a quota did not let the operator create a Deployment. A removed Deployment may leave the quota late. */
export function noteOverQuota({ overQuota, lost }: ReleaseMemory, name: string, now: number): void {
  const isLate = [...lost].some(([object, at]) => object.startsWith('Deployment/') && now - at < QUOTA_LAG_MS);
  if (!isLate) overQuota.set(name, now);
}

/** When a dry run is repeated. A template that is at fault does not change by itself. */
function retryAt(answer: DryRun & Answer): number {
  const isVerdict = answer.ok || answer.reason === 'TemplateRejected';
  return answer.at + (isVerdict ? REFUSAL_MS : Math.min(REFUSAL_MS, RETRY_MS * 2 ** answer.tries));
}

/** When entries expire and a pass is due (ms since the epoch). */
export function expiryDue(memory: ReleaseMemory, now: number): number[] {
  return [
    ...[...memory.dryRuns.values()]
      .flatMap((answer) => (answer.ok ? [] : [retryAt(answer) + 1]))
      .filter((due) => due > now),
    ...[...memory.nameConflicts.values(), ...memory.refused.values()]
      .map(({ at }) => at)
      .concat([...memory.lost.values()])
      .map((at) => at + REFUSAL_MS + 1)
      .filter((due) => due > now),
    ...[...memory.contested].flatMap(([object, { until, revertedAt }]) =>
      object.startsWith('Service/') && now < revertedAt + PACE_MS ? [until, revertedAt + PACE_MS] : [until],
    ),
    ...(memory.terminating === undefined ? [] : [memory.terminating + TERMINATING_MS + 1]),
  ];
}

/** Removes the entries of objects that no longer exist. `objects`: Kind/name of those that exist. */
export function forgetGone({ stored, driftReverts, contested }: ReleaseMemory, objects: ReadonlySet<string>): void {
  for (const remembered of [stored, driftReverts, contested])
    for (const object of remembered.keys()) if (!objects.has(object)) remembered.delete(object);
}

/** Notes the newest desired state of an object. A contest of another desired state ends. */
export function noteStored({ stored, contested }: ReleaseMemory, object: string, state: StoredState): void {
  stored.set(object, state);
  if (contested.get(object)?.hash !== state.hash) contested.delete(object);
}

/** Counts a put-back of the same desired state. Returns true once the object is contested. */
export function noteRevert(
  memory: ReleaseMemory,
  object: string,
  { hash, manager, now }: { hash: string; manager: string; now: number },
): boolean {
  if (memory.contested.get(object)?.hash === hash) {
    memory.contested.set(object, { hash, manager, until: now + CONTESTED_FOR_MS, revertedAt: now });
    return true;
  }
  const before = memory.driftReverts.get(object);
  const recent = before?.hash === hash ? before.at.filter((at) => now - at < CONTESTED_WINDOW_MS) : [];
  const at = [...recent, now];
  memory.driftReverts.set(object, { hash, at });
  if (at.length < CONTESTED_AFTER) return false;
  memory.driftReverts.delete(object);
  memory.contested.set(object, { hash, manager, until: now + CONTESTED_FOR_MS, revertedAt: now });
  return true;
}
