/** What is asked of VMs: pods that are to come, and the VMs that may take them. */
import type { Node, PlacedPod } from './objects.ts';
import type { PodShape } from './shape.ts';

/** A VM and the pods that take room on it. The same object as long as it is the same VM with the same pods. */
export interface Room {
  node: Node;
  pods: readonly PlacedPod[];
}

/** Pods that have all labels in common. */
export interface LabelledPods {
  labels: Readonly<Record<string, string>>;
  pods: readonly { metadata: Pick<PlacedPod['metadata'], 'uid' | 'deletionTimestamp'>; nodeName?: string }[];
}

/** Pods of one shape that are to come. */
export interface Demand {
  /** Whose they are, for messages. */
  pool: string;
  shape: PodShape;
  count: number;
  /** All VMs of the pool. */
  rooms: readonly Room[];
  /** Pods that will be gone before these come, by uid. */
  leaving: ReadonlySet<string>;
  /** The pods that a spread constraint may count. The same array as long as they are the same. */
  labelled: readonly LabelledPods[];
}
