import { LABEL } from '../../api/meta.ts';
import type { Live } from '../../kube/types.ts';
import type { Service } from '../../release/record/kube-objects.ts';
import { selectedTrack } from '../../release/traffic/service.ts';
import type { WireObject } from './wire.ts';
import { ownerOf, resource, toCachedMetadata, toCachedOwners } from './wire.ts';

export const SERVICES = resource<WireObject<{ spec: Service['spec'] }>>('v1', 'Service', 'services');

export function toCachedService(object: Live<WireObject<{ spec: Service['spec'] }>>): Service {
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

/** The `namespace/track` of a Service of an older operator, whose selector does not name the release. */
export function formerOn(service: Service): string[] {
  const { metadata, spec } = service;
  const track = selectedTrack(service);
  return track === undefined || spec.selector?.[LABEL.release] !== undefined ? [] : [`${metadata.namespace}/${track}`];
}
