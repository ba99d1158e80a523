/** The controller of VMPools: keeps the status of each VMPool up to date, with few writes. */
import { isDeepStrictEqual } from 'node:util';
import { FIELD_MANAGER } from '../../api/meta.ts';
import type { AppRelease } from '../../api/app-release.ts';
import type { VmPool } from '../../api/vm-pool.ts';
import { isConflict, isNotFound } from '../../kube/errors.ts';
import { statusOf } from '../../kube/types.ts';
import type { HandlerResult } from '../../kube/work-queue.ts';
import { createWorkQueue } from '../../kube/work-queue.ts';
import { trafficOf } from '../../vmpool/evacuated.ts';
import { maintenanceOf } from '../../vmpool/maintenance.ts';
import type { PoolMembers } from '../../vmpool/members.ts';
import { mayBelong, poolMembers } from '../../vmpool/members.ts';
import type { Node, PlacedPod } from '../../scheduling/objects.ts';
import type { PoolOutcome } from '../../vmpool/status.ts';
import { hasTurned, poolOutcome } from '../../vmpool/status.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Caches } from '../kinds/caches.ts';
import type { PoolChange } from '../kinds/row.ts';
import { NODE_INDEX } from '../kinds/indexes.ts';
import { VM_POOLS } from '../kinds/api-kinds.ts';
import type { ReconcileContext } from '../release/context.ts';

