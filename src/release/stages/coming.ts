/** The pods that a revision brings to a pool, and those that leave for them. Pure. */
import { LABEL } from '../../api/meta.ts';
import { keptBy } from '../../lib/once.ts';
import type { Example } from '../../scheduling/admitted.ts';
import { asAdmitted } from '../../scheduling/admitted.ts';
import type { Demand, LabelledPods } from '../../scheduling/demand.ts';
import type { PodShape } from '../../scheduling/shape.ts';
import { podShape } from '../../scheduling/shape.ts';
import { intOrPercentOf } from '../record/quantity.ts';
import type { WorkloadIdentity } from '../record/desired.ts';
import { rollingLimits } from '../record/desired.ts';
import type { Pod } from '../record/kube-objects.ts';
import { isRunBy, podsNumber } from '../record/kept-pods.ts';
import type { Revision } from '../record/revision.ts';
import type { Claim } from '../state/claim.ts';
import type { LookUpRooms } from '../state/observed.ts';
import { poolTemplate } from '../state/pool-template.ts';
import { wantedReplicas } from '../state/pool-size.ts';
import { rollsBeside, wantedKey } from '../state/target.ts';
import type { PoolView, Rollout, Workload } from '../state/view.ts';
import { withRooms } from './claims.ts';

export type Placed = Pick<WorkloadIdentity, 'strategy' | 'key'>;

export function demandsOf(view: Rollout, pools: readonly PoolView[], revision: Revision, rooms: LookUpRooms): Demand[] {
  return pools.map((pool) => withRooms(comingTo(view, pool, revision), rooms));
}

/** The pods of a revision that are not on VMs of the pool yet. */
export function comingTo(
  view: Rollout,
  pool: PoolView,
  revision: Revision,
  placed: Placed = { strategy: pool.strategy, key: wantedKey(pool) },
): Claim {
  const shape = shapeOf(view, pool, revision, placed);
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

const HASH = 'pod-template-hash';

/** The pods as they will be: with what admission adds, and with the label of their ReplicaSet. */
function shapeOf(view: Rollout, pool: PoolView, revision: Revision, placed: Placed): PodShape {
  const { metadata, spec } = poolTemplate(view, pool, revision, placed);
  const example = exampleFor(view, pool);
  const shape = podShape({ ...(metadata && { metadata }), spec: example ? asAdmitted(spec, example) : spec });
  const own = pool.workloads.find((workload) => isRunBy(revision, workload) && workload.key === placed.key);
  const name = own?.name ?? shape.labels[LABEL.workload];
  return { ...shape, labels: { ...shape.labels, [HASH]: hashFor(name, String(podsNumber(revision, pool.name))) } };
}

/** Stands for the hash of a pod template: pods of one Deployment and revision have the same. */
function hashFor(workload = '', revision = ''): string {
  return `${workload} ${revision}`;
}

/** A live pod of the pool, or else of the release, with its template. */
function exampleFor(view: Rollout, { name }: PoolView): Example | undefined {
  const near = view.pools.toSorted((a, b) => Number(b.name === name) - Number(a.name === name));
  for (const { deployment, pods } of near.flatMap(({ workloads }) => workloads)) {
    const { metadata, spec } = deployment.spec.template;
    const live = pods.find((pod) => pod.metadata.labels?.[LABEL.revision] === metadata?.labels?.[LABEL.revision]);
    if (live?.admitted) return { live: live.admitted, template: spec };
  }
  return undefined;
}

/** The serving pods on VMs that they will have to leave, unless they leave anyway: they look for room on the other VMs. */
export function displacedFrom(
  view: Rollout,
  pool: PoolView,
  vms: ReadonlySet<string>,
  leaving: ReadonlySet<string>,
): Claim | undefined {
  const { current, served } = pool;
  if (!current || !served) return undefined;
  const there = current.pods.filter(
    (pod) => isOnVm(pod) && vms.has(pod.nodeName ?? '') && !leaving.has(pod.metadata.uid),
  );
  if (there.length === 0) return undefined;
  const { strategy, key } = current;
  return { ...comingTo(view, pool, served, { strategy, key }), count: there.length, leaving: NOBODY };
}

type Coming = Pick<Demand, 'count' | 'leaving'>;

/** New pods beside the serving pods, which become the standby. The old standby is deleted first. */
function beside(view: Rollout, pool: PoolView, revision: Revision, key: string): Coming {
  const own = pool.workloads.find((workload) => isRunBy(revision, workload) && workload.key === key);
  const leaving = pool.workloads.filter((workload) => workload !== own && workload !== pool.current);
  const there = own?.pods.filter(isOnVm).length ?? 0;
  return { count: Math.max(0, wantedReplicas(pool, own, revision) - there), leaving: uids(view, leaving) };
}

/**
 * New pods that replace the serving pods in place. With maxUnavailable 0, only the surge needs room beside the serving pods.
 */
function instead(view: Rollout, pool: PoolView, revision: Revision): Coming {
  const { current, replicas } = pool;
  const { maxSurge, maxUnavailable } = rollingLimits(view.topology);
  const mayMiss = Math.floor(rawPods(maxUnavailable, replicas));
  const others = pool.workloads.filter((workload) => workload !== current);
  const bound = (current?.pods ?? []).filter(isOnVm);
  const there = current?.strategy === 'RollingUpdate' ? bound.filter(isOf(podsNumber(revision, pool.name))) : [];
  const left = Math.max(0, replicas - there.length);
  if (current?.strategy === 'RollingUpdate' && mayMiss === 0) {
    const surge = Math.max(1, intOrPercentOf(maxSurge, replicas)) - Math.max(0, bound.length - replicas);
    return { count: Math.max(0, Math.min(left, surge)), leaving: uids(view, others) };
  }
  return { count: left, leaving: oldPods(view, pool, there) };
}

/** Whether the pod uses resources of a VM. */
function isOnVm({ nodeName, phase }: Pod): boolean {
  return nodeName !== undefined && phase !== 'Failed' && phase !== 'Succeeded';
}

function isOf(number: number): (pod: Pod) => boolean {
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
  for (const pod of pods.filter(isOnVm)) {
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
  const pool = own[LABEL.pool] ?? '';
  const revision = revisions.find((one) => String(podsNumber(one, pool)) === own[LABEL.revision]);
  const { template, pools } = revision?.data.input ?? {};
  const difference = pools?.[pool];
  const hash = { [HASH]: hashFor(own[LABEL.workload], own[LABEL.revision]) };
  return { ...template?.metadata?.labels, ...difference?.metadata?.labels, ...own, ...hash };
}
