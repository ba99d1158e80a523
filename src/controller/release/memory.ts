/** What the process remembers of a release between passes. To lose it costs a write that changes nothing, no more. */
import type { Drained } from '../../release/state/drained-since.ts';
import { NEVER_DRAINED } from '../../release/state/drained-since.ts';
import type { DryRun, Memory, StoredState } from '../../release/state/observed.ts';

const CONTESTED_AFTER = 3;
const CONTESTED_WINDOW_MS = 600_000;
const CONTESTED_FOR_MS = 300_000;
/** How long a refusal is believed: what refused may have been changed. */
const REFUSAL_MS = 30_000;

export interface ReleaseMemory {
  dryRuns: Map<string, DryRun & { at: number }>;
  /** What is older than a refusal is believed is kept, so that it is told once. */
  nameConflicts: Map<string, { message: string; at: number }>;
  /** Kind/name → when it was found, or made, to be gone (ms since the epoch). */
  lost: Map<string, number>;
  /** Kind/name → how often in a row a write to it was made on old news. */
  conflicts: Map<string, number>;
  /** Passes in a row that were made on old news. */
  stale: number;
  refused: Map<string, { hash: string; message: string; at: number }>;
  stored: Map<string, StoredState>;
  /** Kind/name → when which desired state was put back. */
  driftReverts: Map<string, { hash: string; at: number[] }>;
  contested: Map<string, { hash: string; manager: string; until: number }>;
  /** Of the last plan. */
  drained: Drained;
  /** Image → the digest that its tag was said to have moved to. */
  moved: Map<string, string>;
  /** What the last event of an internal error said. */
  internalError?: string;
  /** When the status was last written (ms since the epoch). */
  lastStatusAt: number;
  /** What it was to be then. */
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

/** Forgets what is too old to be believed, and shows the rest to the planner. */
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

/** When what is remembered must be looked at again (ms since the epoch). */
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

/** What is remembered of an object goes with it. `objects`: those that are there. */
export function forgetGone({ stored, driftReverts, contested }: ReleaseMemory, objects: ReadonlySet<string>): void {
  for (const remembered of [stored, driftReverts, contested])
    for (const object of remembered.keys()) if (!objects.has(object)) remembered.delete(object);
}

/** The newest state that is desired of an object: whoever contested another one contests nothing any more. */
export function noteStored({ stored, contested }: ReleaseMemory, object: string, state: StoredState): void {
  stored.set(object, state);
  if (contested.get(object)?.hash !== state.hash) contested.delete(object);
}

/** Counts a put-back of the same desired state; true once it has been too many. */
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
