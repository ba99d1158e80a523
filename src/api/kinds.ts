import { appReleaseKind } from './app-release.ts';
import type { KindDefinition } from './common.ts';
import { releasePromotionKind } from './release-promotion.ts';
import { releaseRollbackKind } from './release-rollback.ts';
import { vmPoolKind } from './vm-pool.ts';

/** All kinds of the API group. Each has a CRD in crds/. */
export const KINDS: readonly KindDefinition[] = [appReleaseKind, releaseRollbackKind, releasePromotionKind, vmPoolKind];
