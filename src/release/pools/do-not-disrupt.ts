/** `disruption.holdVMs`: asks autoscalers of VMs to keep a VM while a version rolls out on it. Pure. */
import { onceForObject } from '../../lib/once.ts';
import { isDraining } from '../../scheduling/nodes.ts';
import type { Node } from '../../scheduling/objects.ts';
import { deadlineOf, returnClock } from '../health/failure.ts';
import type { Action } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import type { Pod } from '../record/kube-objects.ts';
import { hasFailed, isServing } from '../state/target.ts';
import type { PoolView, Rollout, View } from '../state/view.ts';

/** See https://karpenter.sh/docs/concepts/disruption/#pod-level-controls and the FAQ of the cluster autoscaler. */
export const DO_NOT_DISRUPT: Readonly<Record<string, string>> = {
  'karpenter.sh/do-not-disrupt': 'true',
  'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
};

type AnnotatePod = Extract<Action, { kind: 'AnnotatePod' }>;

/** Annotates the pods themselves: a change of the template would replace all pods. */
export function reconcileDoNotDisrupt(view: View): Action[] {
  const held = new Set(view.kind === 'Rollout' ? heldPods(view) : []);
  return [...[...held].flatMap(mark), ...dropMarks(view.observed.pods.filter((pod) => !held.has(pod)))];
}

/** Takes the operator's annotations off. An annotation that somebody else set stays. */
export function dropMarks(pods: readonly Pod[]): AnnotatePod[] {
  return pods.flatMap((pod) => {
    const own = marksOf(pod);
    if (own.length === 0 || pod.metadata.deletionTimestamp !== undefined) return [];
    return [annotate(pod, Object.fromEntries(own.map((key) => [key, null])), 'stop holding the VM of')];
  });
}

/** When pods stop to hold their VMs even if nothing changes (ms since the epoch). */
export function holdsEnd(view: Rollout): number[] {
  return view.topology.disruption.holdVMs ? view.pools.map((pool) => rollsUntil(view, pool)) : [];
}

/** Whether the operator asks to keep the VM of the pod. */
export function holdsVm(pod: Pod): boolean {
  return marksOf(pod).length > 0;
}

function marksOf({ holdMarks = {} }: Pod): string[] {
  return Object.keys(holdMarks).filter((key) => holdMarks[key]);
}

function mark(pod: Pod): AnnotatePod[] {
  const missing = Object.entries(DO_NOT_DISRUPT).filter(([key]) => pod.holdMarks?.[key] === undefined);
  return missing.length === 0 ? [] : [annotate(pod, Object.fromEntries(missing), 'hold the VM of')];
}

function annotate(pod: Pod, annotations: Record<string, string | null>, what: string): AnnotatePod {
  return { kind: 'AnnotatePod', message: `${what} ${pod.metadata.name}`, target: targetOf(pod), annotations };
}

/** A VM that is being removed is not held: its pods are to leave it. */
function heldPods(view: Rollout): Pod[] {
  if (!view.topology.disruption.holdVMs) return [];
  const draining = drainingVms(view.observed.vms);
  return view.pools
    .filter((pool) => rollsUntil(view, pool) > view.now)
    .flatMap(poolPods)
    .filter(({ nodeName = '' }) => !draining.has(nodeName));
}

const drainingVms = onceForObject(
  (vms: readonly Node[]) => new Set(vms.filter(isDraining).map(({ metadata }) => metadata.name)),
);

/**
 * Until when a version rolls in the pool (ms since the epoch; 0: it does not): from its first pod until all pods serve, at most
 * until its deadline. A version that failed, is paused or waits for a cause outside, which stops its clock, does not roll.
 */
function rollsUntil(view: Rollout, pool: PoolView): number {
  const { move, target, hold } = pool;
  if (move && move.state !== 'Waiting') return move.state === 'Moving' ? (move.until ?? 0) : 0;
  if (!target?.workload || view.paused !== undefined || hasFailed(target.revision, pool.name)) return 0;
  if (target.workload === pool.current && isServing(view, pool, target.revision)) return 0;
  if (hold?.pool.completedAt !== undefined) return 0;
  const { observed, topology, now } = view;
  const deadlineSeconds = topology.progressDeadlineSeconds;
  const context = { nodes: observed.nodes, deadlineSeconds, now, ...(hold && { clock: returnClock(pool) }) };
  return deadlineOf(target.workload, target.revision, context) ?? 0;
}

function poolPods(pool: PoolView): Pod[] {
  const workloads = new Set([pool.current, pool.target?.workload]);
  return [...workloads].flatMap((workload) => workload?.pods ?? []);
}
