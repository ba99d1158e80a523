/** Makes the status of an AppRelease from the view and the outcome of the pass. Pure. */
import type { AppRelease } from '../../api/app-release.ts';
import type { AppReleaseStatus, HistoryEntry, PoolStatus } from '../../api/app-release-status.ts';
import { own } from '../../lib/own.ts';
import { printable } from '../../lib/printable.ts';
import { disruptionLimited } from '../pools/disruption-budget.ts';
import type { ConditionDraft } from '../../api/conditions.ts';
import { flag, withConditions } from '../../api/conditions.ts';
import { clockSkewed } from './clock-skew.ts';
import { poolsToEnter } from '../stages/stage-pools.ts';
import type { InternalProblem } from '../record/internal-error.ts';
import { internalProblem } from '../record/internal-error.ts';
import { placedAsWanted } from '../stages/moves.ts';
import { rollbackReadiness } from '../rollback/readiness.ts';
import type { Revision } from '../record/revision.ts';
import { isBadIn, isGood, poolFacts, wantedVersion } from '../record/revision.ts';
import type { Outcome, Trouble } from './ready.ts';
import type { ReadyReason } from './ready-reason.ts';
import {
  arrivedPools,
  available,
  capacityAvailable,
  digestsPinned,
  held,
  heldForGood,
  poolProgress,
  stalled,
  unready,
} from './ready.ts';
import { poolTraffic, trafficRouted } from './traffic-routed.ts';
import { scaleMessage, wantedReplicas } from '../state/pool-size.ts';
import { isSettled, wantedRevision } from '../state/target.ts';
import type { PoolView, Rollout, View } from '../state/view.ts';

const HISTORY_LIMIT = 20;
const LOOSENED_LIMIT = 16;

export function releaseStatus(view: View, outcome: Outcome): AppReleaseStatus {
  try {
    return statusOf(view, outcome);
  } catch (error) {
    return internalErrorStatus(view.observed.release, view.now, internalProblem(error));
  }
}

/** The last status, with the internal error in its conditions. */
export function internalErrorStatus(
  { metadata, status }: AppRelease,
  now: number,
  { reason, message }: InternalProblem,
): AppReleaseStatus {
  const drafts: ConditionDraft[] = [
    { type: 'Ready', status: 'False', reason, message },
    flag('Reconciling', undefined, 'Idle', 'nothing is under way'),
    { type: 'Stalled', status: 'True', reason, message },
  ];
  return {
    ...status,
    ...(metadata.generation !== undefined && { observedGeneration: metadata.generation }),
    conditions: withConditions(status?.conditions, drafts, now, metadata.generation),
  };
}

function statusOf(view: View, outcome: Outcome): AppReleaseStatus {
  const { metadata, status } = view.observed.release;
  const wanted = wantedRevision(view);
  const version = wanted?.data.input.version ?? (view.spec && wantedVersion(view.spec));
  const stage = stageReached(view, wanted);
  const conditions = conditionsOf(view, outcome);
  // A release that had a route keeps no condition about it.
  const known = status?.conditions?.filter(
    ({ type }) => type !== 'TrafficRouted' || conditions.some((draft) => draft.type === type),
  );
  return {
    ...(metadata.generation !== undefined && { observedGeneration: metadata.generation }),
    ...(version !== undefined && { version }),
    ...(wanted && { revision: wanted.number }),
    ...(stage !== undefined && { stage }),
    readyPools: `${view.kind === 'Rollout' ? arrivedPools(view).length : 0}/${view.pools.length}`,
    conditions: withConditions(known, conditions, view.now, metadata.generation),
    pools: view.kind === 'Rollout' ? view.pools.map((pool) => poolStatus(view, pool, wanted)) : [],
    history: view.revisions
      .slice(-HISTORY_LIMIT)
      .toReversed()
      .map((revision) => historyEntry(view, revision)),
  };
}

/** The last stage with a pool that the wanted revision has entered. */
function stageReached(view: View, wanted: Revision | undefined): string | undefined {
  return view.pools.findLast(({ entered }) => entered !== undefined && entered === wanted)?.stage.name;
}

function conditionsOf(view: View, outcome: Outcome): ConditionDraft[] {
  const stuck = stalled(view) ?? troubled(outcome, 'Stalled') ?? heldForGood(view);
  const rolledBack = held(view);
  const missing =
    (rolledBack ? unready(view) : (stuck ?? troubled(outcome, 'Waits'))) ??
    unready(view) ??
    troubled(outcome, 'Waits') ??
    troubled(outcome, 'Unknown');
  const contested = [...view.observed.memory.contested].map(
    ([object, { manager }]) => `${manager} keeps changing ${object}`,
  );
  const reconciling = stuck || !missing ? undefined : missing;
  return [
    missing
      ? { type: 'Ready', status: 'False', ...missing }
      : {
          type: 'Ready',
          status: 'True',
          reason: 'Released',
          message: `version ${view.lastWanted?.data.input.version ?? ''} is in every pool`,
        },
    available(view),
    flag('Reconciling', reconciling, 'Idle', 'nothing is under way'),
    flag('Stalled', stuck, 'NotStalled', 'no action is needed'),
    digestsPinned(view),
    capacityAvailable(view),
    disruptionLimited(view),
    placedAsWanted(view),
    ...trafficRouted(view),
    flag(
      'RolledBack',
      rolledBack && { ...rolledBack, reason: 'HeldByRollback' },
      'NotRolledBack',
      'no rollback is in force',
    ),
    flag(
      'Paused',
      view.paused === undefined ? undefined : { reason: 'Paused', message: view.paused },
      'NotPaused',
      'the release is not paused',
    ),
    flag(
      'Contested',
      contested[0] === undefined ? undefined : { reason: 'FieldsContested', message: contested.join('; ') },
      'NotContested',
      'no other manager keeps changing what the operator owns',
    ),
    clockSkewed(view.observed),
  ];
}

