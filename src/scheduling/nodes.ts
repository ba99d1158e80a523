/** The state of a VM from the fields of its node. Pure. */
import type { Node, Taint } from './objects.ts';

/**
 * The taints that announce the removal of a VM: of the node lifecycle (`kubectl cordon`), of Karpenter (before and since
 * v1) and of the cluster autoscaler.
 */
const LEAVING: ReadonlySet<string> = new Set([
  'node.kubernetes.io/unschedulable',
  'karpenter.sh/disrupted',
  'karpenter.sh/disruption',
  'ToBeDeletedByClusterAutoscaler',
]);

type Marked = Pick<Node, 'unschedulable' | 'taints'> & { metadata: Pick<Node['metadata'], 'deletionTimestamp'> };

/** Cordoned, being deleted, or marked by an autoscaler that is about to remove it. */
export function isDraining({ metadata, unschedulable, taints }: Marked): boolean {
  return unschedulable || metadata.deletionTimestamp !== undefined || taints.some(({ key }) => LEAVING.has(key));
}

/** Taints for temporary states of a VM. They do not say which pods the VM is for. */
export function isPassing({ key }: Taint): boolean {
  return LEAVING.has(key) || key.startsWith('node.kubernetes.io/');
}

/** Ready and open to new pods, apart from the permanent taints of its pool. */
export function isOpen(node: Node): boolean {
  return node.ready && !isDraining(node);
}

/** Whether VMs of one pool run different systems, kernels or kubelets. A VM that has not reported yet does not count. */
export function isSkewed(nodes: readonly Node[]): boolean {
  return SKEWABLE.some(
    (field) => new Set(nodes.map(({ info }) => info[field]).filter((value) => value !== '')).size > 1,
  );
}

const SKEWABLE = ['osImage', 'kernelVersion', 'kubeletVersion'] as const;
