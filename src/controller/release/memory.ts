/** What the process remembers of a release between passes. Its loss costs at most writes that change nothing. */
import type { Drained } from '../../release/traffic/drained-since.ts';
import { NEVER_DRAINED } from '../../release/traffic/drained-since.ts';
import type { DryRun, Memory, StoredState } from '../../release/state/observed.ts';

const CONTESTED_AFTER = 3;
const CONTESTED_WINDOW_MS = 600_000;
const CONTESTED_FOR_MS = 300_000;
/** How long a refusal counts: its cause may be gone after that (ms). */
const REFUSAL_MS = 30_000;

export interface ReleaseMemory {
  dryRuns: Map<string, DryRun & { at: number }>;
  /** Kind/name → conflict. An expired entry stays, so that its event is not repeated. */
  nameConflicts: Map<string, { message: string; at: number }>;
  /** Kind/name → when the object was found to be missing, or was deleted (ms since the epoch). */
  lost: Map<string, number>;
  /** Kind/name → number of writes in a row that were made on stale data. */
  conflicts: Map<string, number>;
  /** Number of passes in a row that were made on stale data. */
  stale: number;
  refused: Map<string, { hash: string; message: string; at: number }>;
  stored: Map<string, StoredState>;
  /** Kind/name → the desired state that was put back, and when (ms since the epoch). */
  driftReverts: Map<string, { hash: string; at: number[] }>;
  contested: Map<string, { hash: string; manager: string; until: number }>;
  /** From the last plan. */
  drained: Drained;
  /** Image → the digest in the last event TagMoved. */
  moved: Map<string, string>;
  /** The message of the last event InternalError. */
  internalError?: string;
  /** When the status was last written (ms since the epoch). */
  lastStatusAt: number;
  /** That status, as JSON. */
  lastStatus?: string;
}

export function createMemory(): ReleaseMemory {
  return {
    dryRuns: new Map(),
    nameConflicts: new Map(),
    lost: new Map(),
    conflicts: new Map(),
    stale: 0,
    refused: new Map(),
    stored: new Map(),
    driftReverts: new Map(),
    contested: new Map(),
    drained: NEVER_DRAINED,
    moved: new Map(),
    lastStatusAt: 0,
  };
}

/** Removes expired entries, and returns the memory for the planner. */
export function expire(memory: ReleaseMemory, now: number): Memory {
  for (const [hash, answer] of memory.dryRuns)
    if (!answer.ok && now - answer.at > REFUSAL_MS) memory.dryRuns.delete(hash);
  for (const [name, at] of memory.lost) if (now - at > REFUSAL_MS) memory.lost.delete(name);
  for (const [name, { at }] of memory.refused) if (now - at > REFUSAL_MS) memory.refused.delete(name);
  for (const [name, { until }] of memory.contested) if (until <= now) memory.contested.delete(name);
  return {
    dryRuns: memory.dryRuns,
    nameConflicts: new Map(
      [...memory.nameConflicts].flatMap(([name, { message, at }]) => (now - at > REFUSAL_MS ? [] : [[name, message]])),
    ),
    lost: new Set(memory.lost.keys()),
    refused: memory.refused,
    stored: memory.stored,
    contested: memory.contested,
    drained: memory.drained,
  };
}

/** When entries expire and a pass is due (ms since the epoch). */
export function expiryDue(memory: ReleaseMemory, now: number): number[] {
  return [
    ...[...memory.dryRuns.values()].flatMap((answer) => (answer.ok ? [] : [answer.at + REFUSAL_MS + 1])),
    ...[...memory.nameConflicts.values(), ...memory.refused.values()]
      .map(({ at }) => at)
      .concat([...memory.lost.values()])
      .map((at) => at + REFUSAL_MS + 1)
      .filter((due) => due > now),
    ...[...memory.contested.values()].map(({ until }) => until),
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
  const before = memory.driftReverts.get(object);
  const recent = before?.hash === hash ? before.at.filter((at) => now - at < CONTESTED_WINDOW_MS) : [];
  const at = [...recent, now];
  memory.driftReverts.set(object, { hash, at });
  if (at.length < CONTESTED_AFTER) return false;
  memory.driftReverts.delete(object);
  memory.contested.set(object, { hash, manager, until: now + CONTESTED_FOR_MS });
  return true;
}