function troubled({ trouble }: Outcome, kind: Trouble['kind']): ReadyReason | undefined {
  return trouble?.kind === kind ? { reason: trouble.reason, message: trouble.message } : undefined;
}

function poolStatus(view: Rollout, pool: PoolView, wanted: Revision | undefined): PoolStatus {
  const { served, current, stage, group } = pool;
  const target = pool.target?.revision;
  const waitingFor = waiting(view, pool, wanted);
  const rollback = rollbackReadiness(view, pool);
  const digest = served && servedDigest(served);
  const replicasReason = scaleMessage(pool);
  const traffic = poolTraffic(view, pool);
  return {
    name: pool.name,
    stage: stage.name,
    ...(group.serviceName !== undefined && { service: group.serviceName }),
    ...(served ? { version: served.data.input.version, revision: served.number } : lostStatus(pool)),
    ...(target && { wantedRevision: target.number }),
    replicas: wantedReplicas(pool, current),
    readyReplicas: current?.ready ?? 0,
    ...(replicasReason !== undefined && { replicasReason: printable(replicasReason) }),
    ...(digest !== undefined && { digest }),
    ...(traffic && { traffic }),
    ...(pool.hold && { heldBy: pool.hold.rollback.metadata.name }),
    ...(waitingFor !== undefined && { waitingFor: printable(waitingFor) }),
    ...(rollback && { rollback }),
  };
}

function lostStatus({ lost }: PoolView): Pick<PoolStatus, 'version' | 'revision'> {
  return lost ? { revision: lost.number, ...(lost.version !== undefined && { version: lost.version }) } : {};
}

function servedDigest({ data }: Revision): string | undefined {
  return own(data.images, data.input.template.spec.containers[0]?.image ?? '')?.digest;
}

function waiting(view: Rollout, pool: PoolView, wanted: Revision | undefined): string | undefined {
  const own = versionWait(view, pool, wanted);
  const move = pool.move?.message;
  return own === undefined || move === undefined || own === move ? (own ?? move) : `${own}; ${move}`;
}

/** What the wanted version or a rollback waits for in a pool. */
function versionWait(view: Rollout, pool: PoolView, wanted: Revision | undefined): string | undefined {
  if (pool.hold)
    return pool.hold.pool.completedAt === undefined
      ? poolProgress(view, pool)
      : `held by rollback ${pool.hold.rollback.metadata.name}`;
  if (!wanted || isSettled(view, pool, wanted)) return undefined;
  return poolsToEnter(view, pool.stage, wanted).includes(pool)
    ? view.gate(pool.stage)?.message
    : poolProgress(view, pool);
}

function historyEntry(view: View, revision: Revision): HistoryEntry {
  const { number, data, createdAt, facts } = revision;
  const pools = Object.keys(facts.pools);
  const undone = pools.map((pool) => poolFacts(revision, pool).rolledBack).find((mark) => mark !== undefined);
  const rollback = view.observed.rollbacks.find(
    ({ metadata, status }) => metadata.name === undone?.by && status?.acceptedAt === undone.at,
  );
  // The name of an object says nothing about who created it.
  const by = undone ? rollback?.spec.requestedBy : Object.values(facts.approvals).find((approval) => approval.by)?.by;
  const loosened = view.record.loosened
    .filter(({ revision: of }) => of === number)
    .flatMap(({ at, gates }) => gates.map((gate) => `${at}: ${printable(gate)}`))
    .slice(-LOOSENED_LIMIT);
  return {
    revision: number,
    version: data.input.version,
    images: Object.values(data.images)
      .map(({ image }) => image)
      .slice(0, 64),
    createdAt,
    outcome: outcomeOf(view, revision),
    ...(by !== undefined && { by: printable(by) }),
    ...(loosened.length > 0 && { loosened }),
  };
}

function outcomeOf(view: View, revision: Revision): HistoryEntry['outcome'] {
  const pools = Object.keys(revision.facts.pools);
  if (pools.some((pool) => poolFacts(revision, pool).failed)) return 'Failed';
  if (pools.some((pool) => isBadIn(revision, pool))) return 'RolledBack';
  const good = pools.some((pool) => isGood(revision, pool));
  if (revision !== view.lastWanted) return good ? 'Good' : 'Superseded';
  if (view.pools.every(({ name }) => isGood(revision, name))) return 'Good';
  return pools.length > 0 ? 'Progressing' : 'Pending';
}
