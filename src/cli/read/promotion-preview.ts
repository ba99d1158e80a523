/** What a ReleasePromotion would let in, and what waits for one, as the status says it. The operator decides. Pure. */
import { conditionIs, findCondition } from '../../api/conditions.ts';
import { CliError } from '../exit-codes.ts';
import type { KnownRevisions } from './known-revisions.ts';
import type { LiveRelease } from './releases.ts';

type Stage = LiveRelease['spec']['stages'][number];

/** What a ReleasePromotion approves: a stage, or a step of its exposure. */
export interface Approval {
  readonly stage: string;
  readonly step?: number;
}

export interface Waiting extends Approval {
  /** What it waits for. */
  readonly message: string;
}

/** production, or step 2 of stage production. */
export function approvalText({ stage, step }: Approval): string {
  return step === undefined ? `stage ${stage}` : `step ${step} of stage ${stage}`;
}

/** @throws CliError if the release has no such stage */
export function stageNamed({ metadata, spec }: LiveRelease, name: string): Stage {
  const stage = spec.stages.find((one) => one.name === name);
  if (stage) return stage;
  const names = spec.stages.map((one) => one.name).join(', ');
  throw new CliError(`release ${metadata.name} has no stage ${name}: it has ${names}`);
}

/** The first stage that the wanted version has not entered with all pools. */
function openStage({ spec, status }: LiveRelease): Stage | undefined {
  const entered = new Set(
    (status?.pools ?? []).flatMap(({ name, wantedRevision }) => (wantedRevision === status?.revision ? [name] : [])),
  );
  return spec.stages.find(({ pools }) => pools.some(({ name }) => !entered.has(name)));
}

/**
 * The stage to promote to if none is named.
 * @throws CliError if the version is in all stages
 */
export function nextStage(release: LiveRelease): string {
  const stage = openStage(release);
  if (stage) return stage.name;
  const { metadata, status } = release;
  throw new CliError(`release ${metadata.name}: version ${status?.version ?? '-'} has entered every stage`);
}

/**
 * The revision that a promotion names, so that no other version is let in if the spec changes meanwhile. While a rollback is
 * in force a promotion that names the revision would end its hold: only a retry does that.
 */
export function revisionToName({ status }: LiveRelease): number | undefined {
  return conditionIs(status?.conditions, 'RolledBack', 'True') ? undefined : status?.revision;
}

/** What waits for an approval now. */
function waitingApprovals(release: LiveRelease): Waiting[] {
  const { spec, status } = release;
  const steps = spec.stages.flatMap((stage): Waiting[] => {
    const pool = status?.pools?.find(
      ({ name, traffic }) => traffic?.exposure?.step !== undefined && stage.pools.some((of) => of.name === name),
    );
    const { step, message = '' } = pool?.traffic?.exposure ?? {};
    if (step === undefined || stage.exposure?.[step - 1]?.approval !== 'Manual') return [];
    return [{ stage: stage.name, step, message }];
  });
  const ready = findCondition(status?.conditions, 'Ready');
  const stage = openStage(release);
  return steps.length === 0 && ready?.reason === 'WaitingForApproval' && stage
    ? [{ stage: stage.name, message: ready.message }]
    : steps;
}

/**
 * The one that is meant.
 * @throws CliError if nothing waits, or several do
 */
export function chooseApproval(
  release: LiveRelease,
  { stage, step }: { readonly stage?: string | undefined; readonly step?: number | undefined },
): Waiting {
  const { name } = release.metadata;
  if (stage !== undefined) stageNamed(release, stage);
  const waiting = waitingApprovals(release);
  const matching = waiting.filter(
    (one) => (stage === undefined || one.stage === stage) && (step === undefined || one.step === step),
  );
  const [found, ...others] = matching;
  if (found && others.length === 0) return found;
  const all = waiting.map(approvalText).join(', ');
  if (found) throw new CliError(`release ${name}: several wait for an approval: ${all}: name one by --stage`);
  if (waiting.length > 0) throw new CliError(`release ${name}: what waits for an approval is ${all}`);
  const ready = findCondition(release.status?.conditions, 'Ready');
  const state = ready ? `${ready.reason}: ${ready.message}` : 'no operator has seen the release';
  throw new CliError(`release ${name}: nothing waits for an approval (${state}); to let the version in early: promote`);
}

export interface PoolEntry {
  readonly pool: string;
  readonly from: { readonly version: string; readonly revision: number } | undefined;
  /** What the pool waits for. */
  readonly waitsFor: string | undefined;
}

/** The pools of a stage. */
export function stageEntries(release: LiveRelease, stage: Stage): PoolEntry[] {
  return stage.pools.map(({ name }) => {
    const own = release.status?.pools?.find((pool) => pool.name === name);
    return {
      pool: name,
      from: own?.revision === undefined ? undefined : { revision: own.revision, version: own.version ?? '-' },
      waitsFor: own?.traffic?.exposure?.message ?? own?.waitingFor,
    };
  });
}

/** Reasons of Ready for a version that failed and was not taken back. */
const FAILED: readonly string[] = ['Failed', 'NothingToReturnTo', 'Barrier', 'PreviousFailsToo', 'RollbackRejected'];

export interface Retry {
  readonly stage: string;
  readonly revision: number;
  /** Why the version needs it. */
  readonly why: string;
}

/**
 * The stage where the wanted version failed, or the first one that a rollback took it out of.
 * @throws CliError if there is nothing to retry
 */
export function retryOf(release: LiveRelease, { revisions }: KnownRevisions): Retry {
  const { metadata, spec, status } = release;
  const ready = findCondition(status?.conditions, 'Ready');
  const rolledBack = conditionIs(status?.conditions, 'RolledBack', 'True');
  const revision = status?.revision;
  const told = ready?.message ?? '';
  const failure = spec.stages
    .flatMap((stage) => stage.pools.map(({ name }) => ({ stage, pool: name })))
    .flatMap(({ stage, pool }) => {
      const cause = revisions.find(({ number }) => number === revision)?.failureIn(pool);
      return cause === undefined ? [] : [{ stage, why: `it failed in pool ${pool}: ${cause}` }];
    })[0];
  const hasFailed = failure !== undefined || (ready !== undefined && FAILED.includes(ready.reason));
  if (revision === undefined || (!hasFailed && !rolledBack)) {
    const state = ready ? `${ready.reason}: ${told}` : 'no operator has seen the release';
    throw new CliError(
      `release ${metadata.name}: version ${status?.version ?? '-'} has not failed, and no rollback keeps it out (${state})`,
    );
  }
  const why = failure?.why ?? told;
  const failedPool = /failed in pool ([-a-z0-9]+)/.exec(told)?.[1];
  const stage =
    (rolledBack
      ? undefined
      : (failure?.stage ?? spec.stages.find(({ pools }) => pools.some(({ name }) => name === failedPool)))) ??
    spec.stages.find((one) =>
      one.pools.some(({ name }) => status?.pools?.find((pool) => pool.name === name)?.revision !== revision),
    ) ??
    spec.stages[0];
  if (!stage) throw new CliError(`release ${metadata.name} has no stages`);
  return { stage: stage.name, revision, why };
}
