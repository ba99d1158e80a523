/** When a stage may be entered: small named gates, each with what it waits for. Pure. */
import type { Stage } from '../../api/app-release.ts';
import { parseDuration } from '../../api/common.ts';
import type { Revision } from '../record/revision.ts';
import type { Approval } from '../record/recorded-data.ts';
import { isBad, poolFacts } from '../record/revision.ts';
import { describeMark, inheritsFrom, keepsOut } from '../state/kinship.ts';
import { hasFailed, isEntered, isHealthy } from '../state/target.ts';
import type { PoolView, Rollout, Wait } from '../state/view.ts';
import { inForce } from '../state/view.ts';
import { approvalFor } from './approvals.ts';
import { capacityWait } from './capacity.ts';
import { prepullWait } from './prepull.ts';
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
  stageBeforeIsHealthy,
  stageBeforeHasSoaked,
  isApproved,
  imagesAreThere,
  vmsAreFree,
];

/** What keeps a revision out of a stage; undefined where it may enter. The view has it for the wanted one: see its `gate`. */
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
  for (const rule of GATES) {
    const wait = rule(candidate);
    if (wait) return wait;
  }
  return undefined;
}

/** Why a revision comes only by hand, stage by stage: it is marked bad or on a further attempt, or inherits such marks. */
function whyByHand(view: Rollout, revision: Revision): string | undefined {
  if (isBad(revision) || (revision.facts.attempt ?? 1) > 1) return 'it was taken back or failed before';
  const earlier = inheritsFrom(view, revision);
  return earlier && describeMark(earlier, revision);
}

function notPaused({ view }: Candidate): Wait | undefined {
  return view.paused === undefined ? undefined : { reason: 'Paused', message: `paused: ${view.paused}` };
}

/** A rollback of the whole release also keeps what it holds out of pools that were added since. */
function notKeptOut({ view, pools, revision }: Candidate): Wait | undefined {
  const rollback = view.observed.rollbacks.find(
    (candidate) =>
      candidate.spec.pools === undefined &&
      inForce(candidate, view.owner.uid) &&
      pools.some(({ name }) => !candidate.status?.pools?.some((held) => held.name === name)) &&
      keepsOut(view, candidate, revision),
  );
  if (!rollback) return undefined;
  const message = `rollback ${rollback.metadata.name} keeps revision ${revision.number} out of every pool`;
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
  const taken = view.groups.find(
    (group) => group.taken !== undefined && group.pools.some((pool) => pools.includes(pool)),
  );
  return taken && { reason: 'NameTaken', message: taken.taken ?? '' };
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
      message: `pool ${held.name} of the stage before is held by ${held.hold?.rollback.metadata.name ?? ''}`,
    };
  }
  const missing = counted.find((pool) => !isEntered(pool, revision) || !isHealthy(view, pool, revision));
  return (
    missing && {
      reason: 'StageBefore',
      message: `pool ${missing.name} of stage ${missing.stage.name} does not run it yet`,
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
    message: `a ReleasePromotion must let version ${revision.data.input.version} (revision ${revision.number}) into stage ${stage.name}${why}`,
  };
}

function imagesAreThere({ view, stage, revision }: Candidate): Wait | undefined {
  return prepullWait(view, poolsToEnter(view, stage, revision), revision);
}

/** Nothing is half-rolled for want of VMs: all the pools that are still to be entered are asked. */
function vmsAreFree({ view, stage, revision }: Candidate): Wait | undefined {
  return capacityWait(view, poolsToEnter(view, stage, revision), revision);
}
