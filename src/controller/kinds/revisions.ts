import type { Live } from '../../kube/types.ts';
import type { ControllerRevision } from '../../release/record/kube-objects.ts';
import type { WireObject } from './wire.ts';
import { resource, toCachedMetadata } from './wire.ts';

export const REVISIONS = resource<WireObject<{ revision: number; data?: unknown }>>(
  'apps/v1',
  'ControllerRevision',
  'controllerrevisions',
);

export function toCachedRevision(object: Live<WireObject<{ revision: number; data?: unknown }>>): ControllerRevision {
  return {
    metadata: toCachedMetadata(object),
    revision: object.revision,
    ...(object.data !== undefined && { data: object.data }),
  };
}
