import type { Live } from '../../kube/types.ts';
import type { Autoscaler, AutoscalerSpec } from '../../release/record/kube-objects.ts';
import type { WireObject } from './wire.ts';
import { resource, toCachedMetadata, toCachedOwners } from './wire.ts';

export const AUTOSCALERS = resource<WireObject<{ spec: AutoscalerSpec; status?: { desiredReplicas?: number } }>>(
  'autoscaling/v2',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
);

export function toCachedAutoscaler(
  object: Live<WireObject<{ spec: AutoscalerSpec; status?: { desiredReplicas?: number } }>>,
): Autoscaler {
  const { desiredReplicas } = object.status ?? {};
  return {
    metadata: toCachedMetadata(object),
    spec: object.spec,
    ...(desiredReplicas !== undefined && { desiredReplicas }),
    ...toCachedOwners(object),
  };
}
