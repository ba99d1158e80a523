/** The writes of a plan as data, each with its reason. Nothing here does I/O. */
import type { ReleasePromotionStatus } from '../../api/release-promotion.ts';
import type { ReleaseRollbackSpec, ReleaseRollbackStatus } from '../../api/release-rollback.ts';
import type {
  DesiredAutoscaler,
  DesiredBudget,
  DesiredDeployment,
  DesiredObject,
  DesiredPod,
  DesiredRoute,
  DesiredService,
} from './kube-objects.ts';
import type { RevisionData } from './recorded-data.ts';

/** What metrics and the audit log read of a notice; its note is for people. */
export interface NoticeData {
  revision?: number;
  /** The version is deployed, or it was deployed and has failed or is taken back. */
  delivery?: 'Deployed' | 'Failed';
  /** Who asked for a rollback: a user, or the operator because of a failure. */
  cause?: 'manual' | 'automatic';
  /** For the audit log. */
  request?: Request;
}

/** Who asked for it, by which object, and why. */
interface Request {
  object: string;
  /** Absent: unknown. */
  actor?: string;
  reason?: string;
}

/** An event on the AppRelease (events.k8s.io/v1). */
export interface Notice {
  type: 'Normal' | 'Warning';
  reason: string;
  note: string;
  /** Another event says the same: this notice is only counted in the metrics. */
  metricOnly?: true;
  data?: NoticeData;
}

/** An object and the version that the plan was made from. The write fails with 409 if the object has changed since then. */
export interface Target {
  name: string;
  uid: string;
  resourceVersion: string;
}

/** A live check before a destructive write: no Service may select this track, and each must have its resourceVersion. */
export interface Guard {
  track: string;
  services: readonly { name: string; resourceVersion?: string }[];
}

export type Action = {
  message: string;
  notices?: readonly Notice[];
  /** The action moves traffic back, so it runs before the other actions of all releases. */
  takesTrafficBack?: true;
} &
  /** `exists`: asks for a change of an existing Deployment. */
  (
    | { kind: 'DryRun'; hash: string; deployment: DesiredDeployment; exists: boolean }
    /** Asks how the API server stores the desired state of an existing object. */
    | { kind: 'DryRunApply'; desired: DesiredObject }
    | { kind: 'CreateRevision'; name: string; number: number; data: RevisionData; annotations: Record<string, string> }
    | { kind: 'CreateLedger'; name: string; annotations: Record<string, string> }
    | { kind: 'AnnotateRevision'; target: Target; annotations: Record<string, string> }
    /** Reads an object that the cache does not have from the API server. */
    | { kind: 'FindLost'; object: 'ControllerRevision' | 'Deployment'; name: string }
    /** Makes the release the owner of the revision again. */
    | { kind: 'OwnRevision'; target: Target }
    | Apply
    | Delete
    /** Null removes an annotation. */
    | { kind: 'AnnotatePod'; target: Target; annotations: Record<string, string | null> }
    | { kind: 'CreatePull'; pod: DesiredPod }
    | { kind: 'CreateRollback'; name: string; spec: ReleaseRollbackSpec }
    | { kind: 'PatchRollback'; target: Target; status: ReleaseRollbackStatus }
    /** Stores the answer in an annotation; `own`: makes the release the owner too, so that the object is deleted with it. */
    | { kind: 'KeepAnswer'; of: 'ReleaseRollback' | 'ReleasePromotion'; target: Target; answer: string; own: boolean }
    | { kind: 'PatchPromotion'; target: Target; status: ReleasePromotionStatus }
  );

/** The kinds that a release owns, by the word for each in the names of actions. */
export const OWNED = {
  Deployment: 'Deployment',
  Service: 'Service',
  Autoscaler: 'HorizontalPodAutoscaler',
  Budget: 'PodDisruptionBudget',
  HTTPRoute: 'HTTPRoute',
  GRPCRoute: 'GRPCRoute',
  Revision: 'ControllerRevision',
  Pull: 'Pod',
} as const;

/** The owned kinds that are applied. A recorded revision and a pod that pulls images never change. */
interface Applied {
  Deployment: DesiredDeployment;
  Service: DesiredService;
  Autoscaler: DesiredAutoscaler;
  Budget: DesiredBudget;
  HTTPRoute: DesiredRoute;
  GRPCRoute: DesiredRoute;
}

type Apply = {
  [Word in keyof Applied]: {
    kind: `Apply${Word}`;
    desired: Applied[Word];
    /** False if the cache has no such object: the write creates it, and an existing object belongs to somebody else. */
    force: boolean;
    guard?: Guard;
    /**
     * Deployments to whose pods the traffic is led. They must still exist, because another leader may have removed them; an
     * action that takes traffic back waits for that check only in the first minute of a leader.
     */
    leadsTo?: readonly Target[];
  };
}[keyof Applied];

type Delete = {
  [Word in keyof typeof OWNED]: { kind: `Delete${Word}`; target: Target; guard?: Guard };
}[keyof typeof OWNED];

export type ApplyAction = Extract<Action, { kind: Apply['kind'] }>;
export type DeleteAction = Extract<Action, { kind: Delete['kind'] }>;

export function isApply(action: Action): action is ApplyAction {
  return 'force' in action;
}

export function isDelete(action: Action): action is DeleteAction {
  return action.kind.startsWith('Delete');
}

/** The kind of the object that an action applies or deletes. */
export function ownedKind(action: ApplyAction | DeleteAction): (typeof OWNED)[keyof typeof OWNED] {
  return isApply(action) ? action.desired.kind : OWNED[action.kind.slice('Delete'.length) as keyof typeof OWNED];
}

/** The name of that object. */
export function ownedName(action: ApplyAction | DeleteAction): string {
  return isApply(action) ? action.desired.metadata.name : action.target.name;
}

export function targetOf(object: { metadata: Target } | Target): Target {
  const { name, uid, resourceVersion } = 'metadata' in object ? object.metadata : object;
  return { name, uid, resourceVersion };
}
