/** Records the health of a revision in a pool: healthy since, good, failed. Pure. */
import { ownOrNew } from '../../lib/own.ts';
import { drainEnds } from '../../scheduling/work.ts';
import type { FactsDraft } from '../record/facts-draft.ts';
import type { PoolFacts } from '../record/recorded-data.ts';
import type { Revision } from '../record/revision.ts';
import { isGood, poolFacts } from '../record/revision.ts';
import { isFailedDeployment } from '../stages/deployment.ts';
import { soakedAt } from '../stages/gates.ts';
import { isExposedWell } from '../stages/exposure.ts';
import { isMoving } from '../stages/moves.ts';
import { poolsToEnter, stagePools } from '../stages/stage-pools.ts';
import { wantedReplicas } from '../state/pool-size.ts';
import { returnDeadline } from '../state/reachable.ts';
import { hasFailed, isEntered, isHealthy, isRevert, lastGood, readyOf, wantedRevision } from '../state/target.ts';
import type { PoolView, Rollout, Workload } from '../state/view.ts';
import { switchedAt } from '../traffic/reach.ts';
import type { HealthVerdict } from './failure.ts';
import { deadlineOf, judgeHealth, returnClock } from './failure.ts';
import { podProblemDue } from './pod-problem.ts';

/** Records health, soak and failure of each pool's revision, and the return of pools that a rollback holds. */
export function markPools(view: Rollout, drafts: FactsDraft): void {
  const wanted = wantedRevision(view);
  for (const pool of view.pools) {
    if (pool.hold) markReturned(view, drafts, pool);
    else if (wanted && isEntered(pool, wanted) && !hasFailed(wanted, pool.name))
      markRolling(view, drafts, pool, wanted);
    else if (pool.entered && pool.entered === pool.served && pool.entered !== wanted)
      markUnwanted(view, drafts, pool, pool.entered);
  }
}

function markRolling(view: Rollout, drafts: FactsDraft, pool: PoolView, revision: Revision): void {
  const { healthySince, good } = poolFacts(revision, pool.name);
  if (isHealthy(view, pool, revision)) {
    if (healthySince === undefined) {
      const metricOnly = wasSwitched(pool, revision) && { metricOnly: true as const };
      change(drafts, pool, revision, (own) => {
        own.healthySince = new Date(view.now).toISOString();
        delete own.clock;
      });
      drafts.notice({
        type: 'Normal',
        reason: 'PoolPromoted',
        note: `pool ${pool.name} serves revision ${revision.number} (${revision.data.input.version})`,
        ...metricOnly,
      });
      if (pool.stage.soak === '0s') markGood(view, drafts, pool, revision);
    } else if (
      (good === undefined || isRetried(revision, pool)) &&
      (soakedAt(pool, revision) ?? Infinity) <= view.now
    ) {
      markGood(view, drafts, pool, revision);
    }
    return;
  }
  if (healthySince !== undefined) {
    if (!isSoaking(view, pool, revision) || isMoving(view, pool)) return;
    change(drafts, pool, revision, (own) => {
      delete own.healthySince;
      own.clock = { start: new Date(view.now).toISOString() };
    });
    drafts.notice({
      type: 'Warning',
      reason: 'SoakRestarted',
      note: `pool ${pool.name} is no longer healthy: its soak starts again`,
    });
    return;
  }
  if (isExposedWell(view, pool)) {
    // Pods that stop being ready get the whole deadline again.
    if (poolFacts(revision, pool.name).clock) change(drafts, pool, revision, (own) => delete own.clock);
    return;
  }
  if (good === undefined || isRetried(revision, pool) || !isRevert(view, pool, revision))
    markFailure(view, drafts, pool, revision);
}

/** Whether the traffic was switched to the revision since it entered, or since its soak started again. The switch has its event. */
function wasSwitched(pool: PoolView, revision: Revision): boolean {
  const { entered, clock } = poolFacts(revision, pool.name);
  const since = Math.max(Date.parse(entered?.at ?? ''), Date.parse(clock?.start ?? '') || 0);
  return pool.selected && switchedAt(pool.group) >= since;
}

