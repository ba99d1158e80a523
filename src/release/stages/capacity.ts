/**
 * The capacity gate of a stage: a revision waits while VMs of its pools are being worked on or have too little room. Pure.
 */
import { LABEL } from '../../api/meta.ts';
import { keptBy } from '../../lib/once.ts';
import type { RoomCount } from '../../scheduling/fit.ts';
import type { Demand, LabelledPods } from '../../scheduling/demand.ts';
import { countRoom } from '../../scheduling/fit.ts';
import { isFor, podShape } from '../../scheduling/shape.ts';
import { vmWork } from '../../scheduling/work.ts';
import { intOrPercentOf } from '../record/quantity.ts';
import { poolTemplate } from '../state/pool-template.ts';
import type { WorkloadIdentity } from '../record/desired.ts';
import { rollingLimits } from '../record/desired.ts';
import type { Pod } from '../record/kube-objects.ts';
import type { LookUpRooms } from '../state/observed.ts';
import type { Claim, Claims } from '../state/claim.ts';
import { waitingSince, withRooms } from './claims.ts';
import type { Revision } from '../record/revision.ts';
import { rollsBeside, wantedKey, wantedReplicas } from '../state/target.ts';
import type { PoolView, Rollout, Wait, Workload } from '../state/view.ts';

const WAY_OUT = 'spec.capacity: Proceed skips this check';

/** All pools of a stage enter together, so the check covers all of them. */
export function capacityWait(view: Rollout, pools: readonly PoolView[], revision: Revision): Wait | undefined {
  const { rooms } = view.observed;
  if (pools.length === 0 || view.topology.capacity === 'Proceed' || !rooms) return undefined;
  const demands = demandsOf(view, pools, revision, rooms);
  for (const { pool, shape, rooms: own } of demands) {
    const nodes = own.map(({ node }) => node).filter((node) => isFor(node, shape));
    const work = vmWork(nodes, view.now);
    if (work) {
      const { message, ...until } = work;
      return { reason: 'VMsUnavailable', message: `pool ${pool}: ${message}; ${WAY_OUT}`, ...until };
    }
  }
  return shortageOf(view, demands, waitingSince(view, pools, revision));
}

/** The serving revision of a pool, and the placement that it moves to. */
export interface RoomForMove {
  pool: PoolView;
  revision: Revision;
  placed: Placed;
}

/**
 * Whether the serving revisions find room on other VMs, together with all moves to the same VMs. Work on VMs does not block
 * a move.
 */
export function moveCapacityWait(view: Rollout, moves: readonly RoomForMove[]): Wait | undefined {
  const { rooms } = view.observed;
  if (view.topology.capacity === 'Proceed' || !rooms) return undefined;
  const demands = moves.map(({ pool, revision, placed }) => withRooms(comingTo(view, pool, revision, placed), rooms));
  // A move does not queue behind other releases.
  return shortageOf(view, demands, 0);
}

/** `since`: since when the release waits (ms since the epoch). */
function shortageOf(view: Rollout, demands: readonly Demand[], since: number): Wait | undefined {
  const others = view.observed.others?.() ?? [];
  const reserved = reservedBy(view, others);
  const found = count(view, demands, reserved);
  if (found.kind === 'Short') {
    const takers = count(view, demands, []).kind === 'Short' ? [] : takersOf(view, demands, others);
    const taken = takers.length > 0 ? `; room there is reserved for ${names(takers)}` : '';
    const message = `${found.message}${taken}; ${WAY_OUT}, so that a cluster autoscaler can add VMs`;
    return { reason: 'NoCapacity', message };
  }
  const first = firstInRow(view, { demands, since, reserved, others });
  const message = `${names(first ? [first] : [])} has waited longer for the same room; ${WAY_OUT}`;
  return first && { reason: 'NoCapacity', message };
}

/** Releases with reserved room on VMs that the demands ask for. */
function takersOf({ observed: { rooms } }: Rollout, demands: readonly Demand[], others: readonly Claims[]): Claims[] {
  const asked = new Set(demands.flatMap((demand) => demand.rooms.map(({ node }) => node.metadata.name)));
  return others.filter(({ reserved }) =>
    reserved.some(({ nodeSelector }) => rooms?.(nodeSelector).some(({ node }) => asked.has(node.metadata.name))),
  );
}

