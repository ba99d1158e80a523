/** The state of a VM from the fields of its node. Pure. */
import type { Node, NodeInfo, Taint } from './objects.ts';

const CORDONED = 'node.kubernetes.io/unschedulable';
const REMOVED_BY_CLUSTER_AUTOSCALER = 'ToBeDeletedByClusterAutoscaler';

/**
 * The taints that announce the removal of a VM: of the node lifecycle (`kubectl cordon`), of Karpenter (before and since
 * v1) and of the cluster autoscaler.
 */
const LEAVING: ReadonlySet<string> = new Set([
  CORDONED,
  'karpenter.sh/disrupted',
  'karpenter.sh/disruption',
  REMOVED_BY_CLUSTER_AUTOSCALER,
]);

export type Marked = Pick<Node, 'unschedulable' | 'taints' | 'markedAt'> & {
  metadata: Pick<Node['metadata'], 'deletionTimestamp'>;
};

/** Cordoned, being deleted, or marked by an autoscaler that is about to remove it. */
export function isDraining({ metadata, unschedulable, taints }: Marked): boolean {
  return unschedulable || metadata.deletionTimestamp !== undefined || taints.some(({ key }) => LEAVING.has(key));
}

/** When the VM got its last mark that makes it draining (ms since the epoch); 0 if the node does not say when. */
export function drainingSince({ metadata, unschedulable, taints, markedAt }: Marked): number {
  const marks = taints.filter(({ key }) => LEAVING.has(key));
  const times = [
    metadata.deletionTimestamp,
    ...marks.map((taint) => earlier(addedAt(taint), markedAt)),
    // The taint of a cordon, with its time, follows the cordon.
    ...(unschedulable && marks.every(({ key }) => key !== CORDONED) ? [markedAt] : []),
  ];
  return Math.max(0, ...times.map((time) => Date.parse(time ?? '') || 0));
}

/**
 * The time of a mark is of the clock of whoever set it, and `markedAt` is of the API server's. A mark is not younger than the
 * last write of the marks.
 */
function earlier(addedAt: string | undefined, markedAt: string | undefined): string | undefined {
  if (addedAt === undefined || markedAt === undefined) return addedAt ?? markedAt;
  return Date.parse(addedAt) > Date.parse(markedAt) ? markedAt : addedAt;
}

/** The cluster autoscaler writes the time into the value, in seconds since the epoch. */
function addedAt({ key, value, timeAdded }: Taint): string | undefined {
  if (timeAdded !== undefined || key !== REMOVED_BY_CLUSTER_AUTOSCALER) return timeAdded;
  return /^\d{1,12}$/.test(value ?? '') ? new Date(Number(value) * 1000).toISOString() : undefined;
}

/** Taints for temporary states of a VM. They do not say which pods the VM is for. */
export function isPassing({ key }: Taint): boolean {
  return LEAVING.has(key) || key.startsWith('node.kubernetes.io/');
}

/** Ready and open to new pods, apart from the permanent taints of its pool. */
export function isOpen(node: Node): boolean {
  return node.ready && !isDraining(node);
}

type Compared = 'osImage' | 'kernelVersion' | 'kubeletVersion';

/** VMs of one pool that differ in a version. */
export interface Skew {
  field: Compared;
  /** The architecture and operating system within which images and kernels are compared; undefined: all VMs. */
  platform?: string;
  nodes: readonly Node[];
}

/**
 * The versions in which VMs of one pool differ. The image and the kernel of another architecture or operating system are
 * other ones by nature. A VM that has not reported yet does not count.
 */
export function skewsOf(nodes: readonly Node[]): Skew[] {
  const platforms = [...Map.groupBy(nodes, ({ info }) => `${info.operatingSystem}/${info.architecture}`)];
  const within = (field: Compared) => platforms.map(([platform, own]): Skew => ({ field, platform, nodes: own }));
  const all = [...within('osImage'), ...within('kernelVersion'), { field: 'kubeletVersion', nodes } as const];
  return all.filter(({ field, nodes: compared }) => new Set(reported(compared, field)).size > 1);
}

function reported(nodes: readonly Node[], field: keyof NodeInfo): string[] {
  return nodes.map(({ info }) => info[field]).filter((value) => value !== '');
}
