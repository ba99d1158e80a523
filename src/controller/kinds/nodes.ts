import type { ObjectMeta } from '../../api/common.ts';
import type { Live, ManagedFieldsEntry } from '../../kube/types.ts';
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
  const { managedFields } = metadata as { managedFields?: ManagedFieldsEntry[] };
  const markedAt = lastWriteOfMarks(managedFields);
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
    ...(hasNeverBeenReady(ready, creationTimestamp) && { neverReady: true as const }),
    unschedulable: spec?.unschedulable ?? false,
    taints: spec?.taints ?? [],
    ...(markedAt !== undefined && { markedAt }),
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

/** A kubelet registers its node together with the condition Ready. The clocks of VM and API server may differ (ms). */
const REGISTRATION_MS = 60_000;

/** As far as the node tells: `withSeenReadiness` knows more. */
function hasNeverBeenReady(ready: WireCondition | undefined, creationTimestamp: string): boolean {
  if (!ready) return true;
  if (ready.status === 'True') return false;
  const turnedAt = Date.parse(ready.lastTransitionTime ?? '');
  return ready.reason === 'NodeStatusNeverUpdated' || turnedAt <= Date.parse(creationTimestamp) + REGISTRATION_MS;
}

/** The cache has seen whether a VM that is not ready was ready before. */
export function withSeenReadiness(old: Node, node: Node): Node {
  const { neverReady, ...seen } = node;
  if (node.neverReady === old.neverReady || (node.ready && neverReady === undefined)) return node;
  return old.neverReady ? { ...seen, neverReady: true } : seen;
}

/** When the last manager of the cordon or the taints wrote. */
function lastWriteOfMarks(entries: readonly ManagedFieldsEntry[] = []): string | undefined {
  return entries
    .filter(({ fieldsV1 }) => {
      const fields = (fieldsV1 as { 'f:spec'?: Record<string, unknown> } | undefined)?.['f:spec'];
      return fields?.['f:unschedulable'] !== undefined || fields?.['f:taints'] !== undefined;
    })
    .flatMap(({ time }) => time ?? [])
    .toSorted()
    .at(-1);
}
