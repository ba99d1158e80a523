/** The kinds that the operator reads and writes: where the API server serves them, and what is kept of each in memory. */
import type { AppRelease } from '../../api/app-release.ts';
import type { ObjectMeta } from '../../api/common.ts';
import { API_VERSION, FIELD_MANAGER, LABEL } from '../../api/meta.ts';
import type { ReleasePromotion } from '../../api/release-promotion.ts';
import type { ReleaseRollback } from '../../api/release-rollback.ts';
import type { VmPool } from '../../api/vm-pool.ts';
import type { KubeObject, Live, ManagedFieldsEntry, Resource } from '../../kube/types.ts';
import type { Node, PlacedPod, Taint } from '../../scheduling/objects.ts';
import { parseResources } from '../../scheduling/quantity.ts';
import type { RequestingPodSpec } from '../../scheduling/requests.ts';
import { podLimits, podRequests } from '../../scheduling/requests.ts';
import { ownsByUpdate } from '../../kube/managed-fields.ts';
import { DO_NOT_DISRUPT } from '../../release/pools/do-not-disrupt.ts';
import type {
  Autoscaler,
  AutoscalerSpec,
  Budget,
  BudgetSpec,
  ContainerState,
  ControllerRevision,
  Deployment,
  DeploymentSpec,
  DeploymentStatus,
  EndpointSlice,
  FieldOwners,
  Pod,
  Service,
} from '../../release/record/kube-objects.ts';

/** An object as it is on the wire, with the parts that transforms read. */
type Wire<Fields> = KubeObject & Fields;

function resource<T extends KubeObject>(
  apiVersion: string,
  kind: string,
  plural: string,
  namespaced = true,
): Resource<T> {
  return { apiVersion, kind, plural, namespaced };
}

export const APP_RELEASES = resource<Wire<Pick<AppRelease, 'spec' | 'status'>>>(
  API_VERSION,
  'AppRelease',
  'appreleases',
);
export const ROLLBACKS = resource<Wire<Pick<ReleaseRollback, 'spec' | 'status'>>>(
  API_VERSION,
  'ReleaseRollback',
  'releaserollbacks',
);
export const PROMOTIONS = resource<Wire<Pick<ReleasePromotion, 'spec' | 'status'>>>(
  API_VERSION,
  'ReleasePromotion',
  'releasepromotions',
);
export const REVISIONS = resource<Wire<{ revision: number; data?: unknown }>>(
  'apps/v1',
  'ControllerRevision',
  'controllerrevisions',
);
export const DEPLOYMENTS = resource<Wire<{ spec: DeploymentSpec; status?: DeploymentStatus }>>(
  'apps/v1',
  'Deployment',
  'deployments',
);
export const SERVICES = resource<Wire<{ spec: Service['spec'] }>>('v1', 'Service', 'services');
export const BUDGETS = resource<Wire<{ spec: BudgetSpec }>>('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets');
export const AUTOSCALERS = resource<Wire<{ spec: AutoscalerSpec; status?: { desiredReplicas?: number } }>>(
  'autoscaling/v2',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
);
export const PODS = resource<Wire<WirePod>>('v1', 'Pod', 'pods');
export const ENDPOINT_SLICES = resource<Wire<WireSlice>>('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices');
export const VM_POOLS = resource<Wire<Pick<VmPool, 'spec' | 'status'>>>(API_VERSION, 'VMPool', 'vmpools', false);
export const NODES = resource<Wire<WireNode>>('v1', 'Node', 'nodes', false);

interface WireCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

interface WireContainerStatus {
  name: string;
  ready?: boolean;
  restartCount?: number;
  imageID?: string;
  state?: { waiting?: ContainerState['waiting']; terminated?: ContainerState['terminated'] };
}

interface WirePod {
  spec?: RequestingPodSpec & { nodeName?: string };
  status?: {
    phase?: string;
    reason?: string;
    startTime?: string;
    conditions?: WireCondition[];
    containerStatuses?: WireContainerStatus[];
    initContainerStatuses?: WireContainerStatus[];
  };
}

