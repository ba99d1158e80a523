/** The gates of a stage. A revision enters the stage when no gate gives a reason to wait. Pure. */
import type { Stage } from '../../api/app-release.ts';
import { parseDuration } from '../../api/common.ts';
import { firstOf } from '../../lib/first-of.ts';
import type { Revision } from '../record/revision.ts';
import type { Approval } from '../record/recorded-data.ts';
import { isBad, poolFacts } from '../record/revision.ts';
import { describeMark, inheritsFrom, keepsOut } from '../state/kinship.ts';
import { hasFailed, isEntered, isServing } from '../state/target.ts';
import type { PoolView, Rollout, Wait } from '../state/view.ts';
import { inForce } from '../state/view.ts';
import { approvalFor } from './approvals.ts';
import { capacityWait } from './capacity.ts';
import { prepullWait } from './prepull.ts';
import { closedPools } from '../state/maintenance.ts';
import { poolsToEnter, stagePools } from './stage-pools.ts';

interface Candidate {
  view: Rollout;
  stage: Stage;
  pools: readonly PoolView[];
  before: readonly PoolView[];
  revision: Revision;
  approval?: Approval;
}

type Gate = (candidate: Candidate) => Wait | undefined;

const GATES: readonly Gate[] = [
  notPaused,
  notKeptOut,
  nothingFailed,
  namesAreFree,
  notInMaintenance,
  stageBeforeIsHealthy,
  stageBeforeHasSoaked,
  isApproved,
  imagesAreThere,
  vmsAreFree,
];

/**
 * The reason why a revision does not enter a stage; undefined if it may enter. For the wanted revision, use `gate` of the
 * view.
 */
export function judgeGate(view: Rollout, stage: Stage, revision: Revision): Wait | undefined {
  const { stages } = view.topology;
  const previous = stages[stages.findIndex(({ name }) => name === stage.name) - 1];
  const approval = approvalFor(view, stage, revision);
  const candidate: Candidate = {
    view,
    stage,
    pools: stagePools(view, stage),
    before: previous ? stagePools(view, previous) : [],
    revision,
    ...(approval && { approval }),
  };
  return firstOf(GATES, candidate);
}

/** The reason why a revision needs an approval for every stage: it has or inherits a bad mark, or is on a later attempt. */
function whyByHand(view: Rollout, revision: Revision): string | undefined {
  if (isBad(revision) || (revision.facts.attempt ?? 1) > 1) return 'the revision failed or was rolled back before';
  const earlier = inheritsFrom(view, revision);
  return earlier && describeMark(earlier, revision);
}

function notPaused({ view }: Candidate): Wait | undefined {
  return view.paused === undefined ? undefined : { reason: 'Paused', message: `paused: ${view.paused}` };
}

/** A rollback of the whole release also blocks its revision in pools that were added later. */
function notKeptOut({ view, pools, revision }: Candidate): Wait | undefined {
  const rollback = view.observed.rollbacks.find(
    (candidate) =>
      candidate.spec.pools === undefined &&
      inForce(candidate, view.owner.uid) &&
      pools.some(({ name }) => !candidate.status?.pools?.some((held) => held.name === name)) &&
      keepsOut(view, candidate, revision),
  );
  if (!rollback) return undefined;
  const message = `rollback ${rollback.metadata.name} blocks revision ${revision.number} in every pool: release another version with other images, or create a ReleasePromotion that names revision ${revision.number}`;
  return { reason: 'HeldByRollback', message };
}

function nothingFailed({ view, pools, revision, approval }: Candidate): Wait | undefined {
  const failed = view.pools.find((pool) => hasFailed(revision, pool.name));
  if (!failed || (approval && pools.includes(failed))) return undefined;
  return {
    reason: 'Failed',
    message: `revision ${revision.number} failed in pool ${failed.name}: ${poolFacts(revision, failed.name).failed?.message ?? ''}`,
  };
}

function namesAreFree({ view, pools }: Candidate): Wait | undefined {
  const message = view.groups
    .filter((group) => group.pools.some((pool) => pools.includes(pool)))
    .map(({ taken, next }) => taken ?? next?.taken)
    .find((taken) => taken !== undefined);
  return message === undefined ? undefined : { reason: 'NameTaken', message };
}

/** A rollback into the pool passes no gate. */
function notInMaintenance({ view, stage, revision }: Candidate): Wait | undefined {
  const [closed] = closedPools(view, poolsToEnter(view, stage, revision));
  if (!closed) return undefined;
  const message = `VMPool ${closed.pool.name} is in maintenance: ${closed.maintenance.reason}`;
  return { reason: 'Maintenance', message };
}

function stageBeforeIsHealthy({ view, before, revision }: Candidate): Wait | undefined {
  const counted = before.filter((pool) => pool.replicas > 0);
  if (before.length > 0 && counted.length === 0) {
    return {
      reason: 'ProvesNothing',
      message: `stage ${before[0]?.stage.name ?? ''} has no replicas, which proves nothing: scale it up or remove it`,
    };
  }
  const held = counted.find(({ hold }) => hold);
  if (held) {
    return {
      reason: 'HeldByRollback',
      message: `pool ${held.name} of stage ${held.stage.name} is held by rollback ${held.hold?.rollback.metadata.name ?? ''}`,
    };
  }
  const missing = counted.find((pool) => !isEntered(pool, revision) || !isServing(view, pool, revision));
  return (
    missing && {
      reason: 'StageBefore',
      message: `pool ${missing.name} of stage ${missing.stage.name} is not healthy with revision ${revision.number} yet`,
    }
  );
}

function stageBeforeHasSoaked({ view, before, revision, approval }: Candidate): Wait | undefined {
  if (approval?.skipSoak) return undefined;
  const until = Math.max(
    0,
    ...before.filter((pool) => pool.replicas > 0).map((pool) => soakedAt(pool, revision) ?? Number.POSITIVE_INFINITY),
  );
  if (until <= view.now) return undefined;
  const stage = before[0]?.stage.name ?? '';
  if (until === Number.POSITIVE_INFINITY) return { reason: 'Soaking', message: `stage ${stage} begins its soak` };
  return { reason: 'Soaking', message: `stage ${stage} soaks until ${new Date(until).toISOString()}`, until };
}

/** When a pool will have soaked (ms since the epoch); undefined while it is not healthy. */
export function soakedAt(pool: PoolView, revision: Revision): number | undefined {
  const { healthySince } = poolFacts(revision, pool.name);
  return healthySince === undefined ? undefined : Date.parse(healthySince) + (parseDuration(pool.stage.soak) ?? 0);
}

function isApproved({ view, stage, revision, approval }: Candidate): Wait | undefined {
  const byHand = whyByHand(view, revision);
  if (approval || (stage.approval === 'Automatic' && byHand === undefined)) return undefined;
  const why = byHand === undefined ? '' : ` (${byHand})`;
  return {
    reason: 'WaitingForApproval',
    message: `a ReleasePromotion must admit version ${revision.data.input.version} (revision ${revision.number}) to stage ${stage.name}${why}`,
  };
}

function imagesAreThere({ view, stage, revision }: Candidate): Wait | undefined {
  return prepullWait(view, poolsToEnter(view, stage, revision), revision);
}

/** Checks all pools that the revision has yet to enter, so that a stage is not left half-entered for lack of VMs. */
function vmsAreFree({ view, stage, revision }: Candidate): Wait | undefined {
  return capacityWait(view, poolsToEnter(view, stage, revision), revision);
}
