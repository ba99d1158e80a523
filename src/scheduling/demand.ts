/** Demands on VMs: new pods, and the VMs that may take them. */
import type { Node, PlacedPod } from './objects.ts';
import type { PodShape } from './shape.ts';

/** A VM and the pods that use its resources. The object stays the same as long as the VM and its pods do not change. */
export interface Room {
  node: Node;
  pods: readonly PlacedPod[];
}

/** Pods with equal labels. */
export interface LabelledPods {
  labels: Readonly<Record<string, string>>;
  pods: readonly { metadata: Pick<PlacedPod['metadata'], 'uid' | 'deletionTimestamp'>; nodeName?: string }[];
}

/** New pods of one shape. */
export interface Demand {
  /** The name of the pool, for messages. */
  pool: string;
  shape: PodShape;
  count: number;
  /** All VMs of the pool. */
  rooms: readonly Room[];
  /** Pods that are removed before the new ones start, by uid. */
  leaving: ReadonlySet<string>;
  /** The pods that a spread constraint may count. The array stays the same as long as the pods do not change. */
  labelled: readonly LabelledPods[];
}
