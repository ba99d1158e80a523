/** The objects that pools are made of: only the fields that are read here. */
import type { Resources } from './quantity.ts';

/** A node: a VM of a pool, as the scheduler and `kubectl describe node` see it. */
export interface Node {
  metadata: {
    name: string;
    uid: string;
    resourceVersion: string;
    creationTimestamp: string;
    labels: Readonly<Record<string, string>>;
    annotations?: Readonly<Record<string, string>>;
    /** It is being removed. */
    deletionTimestamp?: string;
  };
  /** One that has never reported counts as ready: nothing is excused by it. */
  ready: boolean;
  /** When Ready last turned (RFC 3339). */
  readySince?: string;
  /** Cordoned. */
  unschedulable: boolean;
  taints: readonly Taint[];
  capacity: Resources;
  allocatable: Resources;
  /** Every name of every image that the kubelet reports, which are 50 at most unless it was told otherwise. */
  images: readonly string[];
  /** Whether the kubelet's list of images may be longer than what it reports. */
  imagesTruncated: boolean;
  info: NodeInfo;
}

export interface Taint {
  key: string;
  value?: string;
  effect: string;
}

export interface NodeInfo {
  osImage: string;
  kernelVersion: string;
  kubeletVersion: string;
  containerRuntimeVersion: string;
  architecture: string;
  operatingSystem: string;
  bootID: string;
}

/** A pod of anybody that takes room on a node: bound, and neither Succeeded nor Failed. */
export interface PlacedPod {
  metadata: {
    name: string;
    namespace: string;
    uid: string;
    resourceVersion: string;
    /** Of the release that it belongs to, if any (see LABEL). */
    labels?: Readonly<Record<string, string>>;
    deletionTimestamp?: string;
  };
  nodeName: string;
  requests: Resources;
  limits: Resources;
}
