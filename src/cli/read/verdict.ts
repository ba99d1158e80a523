/** Whether what was asked for is reached, has failed, or waits. Pure. */
import type { HistoryEntry, PoolStatus } from '../../api/app-release-status.ts';
import { conditionIs, findCondition } from '../../api/conditions.ts';
import type { CONDITIONS } from '../../api/reasons.ts';
import { inputHash, wantedVersion } from '../../release/record/revision.ts';
import type { LiveRelease } from './releases.ts';

/** The part of the release that has to serve the version. */
export type Goal =
  | { readonly kind: 'Release' }
  | { readonly kind: 'Stage'; readonly name: string }
  | { readonly kind: 'Pool'; readonly name: string };

/**
 * What the spec has to want. The answer is never about another version.
 * - `Version`: a version, which the spec may not want yet. `isSeen`: the spec wanted it.
 * - `Generation`: the spec of this generation; `input`: a hash of what it wants, once it was seen.
 */
export type Asked =
  | { readonly kind: 'Version'; readonly version: string; readonly isSeen?: boolean }
  | { readonly kind: 'Generation'; readonly generation: number; readonly input?: string };

export interface Question {
  readonly uid: string;
  readonly goal: Goal;
  readonly asked: Asked;
}

export interface Verdict {
  readonly kind: 'Reached' | 'Failed' | 'WaitsForPerson' | 'Waits';
  /** The reason of the condition Ready, where it explains the verdict. */
  readonly reason?: string;
  readonly message: string;
}

export type UnreadyReason = (typeof CONDITIONS)['AppRelease']['Ready']['False'][number];

/** Only a rollback is decided by more than the reason of Ready. */
type ReasonClass = Exclude<Verdict['kind'], 'Reached'> | 'TakenBack';

/** Failed: only a change of the spec, or of what surrounds it, goes on. WaitsForPerson: a decision goes on. */
export const REASON_CLASS: Readonly<Record<UnreadyReason, ReasonClass>> = {
  ResolvingDigests: 'Waits',
  RecordingRevision: 'Waits',
  Progressing: 'Waits',
  Exposing: 'Waits',
  Soaking: 'Waits',
  NoCapacity: 'Waits',
  VMsUnavailable: 'Waits',
  PullingImages: 'Waits',
  Maintenance: 'Waits',
  MoveNotReady: 'Waits',
  WebhookUnavailable: 'Waits',
  ApiServerError: 'Waits',

  WaitingForApproval: 'WaitsForPerson',
  ProvesNothing: 'WaitsForPerson',
  Paused: 'WaitsForPerson',

  RolledBack: 'TakenBack',

  Failed: 'Failed',
  NothingToReturnTo: 'Failed',
  Barrier: 'Failed',
  PreviousFailsToo: 'Failed',
  RollbackRejected: 'Failed',
  InvalidSpec: 'Failed',
  UnknownPool: 'Failed',
  InvalidNodeSelector: 'Failed',
  InvalidPort: 'Failed',
  UnknownContainer: 'Failed',
  InvalidService: 'Failed',
  InvalidRoute: 'Failed',
  InvalidTemplate: 'Failed',
  TemplateRejected: 'Failed',
  InternalError: 'Failed',
  InvalidReference: 'Failed',
  NotFound: 'Failed',
  Unauthorized: 'Failed',
  Forbidden: 'Failed',
  InvalidPullSecret: 'Failed',
  TLS: 'Failed',
  NameTaken: 'Failed',
  NamespaceTerminating: 'Failed',
  RecordLost: 'Failed',
  QuotaExceeded: 'Failed',
  AdmissionDenied: 'Failed',
  Refused: 'Failed',
  GatewayAPIMissing: 'Failed',
  RouteRejected: 'Failed',
};

/** The question about the spec as it is now, or about a version or generation that is named. */
export function questionOf(
  release: LiveRelease,
  goal: Goal,
  { version, generation }: { readonly version?: string | undefined; readonly generation?: number | undefined },
): Question {
  const asked: Asked =
    version === undefined
      ? { kind: 'Generation', generation: generation ?? generationOf(release) }
      : { kind: 'Version', version };
  return { uid: release.metadata.uid, goal, asked };
}

/** The question, with what the release tells about the version that is asked for: call it for each state that is seen. */
export function seenBy(release: LiveRelease, question: Question): Question {
  const { asked } = question;
  if (asked.kind === 'Version')
    return wantedVersion(release.spec) === asked.version
      ? { ...question, asked: { ...asked, isSeen: true } }
      : question;
  return asked.input === undefined && generationOf(release) === asked.generation
    ? { ...question, asked: { ...asked, input: inputHash(release.spec) } }
    : question;
}

/** `release`: undefined if it was deleted. `question`: as `seenBy` returns it. */
export function verdictOf(release: LiveRelease | undefined, question: Question): Verdict {
  if (!release) return { kind: 'Failed', message: 'the release was deleted' };
  if (release.metadata.uid !== question.uid)
    return { kind: 'Failed', message: 'the release was deleted, and another one has its name' };
  if (release.metadata.deletionTimestamp !== undefined)
    return { kind: 'Failed', message: 'the release is being deleted' };
  return (
    otherSpec(release, question) ??
    notObserved(release) ??
    missing(release, question.goal) ??
    ofStatus(release, question)
  );
}

