/** What the time of a promotion is spent on, by the reason of the condition Ready. Pure. */
import type { CONDITIONS } from '../api/reasons.ts';
import { own } from '../lib/own.ts';

export const PHASES = ['active', 'soaking', 'approval', 'blocked'] as const;
export type Phase = (typeof PHASES)[number];

type Ready = (typeof CONDITIONS)['AppRelease']['Ready'];
type ReasonOfReady = Ready['True' | 'False'][number];

/** Null: no promotion is under way. The compiler asks for the phase of a new reason. */
const PHASE_OF: Readonly<Record<ReasonOfReady, Phase | null>> = {
  Released: null,
  RolledBack: null,

  ResolvingDigests: 'active',
  RecordingRevision: 'active',
  Progressing: 'active',
  Exposing: 'active',
  PullingImages: 'active',
  MoveNotReady: 'active',

  Soaking: 'soaking',
  WaitingForApproval: 'approval',

  ProvesNothing: 'blocked',
  Paused: 'blocked',
  NoCapacity: 'blocked',
  VMsUnavailable: 'blocked',
  Maintenance: 'blocked',
  WebhookUnavailable: 'blocked',
  ApiServerError: 'blocked',

  InvalidSpec: 'blocked',
  UnknownPool: 'blocked',
  InvalidNodeSelector: 'blocked',
  InvalidPort: 'blocked',
  UnknownContainer: 'blocked',
  InvalidService: 'blocked',
  InvalidRoute: 'blocked',
  InvalidTemplate: 'blocked',
  TemplateRejected: 'blocked',
  InternalError: 'blocked',

  InvalidReference: 'blocked',
  NotFound: 'blocked',
  Unauthorized: 'blocked',
  Forbidden: 'blocked',
  InvalidPullSecret: 'blocked',
  TLS: 'blocked',

  NameTaken: 'blocked',
  NamespaceTerminating: 'blocked',
  RecordLost: 'blocked',
  Failed: 'blocked',
  NothingToReturnTo: 'blocked',
  Barrier: 'blocked',
  PreviousFailsToo: 'blocked',
  RollbackRejected: 'blocked',
  QuotaExceeded: 'blocked',
  AdmissionDenied: 'blocked',
  Refused: 'blocked',
  GatewayAPIMissing: 'blocked',
  RouteRejected: 'blocked',
};

/** A reason that an older operator wrote may be unknown: no phase. */
export function phaseOf(reason: string): Phase | undefined {
  return own<Phase | null>(PHASE_OF, reason) ?? undefined;
}