function reservedBy({ observed: { rooms } }: Rollout, others: readonly Claims[]): Demand[] {
  if (!rooms) return [];
  return others.flatMap(({ reserved }) => reserved.map((claim) => withRooms(claim, rooms)));
}

function names(claims: readonly Claims[]): string {
  const [first] = claims;
  const more = claims.length > 1 ? ` and ${claims.length - 1} more` : '';
  return `release ${first?.release ?? ''}${more}`;
}

interface Row {
  demands: readonly Demand[];
  since: number;
  reserved: readonly Demand[];
  others: readonly Claims[];
}

/** A release that has waited longer goes first if there is room for it. A release that does not fit blocks no others. */
function firstInRow(view: Rollout, { demands, since, reserved, others }: Row): Claims | undefined {
  const { owner, observed } = view;
  const own = `${owner.namespace}/${owner.name}`;
  const before = others
    .flatMap((other) => (other.waiting ? [{ other, ...other.waiting }] : []))
    .filter((one) => one.since < since || (one.since === since && one.other.release < own))
    .toSorted((a, b) => a.since - b.since || (a.other.release < b.other.release ? -1 : 1));
  let taken = reserved;
  for (const { other, claims } of before) {
    const theirs = claims.flatMap((claim) => (observed.rooms ? [withRooms(claim, observed.rooms)] : []));
    if (count(view, theirs, taken).kind !== 'Fits') continue;
    taken = [...taken, ...theirs];
    if (count(view, demands, taken).kind === 'Short') return other;
  }
  return undefined;
}

/** The reason why the room for entering pools is not known; undefined if it was counted. */
export function roomUnknown(view: Rollout, pools: readonly PoolView[], revision: Revision): string | undefined {
  const { rooms } = view.observed;
  if (view.topology.capacity === 'Proceed' || !rooms) return undefined;
  const found = count(view, demandsOf(view, pools, revision, rooms), []);
  return found.kind === 'Unknown' ? found.message : undefined;
}

function count(view: Rollout, demands: readonly Demand[], reserved: readonly Demand[]): RoomCount {
  return (view.observed.countRoom ?? countRoom)(demands, reserved);
}

function demandsOf(view: Rollout, pools: readonly PoolView[], revision: Revision, rooms: LookUpRooms): Demand[] {
  return pools.map((pool) => withRooms(comingTo(view, pool, revision), rooms));
}

type Placed = Pick<WorkloadIdentity, 'strategy' | 'key'>;

/** The pods of a revision that are not on VMs of the pool yet. */
export function comingTo(
  view: Rollout,
  pool: PoolView,
  revision: Revision,
  placed: Placed = { strategy: pool.strategy, key: wantedKey(pool) },
): Claim {
  const shape = podShape(poolTemplate(view, pool, revision, placed));
  return {
    pool: pool.name,
    shape,
    nodeSelector: pool.placement.nodeSelector,
    labelled: shape.spreads.length > 0 ? labelledPods(view) : NO_PODS,
    ...(rollsBeside(view, pool, { revision, ...placed })
      ? beside(view, pool, revision, placed.key)
      : instead(view, pool, revision)),
  };
}

type Coming = Pick<Demand, 'count' | 'leaving'>;

/** New pods beside the serving pods, which become the standby. The old standby is deleted first. */
function beside(view: Rollout, pool: PoolView, revision: Revision, key: string): Coming {
  const own = pool.workloads.find((workload) => workload.revision === revision.number && workload.key === key);
  const leaving = pool.workloads.filter((workload) => workload !== own && workload !== pool.current);
  const there = own?.pods.filter(({ nodeName }) => nodeName !== undefined).length ?? 0;
  return { count: Math.max(0, wantedReplicas(pool, own) - there), leaving: uids(view, leaving) };
}

/**
 * New pods that replace the serving pods in place. With maxUnavailable 0, only the surge needs room beside the serving pods.
 */