interface WireSlice {
  endpoints?: {
    conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
    targetRef?: { kind?: string; name?: string };
  }[];
}

interface WireNode {
  spec?: { unschedulable?: boolean; taints?: Taint[] };
  status?: {
    conditions?: WireCondition[];
    capacity?: Record<string, string>;
    allocatable?: Record<string, string>;
    /** An image that lost its names to another has none. */
    images?: { names?: string[] | null }[];
    nodeInfo?: Record<string, string>;
  };
}

function toCachedMetadata({ metadata }: Live<KubeObject>): ObjectMeta {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata as ObjectMeta;
  const { generation, deletionTimestamp, labels, annotations, ownerReferences } = metadata as ObjectMeta;
  return {
    name,
    namespace,
    uid,
    resourceVersion,
    creationTimestamp,
    ...(generation !== undefined && { generation }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(labels && { labels }),
    ...(annotations && { annotations: withoutLastApplied(annotations) }),
    ...(ownerReferences && { ownerReferences }),
  };
}

/** kubectl's copy of the whole object is never read. */
function withoutLastApplied(annotations: Record<string, string>): Record<string, string> {
  const { 'kubectl.kubernetes.io/last-applied-configuration': _copy, ...kept } = annotations;
  return kept;
}

/** Who owns a field of the spec, where the operator does not: of replicas an HPA, or kubectl scale. */
function ownerOf(field: 'replicas' | 'selector', entries: readonly ManagedFieldsEntry[] = []): string | undefined {
  const owners = entries.filter(({ fieldsV1 }) => {
    const fields = fieldsV1 as { 'f:spec'?: Record<string, unknown> } | undefined;
    return fields?.['f:spec']?.[`f:${field}`] !== undefined;
  });
  // With the same value several own it; whoever changes it owns it alone.
  return owners.some(({ manager }) => manager === FIELD_MANAGER) ? undefined : owners.at(0)?.manager;
}

/** Who else than the operator and the controllers of Kubernetes wrote last. */
function otherManager(entries: readonly ManagedFieldsEntry[] = []): string | undefined {
  return entries
    .filter(
      ({ manager, subresource }) =>
        manager !== FIELD_MANAGER && subresource !== 'status' && manager !== 'kube-controller-manager',
    )
    .toSorted((a, b) => ((a.time ?? '') < (b.time ?? '') ? -1 : 1))
    .at(-1)?.manager;
}

/** Of the fields' owners, what is asked of them. */
function toCachedOwners({ metadata }: Live<KubeObject>): FieldOwners {
  const { managedFields } = metadata as { managedFields?: ManagedFieldsEntry[] };
  const other = otherManager(managedFields);
  return {
    ...(other !== undefined && { otherManager: other }),
    ...(ownsByUpdate(managedFields, FIELD_MANAGER) && { ownedByUpdate: true as const }),
  };
}

export function toCachedRelease(object: Live<Wire<Pick<AppRelease, 'spec' | 'status'>>>): AppRelease {
  return { metadata: toCachedMetadata(object), spec: object.spec, ...(object.status && { status: object.status }) };
}

export function toCachedRollback(object: Live<Wire<Pick<ReleaseRollback, 'spec' | 'status'>>>): ReleaseRollback {
  return { metadata: toCachedMetadata(object), spec: object.spec, ...(object.status && { status: object.status }) };
}

export function toCachedPromotion(object: Live<Wire<Pick<ReleasePromotion, 'spec' | 'status'>>>): ReleasePromotion {
  return { metadata: toCachedMetadata(object), spec: object.spec, ...(object.status && { status: object.status }) };
}

export function toCachedRevision(object: Live<Wire<{ revision: number; data?: unknown }>>): ControllerRevision {
  return {
    metadata: toCachedMetadata(object),
    revision: object.revision,
    ...(object.data !== undefined && { data: object.data }),
  };
}

export function toCachedDeployment(
  object: Live<Wire<{ spec: DeploymentSpec; status?: DeploymentStatus }>>,
): Deployment {
  const scaler = ownerOf('replicas', object.metadata.managedFields);
  return {
    metadata: toCachedMetadata(object),
    spec: object.spec,
    ...(object.status && { status: object.status }),
    ...(scaler !== undefined && { replicasOwner: scaler }),
    ...toCachedOwners(object),
  };
}

export function toCachedService(object: Live<Wire<{ spec: Service['spec'] }>>): Service {
  const { type, clusterIP, selector, ports, sessionAffinity, trafficDistribution } = object.spec;
  const owner = ownerOf('selector', object.metadata.managedFields);
  return {
    metadata: toCachedMetadata(object),
    spec: {
      ...(type !== undefined && { type }),
      ...(clusterIP !== undefined && { clusterIP }),
      ...(selector && { selector }),
      ...(ports && { ports }),
      ...(sessionAffinity !== undefined && { sessionAffinity }),
      ...(trafficDistribution !== undefined && { trafficDistribution }),
    },
    ...(owner !== undefined && { selectorOwner: owner }),
    ...toCachedOwners(object),
  };
}

export function toCachedBudget(object: Live<Wire<{ spec: BudgetSpec }>>): Budget {
  return { metadata: toCachedMetadata(object), spec: object.spec, ...toCachedOwners(object) };
}

export function toCachedAutoscaler(
  object: Live<Wire<{ spec: AutoscalerSpec; status?: { desiredReplicas?: number } }>>,
): Autoscaler {
  const { desiredReplicas } = object.status ?? {};
  return {
    metadata: toCachedMetadata(object),
    spec: object.spec,
    ...(desiredReplicas !== undefined && { desiredReplicas }),
    ...toCachedOwners(object),
  };
}

const POD_LABELS = [
  LABEL.release,
  LABEL.pool,
  LABEL.revision,
  LABEL.version,
  LABEL.workload,
  LABEL.track,
  LABEL.pull,
] as const;

function keptLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(POD_LABELS.flatMap((key) => (labels[key] === undefined ? [] : [[key, labels[key]]])));
}

