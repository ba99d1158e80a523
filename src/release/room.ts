/** What keeps a revision out of a stage because of the VMs of its pools: work on them, or too little room. Pure. */
import { LABEL } from '../api/meta.ts';
import type { Demand, Room } from '../pool/fit.ts';
import { shortage } from '../pool/fit.ts';
import { isFor, podShape } from '../pool/shape.ts';
import { vmWork } from '../pool/work.ts';
import { intOrPercentOf } from './quantity.ts';
import { poolTemplate } from './pool-template.ts';
import type { WorkloadIdentity } from './render.ts';
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
  const demands = pools.map((pool) => demandOf(view, pool, revision, rooms(pool.placement.nodeSelector)));
  for (const { pool, shape, rooms: own } of demands) {
    const nodes = own.map(({ node }) => node).filter((node) => isFor(node, shape));
    const work = vmWork(nodes, view.now);
    if (work) {
      const { message, ...until } = work;
      return { reason: 'VMsUnavailable', message: `pool ${pool}: ${message}; ${WAY_OUT}`, ...until };
    }
  }
  return shortageOf(demands);
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
    moves.map(({ pool, revision, placed }) =>
      demandOf(view, pool, revision, rooms(pool.placement.nodeSelector), placed),
    ),
  );
}

function shortageOf(demands: readonly Demand[]): VmWait | undefined {
  const found = shortage(demands);
  return (
    found && { reason: 'NoCapacity', message: `${found.message}; ${WAY_OUT}, so that a cluster autoscaler brings VMs` }
  );
}

type Placed = Pick<WorkloadIdentity, 'strategy' | 'key'>;

function demandOf(
  view: View,
  pool: PoolView,
  revision: Revision,
  rooms: readonly Room[],
  placed: Placed = { strategy: effectiveStrategy(view, pool), key: wantedKey(view, pool) },
): Demand {
  const template = poolTemplate(view, pool, revision, placed);
  return {
    pool: pool.name,
    shape: podShape(template),
    rooms,
    labels: labelsByPod(view, template.metadata?.labels ?? {}),
    ...(rollsBeside(view, pool, { revision, ...placed }) ? beside(pool, revision, placed.key) : instead(view, pool)),
  };
}

type Coming = Pick<Demand, 'count' | 'leaving'>;

/** All pods beside those that serve, which stay as the standby; what stands by until now gives its room first. */
function beside(pool: PoolView, revision: Revision, key: string): Coming {
  const own = pool.workloads.find((workload) => workload.revision === revision.number && workload.key === key);
  const leaving = pool.workloads.filter((workload) => workload !== own && workload !== pool.current);
  const there = own?.pods.filter(({ nodeName }) => nodeName !== undefined).length ?? 0;
  return { count: Math.max(0, wantedReplicas(pool, own) - there), leaving: uids(leaving) };
}

/** In the place of those that serve: the surge beside them where none may be missing, all of them in the end. */
function instead(view: View, pool: PoolView): Coming {
  const replicas = wantedReplicas(pool, pool.current);
  const { maxSurge = '25%', maxUnavailable = '25%' } = view.topology?.strategy ?? {};
  const mayMiss = Math.floor(rawPods(maxUnavailable, replicas));
  const others = pool.workloads.filter((workload) => workload !== pool.current);
  if (pool.current?.strategy === 'RollingUpdate' && mayMiss === 0) {
    return { count: Math.max(1, intOrPercentOf(maxSurge, replicas)), leaving: uids(others) };
  }
  return { count: replicas, leaving: uids(pool.workloads) };
}

/** A Deployment rounds maxUnavailable down. */
function rawPods(value: number | string, replicas: number): number {
  return typeof value === 'number' ? value : (Number(value.replace('%', '')) * replicas) / 100;
}

function uids(workloads: readonly Workload[]): Set<string> {
  return new Set(workloads.flatMap(({ pods }) => pods.map(({ metadata }) => metadata.uid)));
}

/** Of this release's pods: those of others are of other labels, as a rule. */
function labelsByPod(view: View, own: Readonly<Record<string, string>>): Demand['labels'] {
  const byRevision = new Map(
    view.revisions.map(({ number, data }) => [String(number), data.input.template.metadata?.labels ?? {}]),
  );
  return new Map(
    view.observed.pods.map(({ metadata }) => {
      const labels = metadata.labels ?? {};
      return [metadata.uid, { ...(byRevision.get(labels[LABEL.revision] ?? '') ?? own), ...labels }];
    }),
  );
}
