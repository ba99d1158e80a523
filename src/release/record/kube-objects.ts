/** The Kubernetes objects of a release, with only the fields that the operator reads or writes. */
import type { ObjectMeta, OwnerReference } from '../../api/common.ts';
import type { PodTemplate, ServicePort } from '../../api/app-release.ts';
import type { ParentRef, RouteKind } from '../../api/route.ts';
import type { Node as PoolNode } from '../../scheduling/objects.ts';
import type { RequestingPodSpec } from '../../scheduling/requests.ts';
import type { LabelSelector } from '../../scheduling/shape.ts';

export interface DeploymentSpec {
  replicas?: number;
  paused?: boolean;
  minReadySeconds?: number;
  progressDeadlineSeconds?: number;
  revisionHistoryLimit?: number;
  strategy?: { type: string; rollingUpdate?: { maxSurge: number | string; maxUnavailable: number | string } };
  selector: { matchLabels: Record<string, string> };
  template: PodTemplate;
}

export interface DeploymentStatus {
  observedGeneration?: number;
  replicas?: number;
  updatedReplicas?: number;
  readyReplicas?: number;
  availableReplicas?: number;
  conditions?: { type: string; status: string; reason?: string; message?: string; lastUpdateTime?: string }[];
}

/** Derived from managedFields. */
export interface FieldOwners {
  /** The last manager to write, other than the operator. */
  otherManager?: string;
  /** The operator owns fields by an update (create or patch). A server-side apply would not remove these fields. */
  ownedByUpdate?: true;
}

export interface Deployment extends FieldOwners {
  metadata: ObjectMeta;
  spec: DeploymentSpec;
  status?: DeploymentStatus;
  /** The manager that owns spec.replicas, if not the operator. Derived from managedFields. */
  replicasOwner?: string;
}

export interface Service extends FieldOwners {
  metadata: ObjectMeta;
  spec: {
    type?: string;
    clusterIP?: string;
    selector?: Record<string, string>;
    ports?: (Omit<ServicePort, 'protocol'> & { protocol?: string; nodePort?: number })[];
    sessionAffinity?: string;
    trafficDistribution?: string;
  };
  /** The manager that owns spec.selector, if not the operator. Derived from managedFields. */
  selectorOwner?: string;
}

export interface BudgetSpec {
  minAvailable?: number | string;
  maxUnavailable?: number | string;
  unhealthyPodEvictionPolicy?: string;
  selector?: LabelSelector;
}

/** A PodDisruptionBudget of the release or of somebody else. */
export interface Budget extends FieldOwners {
  metadata: ObjectMeta;
  spec: BudgetSpec;
}

/** The spec of a HorizontalPodAutoscaler. */
export interface AutoscalerSpec {
  scaleTargetRef: { apiVersion: string; kind: string; name: string };
  minReplicas?: number;
  maxReplicas: number;
  metrics?: object[];
  behavior?: object;
}

export interface Autoscaler extends FieldOwners {
  metadata: ObjectMeta;
  spec: AutoscalerSpec;
  /** status.desiredReplicas. */
  desiredReplicas?: number;
}

/** A reference to a Service, as the API server stores it. */
export interface BackendRef {
  name: string;
  port?: number;
  weight?: number;
}

/** The spec of an HTTPRoute or a GRPCRoute. The rules have further fields, which the operator does not read. */
export interface RouteSpec {
  parentRefs?: ParentRef[];
  hostnames?: string[];
  rules?: { backendRefs?: BackendRef[] }[];
}

/** What one controller says about one parentRef. */
export interface RouteParent {
  parentRef: ParentRef;
  conditions: { type: string; status: string; reason?: string; message?: string; observedGeneration?: number }[];
}

/** An HTTPRoute or a GRPCRoute. */
export interface Route extends FieldOwners {
  metadata: ObjectMeta;
  spec: RouteSpec;
  parents: readonly RouteParent[];
}

export interface ContainerState {
  name: string;
  ready: boolean;
  restartCount: number;
  imageID?: string;
  waiting?: { reason?: string; message?: string };
  terminated?: { reason?: string; exitCode?: number };
  /** How it ended before its last restart. */
  lastEnd?: { reason?: string; exitCode?: number };
}

export interface Pod {
  metadata: ObjectMeta;
  nodeName?: string;
  phase?: string;
  reason?: string;
  ready: boolean;
  /** When Ready last turned True or False (RFC 3339). */
  readySince?: string;
  /** status.startTime (RFC 3339): when the kubelet accepted the pod. No container runs before. */
  startedAt?: string;
  /** The message of PodScheduled=False with reason Unschedulable. */
  unschedulable?: string;
  /** PodScheduled=False for another reason. */
  unscheduled?: { reason?: string; message?: string };
  /** The message of Ready=False for the sake of a readiness gate. */
  closedGate?: string;
  /** status.message of a pod that has ended. */
  message?: string;
  containers: ContainerState[];
  /** What the pod requests, as admission has left it. */
  admitted?: RequestingPodSpec;
  /** The annotations of DO_NOT_DISRUPT that the pod has → whether the operator set them. */
  holdMarks?: Readonly<Record<string, boolean>>;
}

export interface EndpointSlice {
  metadata: ObjectMeta;
  /** The name of the Service, from the label kubernetes.io/service-name. */
  service: string;
  endpoints: { pod?: string; ready: boolean; serving: boolean; terminating: boolean }[];
}

export interface ControllerRevision {
  metadata: ObjectMeta;
  revision: number;
  data?: unknown;
}

/** The fields of a node that can explain a failure of its pods. */
export type ReleaseNode = Pick<PoolNode, 'ready' | 'unschedulable' | 'taints' | 'markedAt'> & {
  metadata: Pick<PoolNode['metadata'], 'name' | 'deletionTimestamp'>;
};

/** The kinds that a release owns, applies and compares with their stored form. */
export const APPLIED_KINDS = [
  'Deployment',
  'Service',
  'HorizontalPodAutoscaler',
  'PodDisruptionBudget',
  'HTTPRoute',
  'GRPCRoute',
] as const;
export type OwnedKind = (typeof APPLIED_KINDS)[number];

/** The body of a server-side apply or a create: identity and the fields that the operator owns, such as spec or data. */
export interface DesiredObject<Kind extends string = OwnedKind> {
  apiVersion: string;
  kind: Kind;
  metadata: {
    name: string;
    namespace: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    ownerReferences?: OwnerReference[];
    /** Set for an existing object: the write fails with 409 if the object has changed since then. */
    resourceVersion?: string;
    /** The write fails if the object has another UID. */
    uid?: string;
  };
  /** Absent in a kind that has other fields instead. */
  spec?: unknown;
}

export interface Desired<Spec, Kind extends string = OwnedKind> extends DesiredObject<Kind> {
  spec: Spec;
}

/** The fields besides the identity: spec, or what a kind without spec has instead. */
export function contentOf(desired: DesiredObject): Record<string, unknown> {
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...content } = desired;
  return content;
}

export type DesiredDeployment = Desired<DeploymentSpec>;
export type DesiredPod = Desired<object, 'Pod'>;
export type DesiredService = Desired<Partial<Service['spec']>>;
export type DesiredBudget = Desired<BudgetSpec>;
export type DesiredAutoscaler = Desired<AutoscalerSpec>;
export type DesiredRoute = Desired<RouteSpec, RouteKind>;
