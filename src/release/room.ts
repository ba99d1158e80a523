/** What keeps a revision out of a stage because of the VMs of its pools: work on them, or too little room. Pure. */
import { LABEL } from '../api/meta.ts';
import type { Demand, Room, RoomCount } from '../pool/fit.ts';
import { countRoom } from '../pool/fit.ts';
import { isFor, podShape } from '../pool/shape.ts';
import { vmWork } from '../pool/work.ts';
import { intOrPercentOf } from './quantity.ts';
import { poolTemplate } from './pool-template.ts';
import type { WorkloadIdentity } from './render.ts';
import type { LookUpRooms } from './observed.ts';
import type { Revision } from './revision.ts';
import { effectiveStrategy, rollsBeside, wantedKey, wantedReplicas } from './target.ts';
import type { PoolView, View, Workload } from './view.ts';

/** Why a pool should be left alone for now. */
export interface VmWait {
  reason: 'VMsUnavailable' | 'NoCapacity';
  message: string;
  until?: number;
}

const WAY_OUT = 'spec.capacity: Proceed enters all the same';

/** All of the pools are let in together, so they are judged together. */
export function vmsKeepOut(view: View, pools: readonly PoolView[], revision: Revision): VmWait | undefined {
  const { rooms } = view.observed;
  if (view.topology?.capacity === 'Proceed' || !rooms) return undefined;
  const demands = demandsOf(view, pools, revision, rooms);
  for (const { pool, shape, rooms: own } of demands) {
    const nodes = own.map(({ node }) => node).filter((node) => isFor(node, shape));
    const work = vmWork(nodes, view.now);
    if (work) {
      const { message, ...until } = work;
      return { reason: 'VMsUnavailable', message: `pool ${pool}: ${message}; ${WAY_OUT}`, ...until };
    }
  }
  return shortageOf(view, demands);
}

/** What serves in a pool, and the VMs that it goes to. */
export interface RoomForMove {
  pool: PoolView;
  revision: Revision;
  placed: Placed;
}

/** Whether what serves finds room on other VMs, beside all that goes there too; work on them keeps nothing out. */
export function roomKeepsOut(view: View, moves: readonly RoomForMove[]): VmWait | undefined {
  const { rooms } = view.observed;
  if (view.topology?.capacity === 'Proceed' || !rooms) return undefined;
  return shortageOf(
    view,
    moves.map(({ pool, revision, placed }) =>
      demandOf(view, pool, revision, rooms(pool.placement.nodeSelector), placed),
    ),
  );
}

function shortageOf(view: View, demands: readonly Demand[]): VmWait | undefined {
  const found = count(view, demands);
  if (found.kind !== 'Short') return undefined;
  return { reason: 'NoCapacity', message: `${found.message}; ${WAY_OUT}, so that a cluster autoscaler brings VMs` };
}

/** Why nobody knows whether there is room for pools that are let in all the same; undefined where it was counted. */
export function roomUnknown(view: View, pools: readonly PoolView[], revision: Revision): string | undefined {
  const { rooms } = view.observed;
  if (view.topology?.capacity === 'Proceed' || !rooms) return undefined;
  const found = count(view, demandsOf(view, pools, revision, rooms));
  return found.kind === 'Unknown' ? found.message : undefined;
}

function count(view: View, demands: readonly Demand[]): RoomCount {
  return (view.observed.countRoom ?? countRoom)(demands);
}

function demandsOf(view: View, pools: readonly PoolView[], revision: Revision, rooms: LookUpRooms): Demand[] {
  return pools.map((pool) => demandOf(view, pool, revision, rooms(pool.placement.nodeSelector)));
}

type Placed = Pick<WorkloadIdentity, 'strategy' | 'key'>;

function demandOf(
  view: View,
  pool: PoolView,
  revision: Revision,
  rooms: readonly Room[],
  placed: Placed = { strategy: effectiveStrategy(view, pool), key: wantedKey(view, pool) },
): Demand {
  const shape = podShape(poolTemplate(view, pool, revision, placed));
  return {
    pool: pool.name,
    shape,
    rooms,
    labels: shape.spreads.length > 0 ? labelsByPod(view) : NO_LABELS,
    ...(rollsBeside(view, pool, { revision, ...placed })
      ? beside(view, pool, revision, placed.key)
      : instead(view, pool)),
  };
}