function instead(view: Rollout, pool: PoolView, revision: Revision): Coming {
  const { current, replicas } = pool;
  const { maxSurge, maxUnavailable } = rollingLimits(view.topology);
  const mayMiss = Math.floor(rawPods(maxUnavailable, replicas));
  const others = pool.workloads.filter((workload) => workload !== current);
  const bound = (current?.pods ?? []).filter(({ nodeName }) => nodeName !== undefined);
  const there = current?.strategy === 'RollingUpdate' ? bound.filter(isOf(revision)) : [];
  const left = Math.max(0, replicas - there.length);
  if (current?.strategy === 'RollingUpdate' && mayMiss === 0) {
    const surge = Math.max(1, intOrPercentOf(maxSurge, replicas)) - Math.max(0, bound.length - replicas);
    return { count: Math.max(0, Math.min(left, surge)), leaving: uids(view, others) };
  }
  return { count: left, leaving: oldPods(view, pool, there) };
}

function isOf({ number }: Revision): (pod: Pod) => boolean {
  return ({ metadata }) => metadata.labels?.[LABEL.revision] === String(number);
}

function oldPods(view: Rollout, pool: PoolView, kept: readonly Pod[]): ReadonlySet<string> {
  const all = uids(view, pool.workloads);
  if (kept.length === 0) return all;
  const staying = new Set(kept.map(({ metadata }) => metadata.uid));
  return new Set([...all].filter((uid) => !staying.has(uid)));
}

/** A Deployment rounds maxUnavailable down. */
function rawPods(value: number | string, replicas: number): number {
  return typeof value === 'number' ? value : (Number(value.replace('%', '')) * replicas) / 100;
}

const NOBODY: ReadonlySet<string> = new Set();

/** The same set object for the same pods, so that createRoomCounter finds its cached count. */
const uidsByNames = keptBy<ReadonlySet<string>>();

function uids({ observed }: Rollout, workloads: readonly Workload[]): ReadonlySet<string> {
  if (workloads.every(({ pods }) => pods.length === 0)) return NOBODY;
  const names = workloads.map(({ name }) => name).join();
  return uidsByNames(
    [observed.pods],
    names,
    () => new Set(workloads.flatMap(({ pods }) => pods.map(({ metadata }) => metadata.uid))),
  );
}

type Labels = LabelledPods['labels'];

const NO_PODS: Demand['labelled'] = [];
/** Pods with equal values of these labels have all labels in common. */
const SHARED = [LABEL.workload, LABEL.revision, LABEL.track] as const;
/** The same groups for the same pods and revision numbers, for the same reason. */
const labelledByRevisions = keptBy<Demand['labelled']>();

/** Only pods of this release, because the pods of other releases usually have other labels. */
function labelledPods({ observed, revisions }: Rollout): Demand['labelled'] {
  const numbers = revisions.map(({ number }) => number).join();
  return labelledByRevisions([observed.pods], numbers, () => groupByLabels(observed.pods, revisions));
}

function groupByLabels(pods: readonly Pod[], revisions: readonly Revision[]): Demand['labelled'] {
  const groups = new Map<string, { labels: Labels; pods: Pod[] }>();
  let [last, group]: [Labels?, { pods: Pod[] }?] = [];
  for (const pod of pods) {
    const own = pod.metadata.labels ?? {};
    // Pods of one Deployment usually follow each other.
    if (!group || !SHARED.every((label) => last?.[label] === own[label])) {
      const key = SHARED.map((label) => own[label] ?? '').join(' ');
      const found = groups.get(key) ?? { labels: allLabelsOf(own, revisions), pods: [] };
      groups.set(key, found);
      [last, group] = [own, found];
    }
    group.pods.push(pod);
  }
  return [...groups.values()];
}

function allLabelsOf(own: Labels, revisions: readonly Revision[]): Labels {
  const revision = revisions.find(({ number }) => String(number) === own[LABEL.revision]);
  const { template, pools } = revision?.data.input ?? {};
  const difference = pools?.[own[LABEL.pool] ?? ''];
  return { ...template?.metadata?.labels, ...difference?.metadata?.labels, ...own };
}
