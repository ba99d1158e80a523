/** `disruption.holdVMs`: asks autoscalers of VMs to keep a VM while a version rolls out on it. Pure. */
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

/** Annotates the pods themselves: a change of the template would replace all pods. */
export function reconcileDoNotDisrupt(view: View): Action[] {
  const held = new Set(view.kind === 'Rollout' && view.topology.disruption.holdVMs ? rollingPods(view) : []);
  return view.workloads.flatMap(({ pods }) =>
    pods.filter((pod) => (pod.holdsVm ?? false) !== held.has(pod)).map((pod) => annotate(pod, held.has(pod))),
  );
}

function rollingPods(view: Rollout): Pod[] {
  return view.pools.filter((pool) => isRolling(view, pool)).flatMap(poolPods);
}

/** Whether a version rolls in the pool: from its first pod until all pods serve, unless it failed or the release is paused. */
function isRolling(view: Rollout, pool: PoolView): boolean {
  const { move, target } = pool;
  if (move && move.state !== 'Waiting') return move.state === 'Moving';
  if (!target?.workload) return false;
  if (view.paused !== undefined || hasFailed(target.revision, pool.name)) return false;
  return target.workload !== pool.current || !isServing(view, pool, target.revision);
}

function poolPods(pool: PoolView): Pod[] {
  const workloads = new Set([pool.current, pool.target?.workload]);
  return [...workloads].flatMap((workload) => workload?.pods ?? []);
}

function annotate(pod: Pod, hold: boolean): Action {
  const annotations = Object.fromEntries(
    Object.entries(DO_NOT_DISRUPT).map(([key, value]) => [key, hold ? value : null]),
  );
  const message = `${hold ? 'hold the VM of' : 'stop holding the VM of'} ${pod.metadata.name}`;
  return { kind: 'AnnotatePod', message, target: targetOf(pod), annotations };
}
