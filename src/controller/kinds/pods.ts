import type { ObjectMeta } from '../../api/common.ts';
import { FIELD_MANAGER, LABEL } from '../../api/meta.ts';
import { ownsAnnotation } from '../../kube/managed-fields.ts';
import type { Live, ManagedFieldsEntry } from '../../kube/types.ts';
import { shortened } from '../../lib/shortened.ts';
import { DO_NOT_DISRUPT } from '../../release/pools/do-not-disrupt.ts';
import type { ContainerState, Pod } from '../../release/record/kube-objects.ts';
import type { PlacedPod } from '../../scheduling/objects.ts';
import type { RequestingPodSpec } from '../../scheduling/requests.ts';
import { podLimits, podRequests } from '../../scheduling/requests.ts';
import type { WireCondition, WireObject } from './wire.ts';
import { resource } from './wire.ts';

interface WireContainerStatus {
  name: string;
  ready?: boolean;
  restartCount?: number;
  imageID?: string;
  state?: { waiting?: ContainerState['waiting']; terminated?: ContainerState['terminated'] };
  lastState?: { terminated?: ContainerState['terminated'] };
}

interface WirePod {
  spec?: RequestingPodSpec & { nodeName?: string };
  status?: {
    phase?: string;
    reason?: string;
    message?: string;
    startTime?: string;
    conditions?: WireCondition[];
    containerStatuses?: WireContainerStatus[];
    initContainerStatuses?: WireContainerStatus[];
  };
}

export const PODS = resource<WireObject<WirePod>>('v1', 'Pod', 'pods');

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

export function toCachedPod({ metadata, spec, status }: Live<WireObject<WirePod>>): Pod {
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
  const marks = holdMarks(annotations, metadata);
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  const unscheduled = scheduled?.status === 'False' ? scheduled : undefined;
  const unschedulable = unscheduled?.reason === 'Unschedulable';
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
      // Rules read the owner only of pods that the operator creates itself.
      ...(labels[LABEL.pull] !== undefined && ownerReferences && { ownerReferences }),
    },
    ready: ready?.status === 'True',
    ...(ready?.lastTransitionTime !== undefined && { readySince: ready.lastTransitionTime }),
    ...(spec?.nodeName !== undefined && { nodeName: spec.nodeName }),
    ...(status?.startTime !== undefined && { startedAt: status.startTime }),
    ...(status?.phase !== undefined && { phase: status.phase }),
    ...(status?.reason !== undefined && { reason: status.reason }),
    ...(marks && { holdMarks: marks }),
    ...(spec && { admitted: requestingOf(spec) }),
    ...(status?.phase === 'Failed' && status.message !== undefined && { message: shortened(status.message) }),
    ...(unschedulable && { unschedulable: shortened(unscheduled.message ?? 'no node fits') }),
    ...(unscheduled && !unschedulable && { unscheduled: toCachedReason(unscheduled) }),
    ...(ready?.status === 'False' &&
      ready.reason === 'ReadinessGatesNotReady' && {
        closedGate: shortened(ready.message ?? ready.reason),
      }),
    containers,
  };
}

function requestingOf({ containers = [], initContainers = [], overhead }: RequestingPodSpec): RequestingPodSpec {
  return {
    containers: containers.map(nameAndResources),
    ...(initContainers.length > 0 && { initContainers: initContainers.map(nameAndResources) }),
    ...(overhead && { overhead }),
  };
}

function nameAndResources({
  name,
  resources,
}: NonNullable<RequestingPodSpec['containers']>[number]): NonNullable<RequestingPodSpec['containers']>[number] {
  return { ...(name !== undefined && { name }), ...(resources && { resources }) };
}

function holdMarks(
  annotations: Readonly<Record<string, string>>,
  { managedFields }: { managedFields?: ManagedFieldsEntry[] },
): Pod['holdMarks'] {
  const present = Object.keys(DO_NOT_DISRUPT).filter((key) => annotations[key] !== undefined);
  if (present.length === 0) return undefined;
  return Object.fromEntries(present.map((key) => [key, ownsAnnotation(managedFields, FIELD_MANAGER, key)]));
}

function toCachedReason({ reason, message }: Partial<WireCondition>): { reason?: string; message?: string } {
  return { ...(reason !== undefined && { reason }), ...(message !== undefined && { message: shortened(message) }) };
}

function toCachedEnd({ reason, exitCode }: NonNullable<ContainerState['terminated']>): ContainerState['terminated'] {
  return { reason: reason ?? '', exitCode: exitCode ?? 0 };
}

function toCachedContainer(status: WireContainerStatus): ContainerState {
  const { name, ready, restartCount, imageID, state, lastState } = status;
  return {
    name,
    ready: ready ?? false,
    restartCount: restartCount ?? 0,
    ...(imageID !== undefined && imageID !== '' && { imageID }),
    ...(state?.waiting && { waiting: toCachedReason(state.waiting) }),
    ...(state?.terminated && { terminated: toCachedEnd(state.terminated) }),
    ...(ready !== true && lastState?.terminated && { lastEnd: toCachedEnd(lastState.terminated) }),
  };
}

/** The pods that the scheduler counts: bound to a node, and neither Succeeded nor Failed. */
export const PLACED = {
  fieldSelector: 'spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed',
  matches: ({ spec, status }: Live<WireObject<WirePod>>) =>
    (spec?.nodeName ?? '') !== '' && status?.phase !== 'Succeeded' && status?.phase !== 'Failed',
};

/** Resource requests and limits of a pod on a node, also of a pod that belongs to no release. */
export function toCachedPlacedPod({ metadata, spec }: Live<WireObject<WirePod>>): PlacedPod {
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
