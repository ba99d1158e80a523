/** Every condition of every kind, with all its reasons. The types of the rules derive from this list. */

/** Faults of a spec that the API server accepted. */
const SPEC = [
  'InvalidSpec',
  'UnknownPool',
  'InvalidNodeSelector',
  'InvalidPort',
  'UnknownContainer',
  'InvalidService',
  'InvalidRoute',
  'InvalidTemplate',
  'TemplateRejected',
  'InternalError',
] as const;

/** Registry failures that need a person. */
const REGISTRY_REFUSES = [
  'InvalidReference',
  'NotFound',
  'Unauthorized',
  'Forbidden',
  'InvalidPullSecret',
  'TLS',
] as const;

/** Registry failures that may pass with time. */
const REGISTRY_FAILS = [
  'RegistryUnavailable',
  'TooManyRequests',
  'CredentialsUnavailable',
  'InvalidResponse',
  'Unsupported',
  'DigestMismatch',
  'Aborted',
] as const;

/** Why the operator does not roll back a failed version. */
const STAYS = ['NothingToReturnTo', 'Barrier', 'PreviousFailsToo', 'RollbackRejected'] as const;

/** Reasons of the gates that keep a version out of a stage. */
const GATES = [
  'Soaking',
  'WaitingForApproval',
  'ProvesNothing',
  'Failed',
  'Paused',
  'NoCapacity',
  'VMsUnavailable',
  'PullingImages',
  'Maintenance',
] as const;

const STALLED = [
  ...SPEC,
  ...REGISTRY_REFUSES,
  'NameTaken',
  'NamespaceTerminating',
  'RecordLost',
  'Failed',
  ...STAYS,
  'QuotaExceeded',
  'AdmissionDenied',
  'Refused',
  'GatewayAPIMissing',
  'RouteRejected',
] as const;
const UNDER_WAY = [
  'ResolvingDigests',
  'RecordingRevision',
  'Progressing',
  'Exposing',
  ...GATES,
  'MoveNotReady',
  'RolledBack',
  'WebhookUnavailable',
  'ApiServerError',
] as const;

/** Why a rollback is rejected. */
const NO_TARGET = ['NothingRuns', 'UnknownPool', 'SharedService', 'NoTarget'] as const;

/** Why a promotion waits, besides the gates. */
const PROMOTION_WAITS = ['StageBefore', 'HeldByRollback', 'NameTaken', 'WaitingForRevision', 'Exposing'] as const;
const PROMOTION_REJECTS = ['UnknownStage', 'UnknownStep', 'UnknownRevision'] as const;
/** Why a promotion is of no use any more: it is only a record. */
export const OVER = ['Superseded', 'RolledBack', 'AlreadyEntered', 'StepPassed'] as const;

export interface ConditionInfo {
  /** The meaning of status True. */
  means: string;
  True?: readonly string[];
  False?: readonly string[];
  Unknown?: readonly string[];
}