type Coming = Pick<Demand, 'count' | 'leaving'>;

/** All pods beside those that serve, which stay as the standby; what stands by until now gives its room first. */
function beside(view: View, pool: PoolView, revision: Revision, key: string): Coming {
  const own = pool.workloads.find((workload) => workload.revision === revision.number && workload.key === key);
  const leaving = pool.workloads.filter((workload) => workload !== own && workload !== pool.current);
  const there = own?.pods.filter(({ nodeName }) => nodeName !== undefined).length ?? 0;
  return { count: Math.max(0, wantedReplicas(pool, own) - there), leaving: uids(view, leaving) };
}

/** In the place of those that serve: the surge beside them where none may be missing, all of them in the end. */
function instead(view: View, pool: PoolView): Coming {
  const replicas = wantedReplicas(pool, pool.current);
  const { maxSurge = '25%', maxUnavailable = '25%' } = view.topology?.strategy ?? {};
  const mayMiss = Math.floor(rawPods(maxUnavailable, replicas));
  const others = pool.workloads.filter((workload) => workload !== pool.current);
  if (pool.current?.strategy === 'RollingUpdate' && mayMiss === 0) {
    return { count: Math.max(1, intOrPercentOf(maxSurge, replicas)), leaving: uids(view, others) };
  }
  return { count: replicas, leaving: uids(view, pool.workloads) };
}

/** A Deployment rounds maxUnavailable down. */
function rawPods(value: number | string, replicas: number): number {
  return typeof value === 'number' ? value : (Number(value.replace('%', '')) * replicas) / 100;
}

const NOBODY: ReadonlySet<string> = new Set();
const knownUids = new WeakMap<View['observed']['pods'], Map<string, ReadonlySet<string>>>();

/** The same set for the same pods, so that what was counted with it is found again. */
function uids({ observed }: View, workloads: readonly Workload[]): ReadonlySet<string> {
  if (workloads.every(({ pods }) => pods.length === 0)) return NOBODY;
  const byNames = knownUids.get(observed.pods) ?? new Map<string, ReadonlySet<string>>();
  const names = workloads.map(({ name }) => name).join();
  const own = byNames.get(names) ?? new Set(workloads.flatMap(({ pods }) => pods.map(({ metadata }) => metadata.uid)));
  knownUids.set(observed.pods, byNames.set(names, own));
  return own;
}

const NO_LABELS: Demand['labels'] = new Map();
const knownLabels = new WeakMap<View['observed']['pods'], { revisions: string; labels: Demand['labels'] }>();

/** Of this release's pods: those of others are of other labels, as a rule. Looked up once for the same pods. */
function labelsByPod({ observed, revisions }: View): Demand['labels'] {
  const numbers = revisions.map(({ number }) => number).join();
  const known = knownLabels.get(observed.pods);
  if (known?.revisions === numbers) return known.labels;
  const byOwn = new Map<string, Readonly<Record<string, string>>>();
  function labelsOf(own: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    const key = `${own[LABEL.workload] ?? ''} ${own[LABEL.revision] ?? ''} ${own[LABEL.track] ?? ''}`;
    const kept = byOwn.get(key);
    if (kept) return kept;
    const revision = revisions.find(({ number }) => String(number) === own[LABEL.revision]);
    const { template, pools } = revision?.data.input ?? {};
    const difference = pools?.[own[LABEL.pool] ?? ''];
    const labels = { ...template?.metadata?.labels, ...difference?.metadata?.labels, ...own };
    byOwn.set(key, labels);
    return labels;
  }
  const labels = new Map(observed.pods.map(({ metadata }) => [metadata.uid, labelsOf(metadata.labels ?? {})]));
  knownLabels.set(observed.pods, { revisions: numbers, labels });
  return labels;
}
