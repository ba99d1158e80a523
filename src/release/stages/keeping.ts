/** Which pools take a revision with the pods that they have, because the edit changed nothing for these pods. Pure. */
import { isRunBy, podsNumber } from '../record/kept-pods.ts';
import type { Revision } from '../record/revision.ts';
import { isBad, isBadIn } from '../record/revision.ts';
import { hasSamePods, hasSamePorts } from '../record/same-pods.ts';
import { hasSameVersion, inheritsFrom } from '../state/kinship.ts';
import { isEntered, podsOf } from '../state/target.ts';
import type { PoolView, Rollout } from '../state/view.ts';

/**
 * The revision whose pods the pool keeps when this one enters it: the one that entered last, or the one that serves. Pools
 * behind one Service keep their pods together, because the Service selects one track.
 */
export function keptFrom(pool: PoolView, revision: Revision): Revision | undefined {
  const kept = ownKept(pool, revision);
  if (!kept) return undefined;
  if (pool.strategy === 'RollingUpdate') {
    if (hasSamePorts(kept, revision)) return kept;
    // The new ports may not fit the pods that a rolling update has yet to replace.
    if (pool.workloads.some((one) => isRunBy(kept, one) && podsOf(one, kept).length < one.pods.length))
      return undefined;
  }
  const number = podsNumber(kept, pool.name);
  const together = pool.group.pools.every((mate) => mate.workloads.length === 0 || numberIn(mate, revision) === number);
  return together ? kept : undefined;
}

function numberIn(pool: PoolView, revision: Revision): number | undefined {
  if (pool.entered === revision) return podsNumber(revision, pool.name);
  const kept = ownKept(pool, revision);
  return kept && podsNumber(kept, pool.name);
}

/** A new version gets new pods even if they are equal: their labels tell the version. */
function ownKept({ name, entered, served, hold, lost, workloads }: PoolView, revision: Revision): Revision | undefined {
  if (hold || lost) return undefined;
  return [entered, served].find(
    (kept): kept is Revision =>
      kept !== undefined &&
      kept !== revision &&
      !isBadIn(kept, name) &&
      hasSameVersion(kept, revision) &&
      hasSamePods(kept, revision, name) &&
      workloads.some((workload) => isRunBy(kept, workload)),
  );
}

/** Whether nothing changes in the pool when the revision enters it, so that no gate is asked. */
export function staysAsItIs(view: Rollout, pool: PoolView, revision: Revision): boolean {
  if (view.paused !== undefined || isEntered(pool, revision) || isBad(revision)) return false;
  const kept = keptFrom(pool, revision);
  return kept !== undefined && hasSamePorts(kept, revision) && inheritsFrom(view, revision) === undefined;
}