export const CONDITIONS = {
  AppRelease: {
    Ready: {
      means: 'The wanted version serves in every pool.',
      True: ['Released'],
      False: [...new Set([...UNDER_WAY, ...STALLED])],
    },
    Available: {
      means: 'Every pool serves a working version, wanted or not. A pager should watch this condition.',
      True: ['Available'],
      False: ['NothingServed', 'PoolsUnavailable'],
    },
    Reconciling: { means: 'A step is in progress or waits.', True: UNDER_WAY, False: ['Idle'] },
    Stalled: {
      means: 'The release needs a person to continue.',
      True: [...STALLED, 'RollbackFailed', 'RolledBack'],
      False: ['NotStalled'],
    },
    DigestsPinned: {
      means: 'Every image of the wanted version is pinned to a digest.',
      True: ['Pinned', 'TagMoved'],
      False: [...REGISTRY_REFUSES, ...REGISTRY_FAILS],
      Unknown: ['Resolving', ...SPEC],
    },
    CapacityAvailable: {
      means: 'No pod lacks room.',
      True: ['Fits'],
      False: ['NoCapacity', 'Unschedulable'],
    },
    DisruptionLimited: {
      means: 'A drain can evict only a part of each pool at a time.',
      True: ['Budgeted', 'ForeignBudget'],
      False: ['NothingToLimit'],
    },
    Placed: {
      means: 'The serving pods are on the VMs that the spec selects.',
      True: ['AsSpecified'],
      False: ['Moving', 'NoCapacity', 'MoveNotReady', 'VMLeftPool'],
    },
    TrafficRouted: {
      means: 'Every Gateway of the route has accepted it. Only a release with a route has this condition.',
      True: ['Accepted', 'RouteStays'],
      False: ['GatewayAPIMissing', 'NameTaken', 'RouteRejected', 'NotAccepted', 'WaitingForGateway', 'NoService'],
    },
    RolledBack: { means: 'A rollback is in force.', True: ['HeldByRollback'], False: ['NotRolledBack'] },
    Paused: { means: 'Promotions are stopped; rollbacks are not.', True: ['Paused'], False: ['NotPaused'] },
    Contested: {
      means: 'Another manager keeps changing fields that the operator owns.',
      True: ['FieldsContested'],
      False: ['NotContested'],
    },
    ClockSkewed: {
      means:
        "The operator's clock differs from the API server's by more than 5 s. The operator uses the API server's time.",
      True: ['ClocksDiffer'],
      False: ['ClocksAgree'],
    },
  },
  ReleaseRollback: {
    Ready: {
      means: 'Nothing is left to do: every pool serves its target, or the rollback is over.',
      True: ['Complete', 'Superseded', 'Ended'],
      False: ['InProgress', 'RollbackFailed', 'ReleaseNotFound', ...NO_TARGET],
    },
    Reconciling: {
      means: 'The rollback is in progress, or waits for its AppRelease.',
      True: ['InProgress', 'ReleaseNotFound'],
      False: ['Idle'],
    },
    Stalled: {
      means: 'The rollback needs a person.',
      True: ['RollbackFailed', ...NO_TARGET],
      False: ['NotStalled'],
    },
    Accepted: {
      means: 'The targets are stored.',
      True: ['Accepted'],
      False: NO_TARGET,
    },
    Complete: {
      means: 'Every pool that the rollback holds serves its target.',
      True: ['Complete'],
      False: ['InProgress', 'Rejected', 'Superseded', 'Ended'],
    },
    Superseded: { means: 'Later rollbacks took over all of its pools.', True: ['LaterRollback'], False: ['Latest'] },
    InForce: {
      means: 'The rollback holds pools at their targets.',
      True: ['Holding'],
      False: ['Rejected', 'Superseded', 'Ended'],
    },
    Waiting: { means: 'It waits for its AppRelease.', True: ['ReleaseNotFound'] },
  },
  ReleasePromotion: {
    Ready: {
      means:
        'Nothing is left to do: the revision entered the stage or went on from the step, or the promotion is over.',
      True: ['StageEntered', 'StepApproved', ...OVER],
      False: ['Entering', ...GATES, ...PROMOTION_WAITS, ...PROMOTION_REJECTS, 'ReleaseNotFound'],
    },
    Reconciling: {
      means: 'The promotion waits.',
      True: ['Entering', ...GATES, 'StageBefore', 'WaitingForRevision', 'Exposing', 'ReleaseNotFound'],
      False: ['Idle'],
    },
    Stalled: {
      means: 'The promotion needs a person.',
      True: ['Failed', 'HeldByRollback', 'NameTaken', 'WaitingForApproval', ...PROMOTION_REJECTS],
      False: ['NotStalled'],
    },
    Accepted: {
      means: 'The promotion is bound to the wanted revision and not used up.',
      True: ['Accepted'],
      False: [...PROMOTION_REJECTS, ...OVER],
      Unknown: ['WaitingForRevision', 'HeldByRollback'],
    },
    Complete: {
      means: 'The revision entered the stage, or went on from the step.',
      True: ['StageEntered', 'StepApproved'],
      False: ['Entering', ...GATES, ...PROMOTION_WAITS, ...PROMOTION_REJECTS, ...OVER],
    },
    Waiting: { means: 'It waits for its AppRelease.', True: ['ReleaseNotFound'] },
  },
  VMPool: {
    Ready: { means: 'Every VM accepts new pods.', True: ['NodesReady'], False: ['NodesNotReady', 'NoNodes'] },
    Draining: { means: 'VMs are cordoned or being removed.', True: ['NodesDraining'], False: ['NotDraining'] },
    Skewed: {
      means:
        'VMs of one architecture run different operating systems or kernels, or VMs different kubelets: a patch is in progress or incomplete.',
      True: ['VersionsDiffer'],
      False: ['NotSkewed'],
    },
    Overlapping: { means: 'Another VMPool matches some of the VMs.', True: ['SharedNodes'], False: ['NotOverlapping'] },
    Trespassed: {
      means: 'Pods of namespaces that are no tenants of the pool run on its VMs.',
      True: ['ForeignPods'],
      False: ['NoForeignPods'],
      Unknown: ['PodsUnknown'],
    },
    Evacuated: {
      means: 'The pool is in maintenance, and the routes of releases lead no traffic to it.',
      True: ['TrafficAway'],
      False: ['NotInMaintenance', 'TrafficStays'],
    },
    Empty: { means: 'No VM matches.', True: ['NoNodes'], False: ['NotEmpty'] },
  },
} as const satisfies Record<string, Record<string, ConditionInfo>>;

type Leaves<T> = T extends readonly (infer Leaf)[] ? Leaf : T extends object ? Leaves<T[keyof T]> : never;

/** Why a version waits before a stage. The last three are told by other reasons of the AppRelease, or are faults. */
export type GateReason = (typeof GATES)[number] | 'HeldByRollback' | 'StageBefore' | 'NameTaken';

/** Any reason of any condition. */
export type Reason = Leaves<typeof CONDITIONS>;

/** The reasons of a condition for one status. */
export function reasonsOf(condition: ConditionInfo, status: 'True' | 'False' | 'Unknown'): readonly string[] {
  return condition[status] ?? [];
}

/** Every reason of a kind's conditions, without duplicates. */
export function reasonsOfKind(kind: keyof typeof CONDITIONS): string[] {
  const conditions = Object.values<ConditionInfo>(CONDITIONS[kind]);
  const all = conditions.flatMap((one) => [one.True, one.False, one.Unknown].flatMap((reasons) => reasons ?? []));
  return [...new Set(all)];
}