export function toCachedPod({ metadata, spec, status }: Live<Wire<WirePod>>): Pod {
  const {
    name,
    namespace,
    uid,
    resourceVersion,
    creationTimestamp,
    labels = {},
    annotations = {},
    deletionTimestamp,
    ownerReferences,
  } = metadata as ObjectMeta;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  const unschedulable = scheduled?.status === 'False' && scheduled.reason === 'Unschedulable';
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].map(
    toCachedContainer,
  );
  return {
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      creationTimestamp,
      labels: keptLabels(labels),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
      // Who made it is asked only of what the operator makes itself.
      ...(labels[LABEL.pull] !== undefined && ownerReferences && { ownerReferences }),
    },
    ready: ready?.status === 'True',
    ...(ready?.lastTransitionTime !== undefined && { readySince: ready.lastTransitionTime }),
    ...(spec?.nodeName !== undefined && { nodeName: spec.nodeName }),
    ...(status?.startTime !== undefined && { startedAt: status.startTime }),
    ...(status?.phase !== undefined && { phase: status.phase }),
    ...(status?.reason !== undefined && { reason: status.reason }),
    ...(unschedulable && { unschedulable: scheduled.message ?? 'no node fits' }),
    ...(Object.keys(DO_NOT_DISRUPT).every((key) => annotations[key] === DO_NOT_DISRUPT[key]) && {
      holdsVm: true as const,
    }),
    containers,
  };
}

function toCachedContainer({ name, ready, restartCount, imageID, state }: WireContainerStatus): ContainerState {
  return {
    name,
    ready: ready ?? false,
    restartCount: restartCount ?? 0,
    ...(imageID !== undefined && imageID !== '' && { imageID }),
    ...(state?.waiting && { waiting: state.waiting }),
    ...(state?.terminated && {
      terminated: { reason: state.terminated.reason ?? '', exitCode: state.terminated.exitCode ?? 0 },
    }),
  };
}