function isRetried(revision: Revision, pool: PoolView): boolean {
  const { failed, rolledBack } = poolFacts(revision, pool.name);
  return failed !== undefined || rolledBack !== undefined;
}

function markGood(view: Rollout, drafts: FactsDraft, pool: PoolView, revision: Revision): void {
  change(drafts, pool, revision, (own) => {
    own.good = new Date(view.now).toISOString();
    delete own.failed;
    delete own.rolledBack;
  });
}

/** Whether the soak has not ended, or the revision has yet to enter a pool of the next stage. */
function isSoaking(view: Rollout, pool: PoolView, revision: Revision): boolean {
  if ((soakedAt(pool, revision) ?? 0) > view.now) return true;
  const { stages } = view.topology;
  const next = stages[stages.findIndex(({ name }) => name === pool.stage.name) + 1];
  return next !== undefined && poolsToEnter(view, next, revision).length > 0;
}

function markFailure(view: Rollout, drafts: FactsDraft, pool: PoolView, revision: Revision): void {
  const workload = judgedWorkload(pool, revision);
  const { clock, entered } = poolFacts(revision, pool.name);
  if (!workload || !entered) return;
  const nowText = new Date(view.now).toISOString();
  const isEmpty = wantedReplicas(pool, workload) === 0;
  if (isEmpty || !clock) {
    // A pool without replicas has no clock: the clock starts with the first replica.
    change(drafts, pool, revision, (own) => {
      if (isEmpty) delete own.clock;
      else own.clock = { start: nowText };
    });
    return;
  }
  const ready = readyOf(workload, revision);
  if (workload.strategy === 'RollingUpdate' && ready > (clock.mostReady ?? 0)) {
    change(drafts, pool, revision, (own) => (own.clock = { start: nowText, mostReady: ready }));
    return;
  }
  const judged = judgeHealth(workload, revision, contextOf(view));
  const verdict = excusePause(view, judged);
  if (verdict.kind === 'Failed') {
    change(drafts, pool, revision, (own) => {
      own.failed = { at: nowText, attempt: entered.attempt, reason: verdict.reason, message: verdict.message };
      delete own.healthySince;
      delete own.clock;
    });
    const isDelivery = isFailedDeployment(view, drafts.change(revision), revision, entered.attempt);
    drafts.notice({
      type: 'Warning',
      reason: 'RevisionFailed',
      note: `revision ${revision.number} (${revision.data.input.version}) failed in pool ${pool.name}: ${verdict.message}`,
      ...(isDelivery && { data: { revision: revision.number, delivery: 'Failed' as const } }),
    });
  } else if (verdict.kind === 'Excused' && verdict.stopsClock) {
    if (clock.stopped !== undefined) return;
    change(drafts, pool, revision, (own) => (own.clock = { ...clock, stopped: nowText }));
    drafts.notice({
      type: 'Warning',
      reason: verdict.reason,
      note: `pool ${pool.name}: ${verdict.message}; the clock of the progress deadline is stopped`,
    });
  } else if (clock.stopped !== undefined) {
    const { stopped, ...running } = clock;
    const start = Date.parse(clock.start) + view.now - Date.parse(stopped);
    change(drafts, pool, revision, (own) => (own.clock = { ...running, start: new Date(start).toISOString() }));
  }
}

/** The Deployment by which a revision is judged: the served one while the pool moves to other VMs, else the target. */
function judgedWorkload(pool: PoolView, revision: Revision): Workload | undefined {
  const { target } = pool;
  if (target?.revision !== revision) return undefined;
  return target.mode === 'Move' ? pool.current : target.workload;
}

/** While the release is paused, a passed deadline is no failure; a crash is. */
function excusePause({ paused }: Rollout, verdict: HealthVerdict): HealthVerdict {
  const late = verdict.kind === 'Failed' && verdict.reason === 'ProgressDeadlineExceeded';
  if (paused === undefined || (verdict.kind === 'Failed' && !late)) return verdict;
  return { kind: 'Excused', reason: 'Paused', message: `paused: ${paused}`, stopsClock: true };
}

