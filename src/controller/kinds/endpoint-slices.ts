import type { ObjectMeta } from '../../api/common.ts';
import { LABEL } from '../../api/meta.ts';
import type { Live } from '../../kube/types.ts';
import type { EndpointSlice } from '../../release/record/kube-objects.ts';
import type { WireObject } from './wire.ts';
import { resource } from './wire.ts';

interface WireSlice {
  endpoints?: {
    conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
    targetRef?: { kind?: string; name?: string };
  }[];
}

export const ENDPOINT_SLICES = resource<WireObject<WireSlice>>(
  'discovery.k8s.io/v1',
  'EndpointSlice',
  'endpointslices',
);

export function toCachedSlice(object: Live<WireObject<WireSlice>>): EndpointSlice {
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
