/** What a pass sees: the caches' objects as they are, and the little that the process remembers. All plain data. */
import type { AppRelease, PodTemplate } from '../../api/app-release.ts';
import type { Reason } from '../../api/reasons.ts';
import type { ReleasePromotion } from '../../api/release-promotion.ts';
import type { ReleaseRollback } from '../../api/release-rollback.ts';
import type { VmPool } from '../../api/vm-pool.ts';
import type { CountRoom } from '../../scheduling/fit.ts';
import type { Room } from '../../scheduling/demand.ts';
import type { Node as PoolNode } from '../../scheduling/objects.ts';
import type { FieldSet } from '../record/fields.ts';
import type {
  Autoscaler,
  Budget,
  ControllerRevision,
  Deployment,
  EndpointSlice,
  ReleaseNode,
  Pod,
  Service,
} from '../record/kube-objects.ts';
import type { Claims } from './claim.ts';
import type { Drained } from './drained-since.ts';
import type { PinnedImage } from '../record/recorded-data.ts';

/** What the resolver knows of an image now. */
export type DigestLookup =
  | ({ state: 'resolved' } & PinnedImage)
  | { state: 'pending' }
  | { state: 'failed'; reason: Reason; message: string; retryable: boolean };

/** What a dry run of a new revision's Deployment said. */
export type DryRun = { ok: true } | { ok: false; message: string };

/** What the API server makes of a desired state, by its own answer to an apply or to a dry run of one. */
export interface StoredForm {
  /** The fields that are ours then. */
  fields: FieldSet;
  /** Their values, as canonical JSON. */
  values: string;
  /** The size that was asked for, and what an admission policy may have made of it. */
  scale?: { asked: number; stored: number | undefined };
}

/** The newest state that was desired of an object. */
export interface StoredState {
  /** See desiredHash. */
  hash: string;
  /** Left out: the dry run was refused, so that only the apply can tell. */
  form?: StoredForm;
  /** The live object was ours in this form once: what differs since then was changed by somebody else. */
  held: boolean;
}

export interface Memory {
  /** By the hash of the Deployment that was tried. */
  dryRuns: ReadonlyMap<string, DryRun>;
  /** Kind/name → why the first apply was refused: the name belongs to somebody else. */
  nameConflicts: ReadonlyMap<string, string>;
  /** Kind/name of what is gone, though something says that it was made. */
  lost: ReadonlySet<string>;
  /** Kind/name → what the API server would not take, by its hash, and why. */
  refused: ReadonlyMap<string, { hash: string; message: string }>;
  /** Kind/name → how the API server stores what is desired of it. */
  stored: ReadonlyMap<string, StoredState>;
  /** Kind/name of what somebody else keeps changing → which desired state, by its hash, and who. */
  contested: ReadonlyMap<string, { hash: string; manager: string }>;
  /** As the plan before had it. */
  drained: Drained;
}

/** The VMs of a placement, each with the pods that take room on it. */
export type LookUpRooms = (nodeSelector: Readonly<Record<string, string>>) => readonly Room[];

/**
 * What is known of an image's digest now; a registry is asked where nothing is. `template`: with the pull secrets. The answer
 * is the same for the whole of a plan.
 */
export type LookUpDigest = (image: string, template: PodTemplate) => DigestLookup;

/** The digest that a pinned tag names now, where it is known to be another one; in the same way. */
export type FindMoved = (image: string, template: PodTemplate, pinned: string) => string | undefined;

export interface MovedTag {
  image: string;
  pinned: string;
  digest: string;
}

export interface Observed {
  release: AppRelease;
  revisions: readonly ControllerRevision[];
  deployments: readonly Deployment[];
  services: readonly Service[];
  autoscalers: readonly Autoscaler[];
  budgets: readonly Budget[];
  /** Others that may select its pods, and those of its own that lost their label. */
  foreignBudgets: readonly Budget[];
  slices: readonly EndpointSlice[];
  pods: readonly Pod[];
  /** Those that its pods run on which are not ready. */
  nodes: readonly ReleaseNode[];
  vmPools: readonly VmPool[];
  /** Whom a cloud's label says a VM belongs to is asked of all of them. */
  vms: readonly PoolNode[];
  /** Counted when it is asked for only. Left out: not everybody's pods are seen, so nobody knows what room there is. */
  rooms?: LookUpRooms;
  /** What other releases were let into or wait for. Left out: nobody else is known of. */
  others?: () => readonly Claims[];
  /** Counts room as countRoom does, and keeps what it counted. Left out: each time anew. */
  countRoom?: CountRoom;
  rollbacks: readonly ReleaseRollback[];
  promotions: readonly ReleasePromotion[];
  lookUpDigest: LookUpDigest;
  findMoved: FindMoved;
  /** Whether a Service of another release, from before a Service selected its own release alone, selects this track. */
  isSelectedByOthers: (track: string) => boolean;
  /** Services without our label that stand where ours would, read live. */
  foreignServices: readonly Service[];
  memory: Memory;
}