export interface PoolControllerOptions extends Pick<ReconcileContext, 'client' | 'assertLeading' | 'log'> {
  caches: Pick<Caches, 'nodes' | 'vmPools' | 'placed' | 'namespaces' | 'releases'>;
  /** Namespaces whose pods may run on every VM. */
  systemNamespaces: readonly string[];
  /** Whether `placed` has the pods of all namespaces. */
  seesAllPods: boolean;
  /** Called after each pass; without an outcome the pool is gone. */
  onFigures?: (pool: string, outcome: PoolOutcome | undefined) => void;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

export interface PoolController {
  onChange: (change: PoolChange) => void;
  /** A release may have another status, or is gone. */
  onRelease: (release: AppRelease | undefined) => void;
  /** Starts to write; the caches must be filled. */
  lead: () => void;
  /** Ends after the running passes; no new pass starts. */
  stop: () => Promise<void>;
}

/** Least time between two writes of numbers that change with the pods (ms). */
const NUMBERS_MS = 10_000;
/** Delay after a change of a pod, so that one pass handles many changes (ms). */
const SETTLING_MS = 1_000;
/** The longest time without a pass (ms). */
const RESYNC_MS = 600_000;
/** A pass takes a few milliseconds, and waits for one write at most. */
const WORKERS = 2;

export function createPoolController(options: PoolControllerOptions): PoolController {
  const { caches, now = Date.now } = options;
  const queue = createWorkQueue({
    maxDelayMs: 60_000,
    onError: (pool, error) => {
      const level = isConflict(error) ? 'debug' : 'warn';
      options.log(level, { pool, error }, 'the status of a VMPool was not written; the operator tries again');
    },
  });
  /** Name of the pool → when its status was last written (ms since the epoch). */
  const toldAt = new Map<string, number>();
  /** The members of each pool; computed again after a change of VMPools or labels of VMs. */
  let members: ReadonlyMap<string, PoolMembers> | undefined;

  function onChange(change: PoolChange): void {
    switch (change.kind) {
      case 'VMPool':
        queue.add(change.object.metadata.name);
        if (!isAnotherPool(change.object, change.old)) break;
        members = undefined;
        // Other pools may share its VMs.
        addAll(caches.vmPools.list());
        break;
      case 'Node':
        // Kubelets report an unchanged status every few minutes.
        if (change.old && isSameNode(change.object, change.old)) break;
        if (!isDeepStrictEqual(change.object.metadata.labels, change.old?.metadata.labels)) members = undefined;
        addAll(poolsOf(change.object));
        if (change.old) addAll(poolsOf(change.old));
        break;
      case 'Pod': {
        // A pod changes only numbers of its node's pools, which are written when they are due.
        const node = nodeOf(change.object.nodeName);
        for (const { metadata } of node ? poolsOf(node) : []) {
          queue.addAfter(metadata.name, Math.max(SETTLING_MS, dueAt(metadata.name) - now()));
        }
        break;
      }
      case 'Namespace':
        if (change.old && isDeepStrictEqual(change.object.metadata.labels, change.old.metadata.labels)) break;
        for (const { metadata, spec } of caches.vmPools.list()) {
          if (spec.tenants?.namespaceSelector) queue.addAfter(metadata.name, SETTLING_MS);
        }
    }
  }

  function onRelease(release: AppRelease | undefined): void {
    for (const pool of caches.vmPools.list()) {
      const { name } = pool.metadata;
      if (maintenanceOf(pool) && (!release || trafficOf(release, name))) queue.addAfter(name, SETTLING_MS);
    }
  }

  function addAll(pools: readonly VmPool[]): void {
    for (const { metadata } of pools) queue.add(metadata.name);
  }

  function poolsOf(node: Node): VmPool[] {
    return caches.vmPools.list().filter((pool) => mayBelong(pool, node));
  }

  function dueAt(pool: string): number {
    return (toldAt.get(pool) ?? 0) + NUMBERS_MS;
  }

  function nodeOf(name: string): Node | undefined {
    return caches.nodes.get(undefined, name);
  }

  function labelsOf(namespace: string): Readonly<Record<string, string>> | undefined {
    return caches.namespaces.get(undefined, namespace)?.metadata.labels;
  }

  function podsOn(node: string): readonly PlacedPod[] {
    return caches.placed.byIndex(NODE_INDEX, node);
  }

  async function handle(name: string): Promise<HandlerResult> {
    const pool = caches.vmPools.get(undefined, name);
    if (!pool) {
      toldAt.delete(name);
      options.onFigures?.(name, undefined);
      return {};
    }
    members ??= poolMembers(caches.vmPools.list(), caches.nodes.list());
    const neighbours = { labelsOf, system: options.systemNamespaces };
    const traffic = maintenanceOf(pool) && caches.releases.list().flatMap((release) => trafficOf(release, name) ?? []);
    const view = {
      pool,
      members,
      nodeOf,
      neighbours,
      ...(options.seesAllPods && { podsOn }),
      ...(traffic && { traffic }),
    };
    const outcome = poolOutcome(view, now());
    options.onFigures?.(name, outcome);
    if (canonicalJson(outcome.status) === canonicalJson(pool.status ?? {})) return { requeueAfterMs: RESYNC_MS };
    const wait = dueAt(name) - now();
    if (wait > 0 && !hasTurned(pool.status, outcome.status)) return { requeueAfterMs: wait };
    await write(pool, outcome);
    return { requeueAfterMs: RESYNC_MS };
  }

  async function write({ metadata }: VmPool, { status }: PoolOutcome): Promise<void> {
    options.assertLeading();
    const { name, uid } = metadata;
    const operations = [
      { op: 'test', path: '/metadata/uid', value: uid },
      { op: 'add', path: '/status', value: status },
    ] as const;
    try {
      const written = await options.client.patch(
        statusOf(VM_POOLS),
        { name },
        { type: 'json', operations: [...operations] },
        { fieldManager: FIELD_MANAGER },
      );
      caches.vmPools.observeWrite(written);
      toldAt.set(name, now());
    } catch (error) {
      // The pool was deleted; the watch will say so.
      if (!isNotFound(error)) throw error;
    }
  }

  return {
    onChange,
    onRelease,
    lead: () => {
      void queue.run(handle, { workers: WORKERS });
    },
    stop: () => queue.shutDown(),
  };
}

/** Whether the pool is new, or selects other VMs. */
function isAnotherPool({ metadata, status }: VmPool, old: VmPool | undefined): boolean {
  return (
    !old ||
    metadata.uid !== old.metadata.uid ||
    metadata.generation !== old.metadata.generation ||
    status?.poolLabel !== old.status?.poolLabel
  );
}

/** Compares the fields of a node that the status of a pool depends on. */
function isSameNode(node: Node, old: Node): boolean {
  return isDeepStrictEqual(toldOf(node), toldOf(old));
}

function toldOf({
  metadata: { uid, labels, deletionTimestamp },
  ready,
  unschedulable,
  taints,
  ...rest
}: Node): unknown {
  const { capacity, allocatable, info } = rest;
  return [uid, labels, deletionTimestamp, ready, unschedulable, taints, capacity, allocatable, info];
}
