/** What a plan is made of: every write as data, with its reason. Nothing here does I/O. */
import type { ReleasePromotionStatus } from '../../api/release-promotion.ts';
import type { ReleaseRollbackSpec, ReleaseRollbackStatus } from '../../api/release-rollback.ts';
import type {
  Desired,
  DesiredAutoscaler,
  DesiredBudget,
  DesiredDeployment,
  DesiredPod,
  DesiredService,
} from './kube-objects.ts';
import type { RevisionData } from './recorded-data.ts';

/** An event on the AppRelease (events.k8s.io/v1). */
export interface Notice {
  type: 'Normal' | 'Warning';
  reason: string;
  note: string;
  /** Another event tells the same: this one is only counted. */
  isTold?: true;
}

/** Identity and the version that the decision was made on: the write fails with 409 when the object has changed since. */
export interface Target {
  name: string;
  uid: string;
  resourceVersion: string;
}

/** Read live before a destructive write: the Service must not select this track, and be what the plan was made on. */
export interface Guard {
  service: string;
  track: string;
  resourceVersion?: string;
}

export type Action = {
  message: string;
  notices?: readonly Notice[];
  /** Takes traffic back: it goes before all else, of every release. */
  takesTrafficBack?: true;
} & (
  | { kind: 'DryRun'; hash: string; deployment: DesiredDeployment }
  /** Asks how the API server stores what is desired of an object that is there. */
  | { kind: 'DryRunApply'; desired: Desired<unknown> }
  | { kind: 'CreateRevision'; name: string; number: number; data: RevisionData; annotations: Record<string, string> }
  | { kind: 'CreateLedger'; name: string; annotations: Record<string, string> }
  | { kind: 'AnnotateRevision'; target: Target; annotations: Record<string, string> }
  /** Reads live what no cache shows. */
  | { kind: 'FindLost'; object: 'ControllerRevision' | 'Deployment'; name: string }
  | { kind: 'DeleteRevision'; target: Target }
  /** Makes the release its owner again. */
  | { kind: 'OwnRevision'; target: Target }
  /** `force` is false where the object was not seen: it is made, and one that is there is somebody else's. */
  | { kind: 'ApplyDeployment'; deployment: DesiredDeployment; force: boolean; guard?: Guard }
  | { kind: 'DeleteDeployment'; target: Target; guard?: Guard }
  | { kind: 'ApplyService'; service: DesiredService; force: boolean }
  | { kind: 'DeleteService'; target: Target }
  | { kind: 'ApplyAutoscaler'; autoscaler: DesiredAutoscaler; force: boolean }
  | { kind: 'DeleteAutoscaler'; target: Target }
  | { kind: 'ApplyBudget'; budget: DesiredBudget; force: boolean }
  | { kind: 'DeleteBudget'; target: Target }
  /** Null takes an annotation away. */
  | { kind: 'AnnotatePod'; target: Target; annotations: Record<string, string | null> }
  | { kind: 'CreatePull'; pod: DesiredPod }
  | { kind: 'DeletePull'; target: Target }
  | { kind: 'CreateRollback'; name: string; spec: ReleaseRollbackSpec }
  | { kind: 'PatchRollback'; target: Target; status: ReleaseRollbackStatus }
  | { kind: 'OwnRollback'; target: Target }
  | { kind: 'PatchPromotion'; target: Target; status: ReleasePromotionStatus }
);

export function targetOf(object: { metadata: Target } | Target): Target {
  const { name, uid, resourceVersion } = 'metadata' in object ? object.metadata : object;
  return { name, uid, resourceVersion };
}
