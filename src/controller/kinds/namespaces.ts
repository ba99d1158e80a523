import type { ObjectMeta } from '../../api/common.ts';
import type { Live } from '../../kube/types.ts';
import type { Namespace } from '../../scheduling/objects.ts';
import type { WireObject } from './wire.ts';
import { resource } from './wire.ts';

export const NAMESPACES = resource<WireObject<object>>('v1', 'Namespace', 'namespaces', false);

/** The labels alone: tenants of VMPools are selected by them. */
export function toCachedNamespace({ metadata }: Live<WireObject<object>>): Namespace {
  const { name, uid, resourceVersion, labels = {} } = metadata as ObjectMeta;
  return { metadata: { name, uid, resourceVersion, labels } };
}
