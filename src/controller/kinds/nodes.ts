import type { ObjectMeta } from '../../api/common.ts';
import type { Live } from '../../kube/types.ts';
import type { Node, Taint } from '../../scheduling/objects.ts';
import { parseResources } from '../../scheduling/quantity.ts';
import type { WireCondition, WireObject } from './wire.ts';
import { resource } from './wire.ts';

interface WireNode {
  spec?: { unschedulable?: boolean; taints?: Taint[] };
  status?: {
    conditions?: WireCondition[];
    capacity?: Record<string, string>;
    allocatable?: Record<string, string>;
    /** null for an image whose names another image has now. */
    images?: { names?: string[] | null }[];
    nodeInfo?: Record<string, string>;
  };
}

export const NODES = resource<WireObject<WireNode>>('v1', 'Node', 'nodes', false);

/** How many images a kubelet reports by default (nodeStatusMaxImages). */
const REPORTED_IMAGES = 50;

export function toCachedNode({ metadata, spec, status }: Live<WireObject<WireNode>>): Node {
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
