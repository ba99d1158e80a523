/** Nodes and pods, with the fields that the operator reads. */
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
    /** Set while the node is being deleted. */
    deletionTimestamp?: string;
  };
  /** A node that has never reported counts as ready, so that it excuses no failure. */
  ready: boolean;
  /** When Ready last changed (RFC 3339). */
  readySince?: string;
  /** Not ready, and never seen ready: the VM still joins, or failed to. */
  neverReady?: true;
  /** Cordoned. */
  unschedulable: boolean;
  taints: readonly Taint[];
  /** When the cordon or the taints were last changed (RFC 3339). */
  markedAt?: string;
  capacity: Resources;
  allocatable: Resources;
  /** All names of all images that the kubelet reports: at most 50 images by default. */
  images: readonly string[];
  /** Whether the kubelet's list of images may be longer than what it reports. */
  imagesTruncated: boolean;
  info: NodeInfo;
}

export interface Taint {
  key: string;
  value?: string;
  effect: string;
  /** Set by the node lifecycle controller (RFC 3339). */
  timeAdded?: string;
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

/** A namespace, with what selects it as a tenant of a VMPool. */
export interface Namespace {
  metadata: { name: string; uid: string; resourceVersion: string; labels: Readonly<Record<string, string>> };
}

/** A pod of any owner that uses resources of a node: bound, and neither Succeeded nor Failed. */
export interface PlacedPod {
  metadata: {
    name: string;
    namespace: string;
    uid: string;
    resourceVersion: string;
    /** The labels of its release, if any (see LABEL). */
    labels?: Readonly<Record<string, string>>;
    deletionTimestamp?: string;
  };
  nodeName: string;
  requests: Resources;
  limits: Resources;
}
