/** Why the target of a rollback in progress does not get ready in a pool. Pure. */
import type { HealthVerdict } from '../health/failure.ts';
import { judgeHealth, returnClock } from '../health/failure.ts';
import { returnDeadline } from '../state/reachable.ts';
import type { PoolView, Rollout } from '../state/view.ts';

export function returnFailure(view: Rollout, pool: PoolView): string | undefined {
  const { hold, target } = pool;
  if (!hold || hold.pool.completedAt !== undefined || !target?.workload) return undefined;
  const verdict = judgeHealth(target.workload, target.revision, {
    nodes: view.observed.nodes,
    deadlineSeconds: view.topology.progressDeadlineSeconds,
    now: view.now,
    clock: returnClock(pool),
  });
  const why = verdict.kind === 'Failed' ? verdict.message : noVmTakes(view, pool, verdict);
  if (why === undefined) return undefined;
  const { number, data } = target.revision;
  const to = `version ${data.input.version} (revision ${number})`;
  return `rollback ${hold.rollback.metadata.name} to ${to} fails in pool ${pool.name}: ${why}`;
}

/** Pods of a rollback are unschedulable after its deadline: a person must add VMs or make room. */
function noVmTakes(view: Rollout, pool: PoolView, verdict: HealthVerdict): string | undefined {
  if (verdict.kind !== 'Excused' || verdict.reason !== 'Unschedulable') return undefined;
  return view.now < returnDeadline(view, pool)
    ? undefined
    : `its pods have found no VM before the deadline: ${verdict.message}`;
}
