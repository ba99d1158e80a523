/** Every condition of every kind, and every reason that it can have. The types of the rules that give them are made of this. */

/** What is wrong with a spec, though the API server took it. */
const SPEC = [
  'InvalidSpec',
  'UnknownPool',
  'InvalidNodeSelector',
  'InvalidPort',
  'UnknownContainer',
  'InvalidService',
  'InvalidTemplate',
  'TemplateRejected',
  'InternalError',
] as const;

/** Why no digest is known, where a person must do something about it. */
const REGISTRY_REFUSES = [
  'InvalidReference',
  'NotFound',
  'Unauthorized',
  'Forbidden',
  'InvalidPullSecret',
  'TLS',
] as const;

/** Why no digest is known yet, where time may heal it. */
const REGISTRY_FAILS = [
  'RegistryUnavailable',
  'Timeout',
  'TooManyRequests',
  'CredentialsUnavailable',
  'InvalidResponse',
  'Unsupported',
  'DigestMismatch',
  'Aborted',
] as const;

/** Why nothing goes back by itself though a version has failed. */
const STAYS = ['NothingToReturnTo', 'Barrier', 'PreviousFailsToo', 'RollbackRejected'] as const;

/** What keeps a version out of a stage. */
const GATES = [
  'Soaking',
  'WaitingForApproval',
  'ProvesNothing',
  'Failed',
  'Paused',
  'NoCapacity',
  'VMsUnavailable',
  'PullingImages',
] as const;

const STALLED = [...SPEC, ...REGISTRY_REFUSES, 'NameTaken', 'RecordLost', 'Failed', ...STAYS, 'Refused'] as const;
const UNDER_WAY = [
  'ResolvingDigests',
  'RecordingRevision',
  'Progressing',
  ...GATES,
  'MoveNotReady',
  'RolledBack',
  'ApiServerError',
] as const;

export interface ConditionInfo {
  /** What it says when it is True. */
  means: string;
  True?: readonly string[];
  False?: readonly string[];
  Unknown?: readonly string[];
}

export const CONDITIONS = {
  AppRelease: {
    Ready: {
      means: 'The wanted version is in every pool.',
      True: ['Released'],
      False: [...new Set([...UNDER_WAY, ...STALLED])],
    },
    Available: {
      means: 'Every pool serves a version that works, whichever it is: what a pager should watch.',
      True: ['Available'],
      False: ['NothingServed', 'PoolsUnavailable'],
    },
    Reconciling: { means: 'Something is under way or is waited for.', True: UNDER_WAY, False: ['Idle'] },
    Stalled: {
      means: 'Nothing goes on by itself: a person is needed.',
      True: [...STALLED, 'RollbackFailed'],
      False: ['NotStalled'],
    },
    DigestsPinned: {
      means: 'Every image of the wanted version is pinned to a digest.',
      True: ['Pinned', 'TagMoved'],
      False: [...REGISTRY_REFUSES, ...REGISTRY_FAILS],
      Unknown: ['Resolving', ...SPEC],
    },
    CapacityAvailable: {
      means: 'No pod waits for room.',
      True: ['Fits'],
      False: ['NoCapacity', 'Unschedulable'],
    },
    DisruptionLimited: {
      means: 'A drain takes only part of a pool at a time.',
      True: ['Budgeted', 'ForeignBudget'],
      False: ['NothingToLimit'],
    },
    Placed: {
      means: 'What serves is on the VMs that the spec names.',
      True: ['AsSpecified'],
      False: ['Moving', 'NoCapacity', 'MoveNotReady'],
    },
    RolledBack: { means: 'A rollback is in force.', True: ['HeldByRollback'], False: ['NotRolledBack'] },
    Paused: { means: 'Steps forward are stopped; rollbacks are not.', True: ['Paused'], False: ['NotPaused'] },
    Contested: {
      means: 'Somebody else keeps changing what the operator owns.',
      True: ['FieldsContested'],
      False: ['NotContested'],
    },
  },
  ReleaseRollback: {
    Accepted: {
      means: 'Its targets are stored.',
      True: ['Accepted'],
      False: ['NothingRuns', 'UnknownPool', 'SharedService', 'NoTarget'],
    },
    Complete: {
      means: 'Every pool that it holds serves its target.',
      True: ['Complete'],
      False: ['InProgress', 'Rejected', 'Superseded', 'Ended'],
    },
    Superseded: { means: 'Later rollbacks took all of its pools over.', True: ['LaterRollback'], False: ['Latest'] },
    InForce: {
      means: 'It keeps pools where it put them.',
      True: ['Holding'],
      False: ['Rejected', 'Superseded', 'Ended'],
    },
    Waiting: { means: 'It waits for its AppRelease.', True: ['ReleaseNotFound'] },
  },
  ReleasePromotion: {
    Accepted: {
      means: 'It is bound to the wanted revision, and may still be spent.',
      True: ['Accepted'],
      False: ['UnknownStage', 'UnknownRevision', 'Superseded', 'RolledBack', 'AlreadyEntered'],
      Unknown: ['WaitingForRevision', 'HeldByRollback'],
    },
    Complete: {
      means: 'The stage was entered.',
      True: ['StageEntered'],
      False: [
        'Entering',
        ...GATES,
        'StageBefore',
        'HeldByRollback',
        'NameTaken',
        'WaitingForRevision',
        'UnknownStage',
        'UnknownRevision',
        'Superseded',
        'RolledBack',
        'AlreadyEntered',
      ],
    },
    Waiting: { means: 'It waits for its AppRelease.', True: ['ReleaseNotFound'] },
  },
  VMPool: {
    Ready: { means: 'Every VM is ready for pods.', True: ['NodesReady'], False: ['NodesNotReady', 'NoNodes'] },
    Draining: { means: 'VMs are cordoned or on their way out.', True: ['NodesDraining'], False: ['NotDraining'] },
    Skewed: {
      means: 'VMs of the pool run different systems, kernels or kubelets: a patch is under way, or was forgotten.',
      True: ['VersionsDiffer'],
      False: ['NotSkewed'],
    },
    Overlapping: { means: 'Another pool matches the same VMs.', True: ['SharedNodes'], False: ['NotOverlapping'] },
    Empty: { means: 'No VM matches.', True: ['NoNodes'], False: ['NotEmpty'] },
  },
} as const satisfies Record<string, Record<string, ConditionInfo>>;

type Leaves<T> = T extends readonly (infer Leaf)[] ? Leaf : T extends object ? Leaves<T[keyof T]> : never;

/** Any reason of any condition. */
export type Reason = Leaves<typeof CONDITIONS>;

/** The reasons of a condition with a status. */
export function reasonsOf(condition: ConditionInfo, status: 'True' | 'False' | 'Unknown'): readonly string[] {
  return condition[status] ?? [];
}

/** Every reason of a kind's conditions, once. */
export function reasonsOfKind(kind: keyof typeof CONDITIONS): string[] {
  const conditions = Object.values<ConditionInfo>(CONDITIONS[kind]);
  const all = conditions.flatMap((one) => [one.True, one.False, one.Unknown].flatMap((reasons) => reasons ?? []));
  return [...new Set(all)];
}