export function toCachedSlice(object: Live<Wire<WireSlice>>): EndpointSlice {
  const { name, namespace, uid, resourceVersion, creationTimestamp, labels = {} } = object.metadata as ObjectMeta;
  const release = labels[LABEL.release];
  return {
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      creationTimestamp,
      ...(release !== undefined && { labels: { [LABEL.release]: release } }),
    },
    service: labels['kubernetes.io/service-name'] ?? '',
    endpoints: (object.endpoints ?? []).map(({ conditions, targetRef }) => ({
      ready: conditions?.ready ?? true,
      serving: conditions?.serving ?? conditions?.ready ?? true,
      terminating: conditions?.terminating ?? false,
      ...(targetRef?.kind === 'Pod' && targetRef.name !== undefined && { pod: targetRef.name }),
    })),
  };
}

/** What a kubelet reports of its images unless it was told otherwise (nodeStatusMaxImages). */
const REPORTED_IMAGES = 50;

export function toCachedNode({ metadata, spec, status }: Live<Wire<WireNode>>): Node {
  const { name, uid, resourceVersion, creationTimestamp, labels = {}, deletionTimestamp } = metadata as ObjectMeta;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const images = status?.images ?? [];
  const info = status?.nodeInfo ?? {};
  return {
    metadata: {
      name,
      uid,
      resourceVersion,
      creationTimestamp,
      labels,
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    },
    ready: ready === undefined || ready.status === 'True',
    ...(ready?.lastTransitionTime !== undefined && { readySince: ready.lastTransitionTime }),
    unschedulable: spec?.unschedulable ?? false,
    taints: spec?.taints ?? [],
    capacity: parseResources(status?.capacity),
    allocatable: parseResources(status?.allocatable),
    images: images.flatMap(({ names }) => names ?? []),
    imagesTruncated: images.length >= REPORTED_IMAGES,
    info: {
      osImage: info.osImage ?? '',
      kernelVersion: info.kernelVersion ?? '',
      kubeletVersion: info.kubeletVersion ?? '',
      containerRuntimeVersion: info.containerRuntimeVersion ?? '',
      architecture: info.architecture ?? '',
      operatingSystem: info.operatingSystem ?? '',
      bootID: info.bootID ?? '',
    },
  };
}

export function toCachedVmPool({ metadata, spec, status }: Live<Wire<Pick<VmPool, 'spec' | 'status'>>>): VmPool {
  const { name, uid, resourceVersion, creationTimestamp, generation, deletionTimestamp } = metadata as ObjectMeta;
  return {
    metadata: {
      name,
      uid,
      resourceVersion,
      creationTimestamp,
      ...(generation !== undefined && { generation }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    },
    spec,
    ...(status && { status }),
  };
}

/** Of every pod, whosever: only what it takes of its node. */
export function toCachedPlacedPod({ metadata, spec }: Live<Wire<WirePod>>): PlacedPod {
  const { name, namespace, uid, resourceVersion, labels = {}, deletionTimestamp } = metadata as ObjectMeta;
  return {
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      ...(labels[LABEL.release] !== undefined && { labels: keptLabels(labels) }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    },
    nodeName: spec?.nodeName ?? '',
    requests: podRequests(spec ?? {}),
    limits: podLimits(spec ?? {}),
  };
}

/** `namespace/name` of the release that an object belongs to, by its label. */
export function releaseOfLabel({ metadata }: { metadata: ObjectMeta }): string[] {
  const name = metadata.labels?.[LABEL.release];
  return name === undefined ? [] : [`${metadata.namespace}/${name}`];
}

/** `namespace/name` of the release that a rollback or promotion names. */
export function releaseOfSpec({ metadata, spec }: { metadata: ObjectMeta; spec: { release: string } }): string[] {
  return [`${metadata.namespace}/${spec.release}`];
}