/** Marks the target of a completed rollback as the revision that the pool ran last. */
function markReturned(view: Rollout, drafts: FactsDraft, pool: PoolView): void {
  const { served, hold } = pool;
  const since = hold?.pool.completedAt;
  if (!served || since === undefined) return;
  const left = view.revisions.find(({ number }) => number === hold?.rollback.status?.heldAgainst);
  if (lastGood(view, pool, left) === served) return;
  const { good, healthySince } = poolFacts(served, pool.name);
  if (good === undefined || (healthySince !== undefined && Date.parse(healthySince) >= Date.parse(since))) return;
  change(drafts, pool, served, (own) => {
    own.healthySince = new Date(view.now).toISOString();
  });
}

/**
 * A served revision soaks even while another revision is wanted. In a pool that was added to its stage later, the revision
 * is good as soon as it is healthy, if it is good in another pool of the stage.
 */
function markUnwanted(view: Rollout, drafts: FactsDraft, pool: PoolView, revision: Revision): void {
  const { good, healthySince } = poolFacts(revision, pool.name);
  if (good !== undefined) return;
  const now = new Date(view.now).toISOString();
  if (!isHealthy(view, pool, revision)) {
    if (healthySince === undefined || isMoving(view, pool)) return;
    change(drafts, pool, revision, (own) => {
      delete own.healthySince;
    });
    return;
  }
  const isShown = stagePools(view, pool.stage).some(({ name }) => isGood(revision, name));
  const soaked = soakedAt(pool, revision) ?? (pool.stage.soak === '0s' ? view.now : Infinity);
  if (healthySince !== undefined && !isShown && soaked > view.now) return;
  change(drafts, pool, revision, (own) => {
    own.healthySince ??= now;
    if (isShown || soaked <= view.now) own.good = now;
  });
}

function change(drafts: FactsDraft, pool: PoolView, revision: Revision, edit: (own: PoolFacts) => void): void {
  const facts = drafts.change(revision);
  edit(ownOrNew<PoolFacts>(facts.pools, pool.name, () => ({})));
}

/** When soaks, deadlines and excuses end (ms since the epoch): a pass is due then even if nothing changes. */
export function nextDue(view: Rollout): number[] {
  const excused = view.observed.nodes.map(drainEnds).filter((end) => end > view.now);
  return [...view.pools.flatMap((pool) => [...dueIn(view, pool), ...problemDue(view, pool)]), ...excused];
}

/** When pods of a target that has not arrived are told of. */
function problemDue(view: Rollout, pool: PoolView): number[] {
  const { workload, revision } = pool.target ?? {};
  if (!workload || !revision || isHealthy(view, pool, revision)) return [];
  return podProblemDue(workload, revision, view.now);
}

function dueIn(view: Rollout, pool: PoolView): number[] {
  const wanted = wantedRevision(view);
  if (pool.hold) {
    return [returnDeadline(view, pool), ...deadlineIn(view, pool, pool.target?.revision, returnClock(pool))];
  }
  if (!wanted || !isEntered(pool, wanted) || hasFailed(wanted, pool.name)) {
    const soaked = pool.served && pool.served === pool.entered ? soakedAt(pool, pool.served) : undefined;
    return soaked !== undefined && soaked > view.now ? [soaked] : [];
  }
  const soaked = soakedAt(pool, wanted);
  if (soaked !== undefined) return soaked > view.now ? [soaked] : [];
  return deadlineIn(view, pool, wanted);
}

function deadlineIn(
  view: Rollout,
  pool: PoolView,
  revision: Revision | undefined,
  clock?: PoolFacts['clock'],
): number[] {
  const workload = revision && judgedWorkload(pool, revision);
  const deadline = workload && deadlineOf(workload, revision, { ...contextOf(view), ...(clock && { clock }) });
  return deadline === undefined ? [] : [deadline];
}

function contextOf({ observed, topology, now }: Rollout) {
  return { nodes: observed.nodes, deadlineSeconds: topology.progressDeadlineSeconds, now };
}
