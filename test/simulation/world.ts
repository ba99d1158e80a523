/** The true state: the objects of one namespace, their versions, the stream of changes, and a simulated clock. */
import type { ObjectMeta } from '../../src/api/common.ts';
import type { ManagedFieldsEntry } from '../../src/kube/types.ts';
import { LABEL } from '../../src/api/meta.ts';

export const NAMESPACE = 'shop';
const BEGIN = Date.parse('2026-01-01T00:00:00Z');

/** Any stored object. Stored objects are never changed in place. */
export interface WorldObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta & { finalizers?: string[]; managedFields?: ManagedFieldsEntry[] };
  spec?: unknown;
  status?: unknown;
  [field: string]: unknown;
}

export interface WorldChange {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  object: WorldObject;
  old?: WorldObject;
}

/** The author of a write: `operator-1`, `operator-2`, `user`, `cluster` (the controllers of Kubernetes). */
export interface Write {
  actor: string;
  before?: WorldObject;
  after?: WorldObject;
  /** The object after the write, or before a deletion. */
  object: WorldObject;
  kind: string;
}

interface Timer {
  at: number;
  sequence: number;
  run: () => void;
}

export interface World {
  now: () => number;
  /** The current time in the API server's form, in whole seconds. */
  timestamp: () => string;
  get: (kind: string, name: string) => WorldObject | undefined;
  list: (kind: string) => WorldObject[];
  /** Stores the object with a new version, and notifies all listeners. A change of `spec` increases the generation, if the kind has one. */
  put: (
    actor: string,
    object: { kind: string; metadata: Partial<ObjectMeta> & { name: string }; [field: string]: unknown },
  ) => WorldObject;
  remove: (actor: string, kind: string, name: string) => void;
  /** The stream of one kind, from the start. */
  changes: (kind: string) => readonly WorldChange[];
  version: () => string;
  onWrite: (listener: (write: Write) => void) => void;
  after: (ms: number, run: () => void) => () => void;
  /** The time of the next timer, if any. */
  nextTimer: () => number | undefined;
  /** Advances to the next timer and runs it. */
  elapse: () => void;
}

/** Kinds whose API has a generation. */
const GENERATED = new Set([
  'Deployment',
  'AppRelease',
  'ReleaseRollback',
  'ReleasePromotion',
  'HTTPRoute',
  'GRPCRoute',
]);

export function createWorld(): World {
  const objects = new Map<string, Map<string, WorldObject>>();
  const streams = new Map<string, WorldChange[]>();
  const listeners: ((write: Write) => void)[] = [];
  const timers: Timer[] = [];
  let clock = BEGIN;
  let version = 1000;
  let uids = 0;
  let sequence = 0;

  function kindOf(kind: string): Map<string, WorldObject> {
    const known = objects.get(kind) ?? new Map<string, WorldObject>();
    objects.set(kind, known);
    return known;
  }

  function stream(kind: string): WorldChange[] {
    const known = streams.get(kind) ?? [];
    streams.set(kind, known);
    return known;
  }

  function timestamp(): string {
    return new Date(Math.floor(clock / 1000) * 1000).toISOString().replace('.000Z', 'Z');
  }

  function tell(write: Write): void {
    for (const listener of listeners) listener(write);
  }

  const put: World['put'] = (actor, given) => {
    const { kind } = given;
    const before = kindOf(kind).get(given.metadata.name);
    version += 1;
    const respecified =
      GENERATED.has(kind) && before !== undefined && JSON.stringify(before.spec) !== JSON.stringify(given.spec);
    const generation = (before?.metadata.generation ?? 1) + (respecified ? 1 : 0);
    const after = {
      ...given,
      metadata: {
        ...given.metadata,
        ...(kind !== 'Node' && { namespace: NAMESPACE }),
        uid: before?.metadata.uid ?? `uid-${++uids}`,
        creationTimestamp: before?.metadata.creationTimestamp ?? timestamp(),
        resourceVersion: String(version),
        ...(GENERATED.has(kind) && { generation }),
      },
    } as WorldObject;
    kindOf(kind).set(after.metadata.name, after);
    stream(kind).push({ type: before ? 'MODIFIED' : 'ADDED', object: after, ...(before && { old: before }) });
    tell({ actor, kind, object: after, after, ...(before && { before }) });
    return after;
  };

  function remove(actor: string, kind: string, name: string): void {
    const before = kindOf(kind).get(name);
    if (!before) return;
    kindOf(kind).delete(name);
    version += 1;
    const object = { ...before, metadata: { ...before.metadata, resourceVersion: String(version) } };
    stream(kind).push({ type: 'DELETED', object, old: before });
    tell({ actor, kind, object: before, before });
  }

  function after(ms: number, run: () => void): () => void {
    const timer = { at: clock + ms, sequence: sequence++, run };
    const index = timers.findIndex(({ at }) => at > timer.at);
    timers.splice(index < 0 ? timers.length : index, 0, timer);
    return () => {
      const at = timers.indexOf(timer);
      if (at >= 0) timers.splice(at, 1);
    };
  }

  return {
    now: () => clock,
    timestamp,
    get: (kind, name) => kindOf(kind).get(name),
    list: (kind) => [...kindOf(kind).values()],
    put,
    remove,
    changes: stream,
    version: () => String(version),
    onWrite: (listener) => listeners.push(listener),
    after,
    nextTimer: () => timers[0]?.at,
    elapse: () => {
      const timer = timers.shift();
      if (!timer) return;
      clock = Math.max(clock, timer.at);
      timer.run();
    },
  };
}

/** Seconds since the start of the history. */
export function secondsOf(world: World): number {
  return Math.round((world.now() - BEGIN) / 1000);
}

export function labelOf(object: WorldObject | undefined, key: keyof typeof LABEL): string | undefined {
  return object?.metadata.labels?.[LABEL[key]];
}
