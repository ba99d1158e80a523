/** What a node's own fields say of a VM. Pure. */
import type { Node, Taint } from './objects.ts';

/**
 * The taints by which those who take VMs away say so first: the node lifecycle (`kubectl cordon`), Karpenter (before
 * and from v1 on) and the cluster autoscaler.
 */
const LEAVING: ReadonlySet<string> = new Set([
  'node.kubernetes.io/unschedulable',
  'karpenter.sh/disrupted',
  'karpenter.sh/disruption',
  'ToBeDeletedByClusterAutoscaler',
]);

type Marked = Pick<Node, 'unschedulable' | 'taints'> & { metadata: Pick<Node['metadata'], 'deletionTimestamp'> };

/** Cordoned, being deleted, or marked by an autoscaler that is about to take it away. */
export function isDraining({ metadata, unschedulable, taints }: Marked): boolean {
  return unschedulable || metadata.deletionTimestamp !== undefined || taints.some(({ key }) => LEAVING.has(key));
}

/** Taints that come and go with what happens to a VM, and say nothing of whom it is for. */
export function isPassing({ key }: Taint): boolean {
  return LEAVING.has(key) || key.startsWith('node.kubernetes.io/');
}

/** Ready and open to new pods; what taints its pool carries for good is another matter. */
export function isOpen(node: Node): boolean {
  return node.ready && !isDraining(node);
}

/** Whether VMs of one pool run different systems, kernels or kubelets. One that has not reported yet says nothing. */
export function isSkewed(nodes: readonly Node[]): boolean {
  return SKEWABLE.some(
    (field) => new Set(nodes.map(({ info }) => info[field]).filter((value) => value !== '')).size > 1,
  );
}

const SKEWABLE = ['osImage', 'kernelVersion', 'kubeletVersion'] as const;
