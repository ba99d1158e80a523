/** The kinds of the operator's own API. */
import type { AppRelease } from '../../api/app-release.ts';
import type { ObjectMeta } from '../../api/common.ts';
import { findCondition } from '../../api/conditions.ts';
import { API_VERSION, USER_ANNOTATION } from '../../api/meta.ts';
import type { ReleasePromotion } from '../../api/release-promotion.ts';
import type { ReleaseRollback } from '../../api/release-rollback.ts';
import type { VmPool } from '../../api/vm-pool.ts';
import type { Live } from '../../kube/types.ts';
import type { WireObject } from './wire.ts';
import { resource, toCachedMetadata } from './wire.ts';

export const APP_RELEASES = resource<WireObject<Pick<AppRelease, 'spec' | 'status'>>>(
  API_VERSION,
  'AppRelease',
  'appreleases',
);

export const ROLLBACKS = resource<WireObject<Pick<ReleaseRollback, 'spec' | 'status'>>>(
  API_VERSION,
  'ReleaseRollback',
  'releaserollbacks',
);

export const PROMOTIONS = resource<WireObject<Pick<ReleasePromotion, 'spec' | 'status'>>>(
  API_VERSION,
  'ReleasePromotion',
  'releasepromotions',
);

export const VM_POOLS = resource<WireObject<Pick<VmPool, 'spec' | 'status'>>>(API_VERSION, 'VMPool', 'vmpools', false);

export function toCachedRelease(object: Live<WireObject<Pick<AppRelease, 'spec' | 'status'>>>): AppRelease {
  return { metadata: toCachedMetadata(object), spec: object.spec, ...(object.status && { status: object.status }) };
}

export function toCachedRollback(object: Live<WireObject<Pick<ReleaseRollback, 'spec' | 'status'>>>): ReleaseRollback {
  return { metadata: toCachedMetadata(object), spec: object.spec, ...(object.status && { status: object.status }) };
}

export function toCachedPromotion(
  object: Live<WireObject<Pick<ReleasePromotion, 'spec' | 'status'>>>,
): ReleasePromotion {
  return { metadata: toCachedMetadata(object), spec: object.spec, ...(object.status && { status: object.status }) };
}

export function toCachedVmPool({ metadata, spec, status }: Live<WireObject<Pick<VmPool, 'spec' | 'status'>>>): VmPool {
  const { name, uid, resourceVersion, creationTimestamp, generation, deletionTimestamp } = metadata as ObjectMeta;
  const reason = (metadata as ObjectMeta).annotations?.[USER_ANNOTATION.maintenance];
  return {
    metadata: {
      name,
      uid,
      resourceVersion,
      creationTimestamp,
      ...(generation !== undefined && { generation }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
      ...(reason !== undefined && { annotations: { [USER_ANNOTATION.maintenance]: reason } }),
    },
    spec,
    ...(status && { status }),
  };
}

/** A rollback is urgent until it is accepted or rejected; the steps after that are not. */
export function isUnanswered({ status }: ReleaseRollback): boolean {
  return findCondition(status?.conditions, 'Accepted') === undefined;
}
