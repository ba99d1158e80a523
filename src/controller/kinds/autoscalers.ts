import type { Live } from '../../kube/types.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
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

/** The autoscaler's controller writes its measurements every few seconds; a change of these alone is ignored. */
export function isNewsOfAutoscaler(object: Autoscaler, old: Autoscaler): boolean {
  const { resourceVersion } = object.metadata;
  return canonicalJson(object) !== canonicalJson({ ...old, metadata: { ...old.metadata, resourceVersion } });
}