/** The spec wants something else than what was asked for. */
function otherSpec({ metadata, spec, status }: LiveRelease, { asked }: Question): Verdict | undefined {
  const wants = wantedVersion(spec) ?? 'no version';
  if (asked.kind === 'Version') {
    const { version, isSeen = false } = asked;
    if (wants === version) return undefined;
    const entry = status?.history?.find((one) => one.version === version);
    if (!entry && !isSeen)
      return { kind: 'Waits', message: `the spec does not want version ${version} yet: it wants ${wants}` };
    return {
      kind: 'Failed',
      message: `the spec does not want version ${version} any more: it wants ${wants}${outcomeText(entry)}`,
    };
  }
  const generation = generationOf({ metadata });
  if (generation < asked.generation)
    return { kind: 'Waits', message: `the release has no generation ${asked.generation} yet: it is at ${generation}` };
  if (asked.input === undefined)
    return {
      kind: 'Failed',
      message: `generation ${asked.generation} was replaced by generation ${generation}, which may want something else: ask for a version by --version`,
    };
  return asked.input === inputHash(spec)
    ? undefined
    : {
        kind: 'Failed',
        message: `generation ${generation} replaced what was asked for: the spec wants version ${wants}`,
      };
}

function outcomeText(entry: HistoryEntry | undefined): string {
  return entry ? `; revision ${entry.revision}: ${entry.outcome}` : '';
}

function notObserved({ metadata, status }: LiveRelease): Verdict | undefined {
  return (status?.observedGeneration ?? -1) < generationOf({ metadata })
    ? { kind: 'Waits', message: 'the operator has not seen the newest spec yet' }
    : undefined;
}

function missing({ spec: { stages } }: LiveRelease, goal: Goal): Verdict | undefined {
  if (goal.kind === 'Release') return undefined;
  const names = (goal.kind === 'Stage' ? stages : stages.flatMap(({ pools }) => pools)).map(({ name }) => name);
  const what = goal.kind.toLowerCase();
  return names.includes(goal.name)
    ? undefined
    : { kind: 'Failed', message: `the release has no ${what} ${goal.name}: it has ${names.join(', ')}` };
}

/** The status is about the spec that was asked for. */
function ofStatus(release: LiveRelease, { goal }: Question): Verdict {
  const { spec, status } = release;
  const version = status?.version ?? wantedVersion(spec) ?? '';
  if (goal.kind !== 'Release' && goalPools(release, goal).every((pool) => serves(pool, status?.revision)))
    return { kind: 'Reached', message: `${goal.kind.toLowerCase()} ${goal.name} serves version ${version}` };
  const ready = findCondition(status?.conditions, 'Ready');
  if (!ready) return { kind: 'Waits', message: 'the operator has not told the state of the release yet' };
  const { reason, message } = ready;
  if (ready.status === 'True')
    return goal.kind === 'Release'
      ? { kind: 'Reached', reason, message: `version ${version} serves in every pool` }
      : { kind: 'Waits', reason, message };
  return { kind: kindOf(release, reason), reason, message };
}

/** The pools of the goal; undefined for one without a status. */
function goalPools(
  { spec, status }: LiveRelease,
  goal: Exclude<Goal, { kind: 'Release' }>,
): (PoolStatus | undefined)[] {
  const names = spec.stages
    .filter((stage) => goal.kind === 'Pool' || stage.name === goal.name)
    .flatMap(({ pools }) => pools.map(({ name }) => name))
    .filter((name) => goal.kind === 'Stage' || name === goal.name);
  return names.map((name) => status?.pools?.find((pool) => pool.name === name));
}

function serves(pool: PoolStatus | undefined, wanted: number | undefined): boolean {
  return (
    pool !== undefined &&
    wanted !== undefined &&
    pool.revision === wanted &&
    pool.readyReplicas >= pool.replicas &&
    pool.heldBy === undefined &&
    pool.waitingFor === undefined &&
    pool.traffic?.exposure === undefined
  );
}

function kindOf({ status }: LiveRelease, reason: string): Exclude<Verdict['kind'], 'Reached'> {
  const isStalled = conditionIs(status?.conditions, 'Stalled', 'True');
  const known = Object.hasOwn(REASON_CLASS, reason) ? REASON_CLASS[reason as UnreadyReason] : undefined;
  // A reason of a newer operator.
  if (known === undefined) return isStalled ? 'Failed' : 'Waits';
  if (known !== 'TakenBack') return known;
  const entry = status?.history?.find(({ revision }) => revision === status.revision);
  if (entry?.outcome === 'Failed' || entry?.outcome === 'RolledBack') return 'Failed';
  // A rollback from before keeps the version out, until the operator has recorded that it does not.
  return isStalled ? 'WaitsForPerson' : 'Waits';
}

function generationOf({ metadata }: { readonly metadata: object }): number {
  return (metadata as { generation?: number }).generation ?? 0;
}
