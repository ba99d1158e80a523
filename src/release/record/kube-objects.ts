/** The Kubernetes objects that a release is made of: only the fields that are read or written here. */
import type { ObjectMeta, OwnerReference } from '../../api/common.ts';
import type { PodTemplate, ServicePort } from '../../api/app-release.ts';
import type { Node as PoolNode } from '../../scheduling/objects.ts';
import type { LabelSelector } from '../../scheduling/shape.ts';

export interface DeploymentSpec {
  replicas?: number;
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

/** From managedFields. */
export interface FieldOwners {
  /** Who else than the operator wrote last. */
  otherManager?: string;
  /** The operator owns fields as by a create or a patch: an apply would drop none of them. */
  ownedByUpdate?: true;
}

export interface Deployment extends FieldOwners {
  metadata: ObjectMeta;
  spec: DeploymentSpec;
  status?: DeploymentStatus;
  /** From managedFields: who owns spec.replicas, where the operator does not. */
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
  /** From managedFields: who owns spec.selector, where the operator does not. */
  selectorOwner?: string;
}

export interface BudgetSpec {
  minAvailable?: number | string;
  maxUnavailable?: number | string;
  unhealthyPodEvictionPolicy?: string;
  selector?: LabelSelector;
}

/** A PodDisruptionBudget, ours or somebody else's. */
export interface Budget extends FieldOwners {
  metadata: ObjectMeta;
  spec: BudgetSpec;
}

/** A HorizontalPodAutoscaler: what it scales; the rest as the user gave it. */
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
  /** The size that it last found right. */
  desiredReplicas?: number;
}

export interface ContainerState {
  name: string;
  ready: boolean;
  restartCount: number;
  imageID?: string;
  waiting?: { reason?: string; message?: string };
  terminated?: { reason?: string; exitCode?: number };
}

export interface Pod {
  metadata: ObjectMeta;
  nodeName?: string;
  phase?: string;
  reason?: string;
  ready: boolean;
  /** When Ready last turned True or False (RFC 3339). */
  readySince?: string;
  /** When its kubelet took it (RFC 3339): before that nothing of it has run. */
  startedAt?: string;
  /** The message of PodScheduled=False with reason Unschedulable. */
  unschedulable?: string;
  containers: ContainerState[];
  /** It asks those who take VMs away to wait (see HELD). */
  holdsVm?: true;
}

export interface EndpointSlice {
  metadata: ObjectMeta;
  /** The Service, from the label kubernetes.io/service-name. */
  service: string;
  endpoints: { pod?: string; ready: boolean; serving: boolean; terminating: boolean }[];
}

export interface ControllerRevision {
  metadata: ObjectMeta;
  revision: number;
  data?: unknown;
}

/** A node, as far as a failure may be its fault. */
export type ReleaseNode = Pick<PoolNode, 'ready' | 'unschedulable' | 'taints'> & {
  metadata: Pick<PoolNode['metadata'], 'name' | 'deletionTimestamp'>;
};

/** What a server-side apply or a create sends: identity and the fields that we own. */
export interface Desired<Body> {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    ownerReferences?: OwnerReference[];
    /** Where the object exists: the write fails with 409 when somebody else wrote since. */
    resourceVersion?: string;
    /** The write fails where the object is not this one. */
    uid?: string;
  };
  spec: Body;
}

export type DesiredDeployment = Desired<DeploymentSpec>;
export type DesiredPod = Desired<object>;
export type DesiredService = Desired<Partial<Service['spec']>>;
export type DesiredBudget = Desired<BudgetSpec>;
export type DesiredAutoscaler = Desired<AutoscalerSpec>;
