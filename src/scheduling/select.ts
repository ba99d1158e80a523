/** Which nodes belong to a pool of VMs. Pure. */
import type { VmPool } from '../api/vm-pool.ts';
import type { Node } from './objects.ts';

/** The labels with which clouds and provisioners name the pool of a node. */
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

/** The labels of a pool's nodes; undefined while no cloud label names the pool. */
export function poolSelector(pool: VmPool, nodes: readonly Node[]): Record<string, string> | undefined {
  return selectorBy(pool, (label) => nodes.some((node) => node.metadata.labels[label] === pool.metadata.name));
}

/** The same, for callers with their own check whether a node has a label with the pool's name as its value. */
export function selectorBy(
  { metadata, spec, status }: VmPool,
  isNamedBy: (label: string) => boolean,
): Record<string, string> | undefined {
  if (spec.nodeSelector) return spec.nodeSelector;
  // A pool that is scaled to zero keeps its last known key.
  const key = POOL_LABELS.find(isNamedBy) ?? status?.poolLabel;
  return key === undefined ? undefined : { [key]: metadata.name };
}

const knownNames = new WeakMap<readonly Node[], ReadonlySet<string>>();

/** `label=name` of every pool that a cloud label on a node names. Computed once for the same nodes. */
export function labelNames(nodes: readonly Node[]): ReadonlySet<string> {
  const known = knownNames.get(nodes);
  if (known) return known;
  const names = new Set(
    nodes.flatMap(({ metadata: { labels } }) =>
      POOL_LABELS.flatMap((label) => (labels[label] === undefined ? [] : [`${label}=${labels[label]}`])),
    ),
  );
  knownNames.set(nodes, names);
  return names;
}

export function matchesSelector(node: Node, selector: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => node.metadata.labels[key] === value);
}

/** The VMs of a pool. */
export function poolNodes(pool: VmPool, nodes: readonly Node[]): Node[] {
  const selector = poolSelector(pool, nodes);
  return selector ? nodes.filter((node) => matchesSelector(node, selector)) : [];
}
