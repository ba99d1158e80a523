/** Which nodes belong to a pool of VMs. Pure. */
import type { VmPool } from '../api/vm-pool.ts';
import type { Node } from './objects.ts';

/** The labels by which clouds and provisioners name the pool of a node, and whose they are. */
export const POOL_LABELS: readonly string[] = [
  'eks.amazonaws.com/nodegroup',
  'cloud.google.com/gke-nodepool',
  'kubernetes.azure.com/agentpool',
  'karpenter.sh/nodepool',
  'doks.digitalocean.com/node-pool',
  'kops.k8s.io/instancegroup',
  'worker.gardener.cloud/pool',
  'lke.linode.com/pool-id',
];

/** The labels that a pool's nodes carry; undefined while no cloud's label names it. */
export function poolSelector(
  { metadata, spec, status }: VmPool,
  nodes: readonly Node[],
): Record<string, string> | undefined {
  if (spec.nodeSelector) return spec.nodeSelector;
  const key =
    POOL_LABELS.find((label) => nodes.some((node) => node.metadata.labels[label] === metadata.name)) ??
    // A pool that was scaled to zero keeps the key that was found.
    status?.poolLabel;
  return key === undefined ? undefined : { [key]: metadata.name };
}

export function matchesSelector(node: Node, selector: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => node.metadata.labels[key] === value);
}

/** The VMs of a pool. */
export function poolNodes(pool: VmPool, nodes: readonly Node[]): Node[] {
  const selector = poolSelector(pool, nodes);
  return selector ? nodes.filter((node) => matchesSelector(node, selector)) : [];
}
