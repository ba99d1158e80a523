/** The writes of a plan as data, each with its reason. Nothing here does I/O. */
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
  /** Another event says the same: this notice is only counted in the metrics. */
  metricOnly?: true;
}

/** An object and the version that the plan was made from. The write fails with 409 if the object has changed since then. */
export interface Target {
  name: string;
  uid: string;
  resourceVersion: string;
}

/** A live check before a destructive write: the Service must not select this track, and must have this resourceVersion. */
export interface Guard {
  service: string;
  track: string;
  resourceVersion?: string;
}

export type Action = {
  message: string;
  notices?: readonly Notice[];
  /** The action moves traffic back, so it runs before the other actions of all releases. */
  takesTrafficBack?: true;
} & (
  | { kind: 'DryRun'; hash: string; deployment: DesiredDeployment }
  /** Asks how the API server stores the desired state of an existing object. */
  | { kind: 'DryRunApply'; desired: Desired<unknown> }
  | { kind: 'CreateRevision'; name: string; number: number; data: RevisionData; annotations: Record<string, string> }
  | { kind: 'CreateLedger'; name: string; annotations: Record<string, string> }
  | { kind: 'AnnotateRevision'; target: Target; annotations: Record<string, string> }
  /** Reads an object that the cache does not have from the API server. */
  | { kind: 'FindLost'; object: 'ControllerRevision' | 'Deployment'; name: string }
  | { kind: 'DeleteRevision'; target: Target }
  /** Makes the release the owner of the revision again. */
  | { kind: 'OwnRevision'; target: Target }
  /**
   * `force` is false if the cache has no such object: the write creates it, and an existing object belongs to somebody else.
   */
  | { kind: 'ApplyDeployment'; deployment: DesiredDeployment; force: boolean; guard?: Guard }
  | { kind: 'DeleteDeployment'; target: Target; guard?: Guard }
  /** `leadsTo`: Deployments that must still exist when the Service selects their pods: another leader may have removed them. */
  | { kind: 'ApplyService'; service: DesiredService; force: boolean; leadsTo?: readonly Target[] }
  | { kind: 'DeleteService'; target: Target }
  | { kind: 'ApplyAutoscaler'; autoscaler: DesiredAutoscaler; force: boolean }
  | { kind: 'DeleteAutoscaler'; target: Target }
  | { kind: 'ApplyBudget'; budget: DesiredBudget; force: boolean }
  | { kind: 'DeleteBudget'; target: Target }
  /** Null removes an annotation. */
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
