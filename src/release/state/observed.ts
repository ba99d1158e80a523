/** The input of a pass: the objects of the caches and the memory of the process, all as plain data. */
import type { AppRelease, PodTemplate } from '../../api/app-release.ts';
import type { Reason } from '../../api/reasons.ts';
import type { ReleasePromotion } from '../../api/release-promotion.ts';
import type { ReleaseRollback } from '../../api/release-rollback.ts';
import type { RouteKind } from '../../api/route.ts';
import type { VmPool } from '../../api/vm-pool.ts';
import type { CountRoom } from '../../scheduling/fit.ts';
import type { Room } from '../../scheduling/demand.ts';
import type { Node as PoolNode } from '../../scheduling/objects.ts';
import type { OWNED } from '../record/actions.ts';
import type { FieldSet } from '../record/fields.ts';
import type {
  Autoscaler,
  Budget,
  ControllerRevision,
  Deployment,
  EndpointSlice,
  ReleaseNode,
  Pod,
  Route,
  Service,
} from '../record/kube-objects.ts';
import type { Claims } from './claim.ts';
import type { Drained } from '../traffic/drained-since.ts';
import type { PinnedImage } from '../record/recorded-data.ts';

/** The current state of the resolution of an image. */
export type DigestLookup =
  | ({ state: 'resolved' } & PinnedImage)
  /** `isQueued`: the requests of other releases go first. */
  | { state: 'pending'; isQueued?: true }
  | { state: 'failed'; reason: Reason; message: string; retryable: boolean };

/** Why the API server did not take an object. */
export interface Refusal {
  reason: Reason;
  message: string;
}

/**
 * The result of a dry run of the Deployment of a new revision. With the reason TemplateRejected, the template is at fault.
 * `pods`: the hash of the pod template in the answer, see storedPods.
 */
export type DryRun = { ok: true; pods?: string } | ({ ok: false } & Refusal);

/** How the API server stores a desired state, from its answer to an apply or a dry run. */
export interface StoredForm {
  /** The fields that the operator owns. */
  fields: FieldSet;
  /** Their values, as canonical JSON. */
  values: string;
  /** The replicas that were sent and the replicas that were stored. An admission policy may change them. */
  scale?: { asked: number; stored: number | undefined };
}

/** The last desired state of an object. */
export interface StoredState {
  /** See desiredHash. */
  hash: string;
  /** Absent if the API server rejected the dry run. */
  form?: StoredForm;
  /** Whether the live object has had this form. Then any difference is a change of somebody else. */
  held: boolean;
}

/** Kind/name of a route that the spec no longer names → since when others serve all that it serves (ms since the epoch). */
export type Covered = ReadonlyMap<string, number>;

export interface Memory {
  /** Hash of the Deployment → result. */
  dryRuns: ReadonlyMap<string, DryRun>;
  /** Kind/name → message. The first apply was rejected because the name belongs to somebody else. */
  nameConflicts: ReadonlyMap<string, string>;
  /** Kind/name of objects that other objects refer to and that the API server does not have. */
  lost: ReadonlySet<string>;
  /** Nothing can be created, because the namespace is being deleted. */
  terminating: boolean;
  /** The Deployments that a quota does not let the operator create. */
  overQuota: ReadonlySet<string>;
  /** Kind/name → the desired state that the API server rejected, as its hash, and the reason. */
  refused: ReadonlyMap<string, Refusal & { hash: string }>;
  /** Kind/name → how the API server stores the desired state. */
  stored: ReadonlyMap<string, StoredState>;
  /** Kind/name → the desired state that another manager keeps changing, as its hash, and the manager. */
  contested: ReadonlyMap<string, { hash: string; manager: string }>;
  /** Kind/name of contested Services whose selector was put back just now. It is put back again a little later. */
  paced: ReadonlySet<string>;
  /** The results of the previous plan. */
  drained: Drained;
  covered: Covered;
}

/** The VMs of a placement, each with the pods that use its resources. */
export type LookUpRooms = (nodeSelector: Readonly<Record<string, string>>) => readonly Room[];

/**
 * The digest of an image, if it is known; otherwise starts to ask the registry. `template` has the pull secrets. The answer
 * does not change during a plan.
 */
export type LookUpDigest = (image: string, template: PodTemplate) => DigestLookup;

/** The digest that a pinned tag names now, if it is known to differ from the pin. Works like LookUpDigest. */
export type FindMoved = (image: string, template: PodTemplate, pinned: string) => string | undefined;

export interface MovedTag {
  image: string;
  pinned: string;
  digest: string;
}

/** The objects of each kind that a release owns. */
export interface OwnedObjects {
  deployments: readonly Deployment[];
  services: readonly Service[];
  autoscalers: readonly Autoscaler[];
  budgets: readonly Budget[];
  httpRoutes: readonly Route[];
  grpcRoutes: readonly Route[];
  revisions: readonly ControllerRevision[];
  pods: readonly Pod[];
}

/** The field of each owned kind. It is also the name of the row of the kind in the table of kinds. */
export const OWNED_FIELDS = {
  Deployment: 'deployments',
  Service: 'services',
  HorizontalPodAutoscaler: 'autoscalers',
  PodDisruptionBudget: 'budgets',
  HTTPRoute: 'httpRoutes',
  GRPCRoute: 'grpcRoutes',
  ControllerRevision: 'revisions',
  Pod: 'pods',
} as const satisfies Record<(typeof OWNED)[keyof typeof OWNED], keyof OwnedObjects>;

/** `NotFound`: the cluster has no CRD of the kind. `Forbidden`: the operator has no right to read it. */
export type Absence = 'NotFound' | 'Forbidden';

export interface Observed extends OwnedObjects {
  release: AppRelease;
  /** Other budgets that may select the pods of the release, and its own budgets without their label. */
  foreignBudgets: readonly Budget[];
  slices: readonly EndpointSlice[];
  /** Nodes that run pods of the release and are not ready. */
  nodes: readonly ReleaseNode[];
  vmPools: readonly VmPool[];
  /** All VMs, because the label of a cloud decides which pool a VM belongs to. */
  vms: readonly PoolNode[];
  /** Absent if the operator does not see the pods of all namespaces, so that the free room is not known. Lazy. */
  rooms?: LookUpRooms;
  /** The claims of other releases. Absent if no other release is known. */
  others?: () => readonly Claims[];
  /** A countRoom that caches its results. Absent: countRoom is used. */
  countRoom?: CountRoom;
  rollbacks: readonly ReleaseRollback[];
  promotions: readonly ReleasePromotion[];
  lookUpDigest: LookUpDigest;
  findMoved: FindMoved;
  /** Whether the Service of another release selects this track. Services of earlier operators selected only the track. */
  isSelectedByOthers: (track: string) => boolean;
  /** Services that have the name of a Service of the release and do not have its label. Read live. */
  foreignServices: readonly Service[];
  /** All routes that the operator can read, if the release has one that its spec does not name. Read live. */
  otherRoutes: readonly Route[];
  /** Why the operator has no objects of a kind of route; undefined if the API server serves the kind. */
  routeAbsence: (kind: RouteKind) => Absence | undefined;
  /** How far the operator's clock is ahead of the API server's (ms). Absent: not at all. */
  clockSkewMs?: number;
  memory: Memory;
}
