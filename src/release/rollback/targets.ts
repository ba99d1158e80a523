/** Chooses the revision that a ReleaseRollback returns each pool to, or says why it is rejected. Pure. */
import type { Reason } from '../../api/reasons.ts';
import type { ReleaseRollback, RollbackPoolStatus } from '../../api/release-rollback.ts';
import type { Revision } from '../record/revision.ts';
import { isBadIn, isGood } from '../record/revision.ts';
import { portObstacle } from '../state/routed-ports.ts';
import { barrierBetween, lastGood, wantedRevision } from '../state/target.ts';
import type { PoolView, Rollout, View } from '../state/view.ts';

type Answer = { pools: RollbackPoolStatus[] } | { reason: Reason; message: string };

export function chooseTargets(view: View, { spec }: ReleaseRollback): Answer {
  if (view.kind === 'Unknown')
    return {
      reason: 'NothingRuns',
      message: 'the release has never had a valid spec: there is no revision to return to',
    };
  const unknown = spec.pools?.find((name) => !view.pools.some((pool) => pool.name === name));
  if (unknown !== undefined) {
    const known = view.pools.map(({ name }) => name).join(', ');
    return { reason: 'UnknownPool', message: `spec.pools: the release has no pool ${unknown}: it has ${known}` };
  }
  for (const group of view.groups) {
    const named = group.pools.filter(({ name }) => spec.pools?.includes(name) ?? true);
    if (named.length > 0 && named.length < group.pools.length) {
      const all = group.pools.map(({ name }) => name).join(', ');
      return {
        reason: 'SharedService',
        message: `spec.pools: ${all} share Service ${group.serviceName ?? ''} and roll back together: name all of them`,
      };
    }
  }
  const choices = namedPools(view, spec).map((pool) => ({ pool, choice: choose(view, pool, spec) }));
  const keeps = choices.flatMap(({ pool, choice }) => reasonToStay(pool, choice, spec) ?? []);
  if (keeps.length === choices.length) return { reason: 'NoTarget', message: `${keeps[0] ?? ''}. ${nameable(view)}` };
  return {
    pools: choices.map(({ pool, choice }) => ({
      name: pool.name,
      ...servedFrom(pool),
      ...('stays' in choice
        ? { ...(pool.served && { to: pool.served.number }), message: choice.stays }
        : { to: choice.to.number }),
    })),
  };
}

/**
 * The target of a pool that was stored before a restore. The record of it may be written by anybody who may create a rollback:
 * a pool that does not serve the target goes there only if a new rollback could do that, and stays otherwise.
 */
export function restoredTarget(
  view: Rollout,
  pool: PoolView,
  spec: ReleaseRollback['spec'],
  stored: RollbackPoolStatus,
): RollbackPoolStatus {
  const { to: toRevision, ...kept } = stored;
  if (toRevision === undefined || pool.served?.number === toRevision) return stored;
  const { toVersion: _version, ...asked } = spec;
  const choice = choose(view, pool, { ...asked, toRevision });
  if ('to' in choice) return stored;
  return { ...kept, ...(pool.served && { to: pool.served.number }), message: choice.stays };
}

function servedFrom({ served, lost }: PoolView): Pick<RollbackPoolStatus, 'from'> {
  const from = served?.number ?? lost?.number;
  return from === undefined ? {} : { from };
}

function namedPools({ pools }: Rollout, spec: ReleaseRollback['spec']): readonly PoolView[] {
  return pools.filter(({ name }) => spec.pools?.includes(name) ?? true);
}

type Choice = { to: Revision } | { stays: string };

/** The target of one pool. A rollback moves no pool forward, which needs the right to create a ReleasePromotion. */
function choose(view: Rollout, pool: PoolView, spec: ReleaseRollback['spec']): Choice {
  const to = namesTarget(spec)
    ? namedTarget(view, pool, spec)
    : lastGood(view, pool, pool.lost ? undefined : view.lastWanted, namedPools(view, spec));
  if (!to) return { stays: `pool ${pool.name} has no good revision to return to` };
  if ('stays' in to) return to;
  const serving = pool.served?.number ?? pool.lost?.number ?? Infinity;
  if (to.number > serving)
    return { stays: `pool ${pool.name} runs revision ${serving}, which is older: ${wayForward(view, to)}` };
  const barrier = barrierBetween(view, pool, to);
  if (barrier && !spec.force) {
    return {
      stays: `version ${barrier.data.input.version} is a barrier: pool ${pool.name} rolls back behind it only with spec.force: true`,
    };
  }
  const moved = portObstacle(view, pool.group, to);
  if (moved !== undefined && !spec.force) {
    return {
      stays: `${moved}: pool ${pool.name} rolls back to it only with spec.force: true, and requests fail until the gateway follows`,
    };
  }
  return { to };
}

function namesTarget({ toRevision, toVersion }: ReleaseRollback['spec']): boolean {
  return toRevision !== undefined || toVersion !== undefined;
}

/** The newest revision that the spec names, that was good in the pool, and that is marked bad in none of the named pools. */
function namedTarget(view: Rollout, pool: PoolView, spec: ReleaseRollback['spec']): Revision | { stays: string } {
  const { toRevision, toVersion } = spec;
  const named = view.revisions.filter(
    ({ number, data }) =>
      (toRevision === undefined || number === toRevision) &&
      (toVersion === undefined || data.input.version === toVersion),
  );
  const asked = toVersion === undefined ? `revision ${toRevision ?? ''}` : `version ${toVersion}`;
  if (named.length === 0) return { stays: `${asked} was never recorded` };
  const numbers = named.map(({ number }) => number).join(', ');
  const which = toVersion === undefined ? asked : `${asked} (revision ${numbers})`;
  const good = named.filter((revision) => isGood(revision, pool.name));
  const newest = good.at(-1);
  if (!newest) return { stays: `${which} was never good in pool ${pool.name}` };
  const pools = spec.pools ?? view.pools.map(({ name }) => name);
  const badPool = (revision: Revision) => pools.find((name) => isBadIn(revision, name));
  const where = badPool(newest);
  if (where === undefined) return newest;
  const stays = `${which} failed or was rolled back in pool ${where}: ${wayForward(view, newest)}`;
  return good.findLast((revision) => badPool(revision) === undefined) ?? { stays };
}

/** How a user gets a revision that a rollback must not choose. */
function wayForward(view: Rollout, revision: Revision): string {
  return revision === wantedRevision(view)
    ? `create a ReleasePromotion to promote ${title(revision)}`
    : `set spec.version to ${revision.data.input.version} to release it again`;
}

/** Why the rollback changes nothing in a pool. A target by name must be another revision than the pool runs. */
function reasonToStay(pool: PoolView, choice: Choice, spec: ReleaseRollback['spec']): string | undefined {
  if ('stays' in choice) return choice.stays;
  const { to } = choice;
  const runs = pool.served === to && (pool.entered ?? to) === to;
  return namesTarget(spec) && runs ? `pool ${pool.name} runs ${title(to)} already` : undefined;
}

function nameable(view: Rollout): string {
  const good = view.revisions.filter((revision) => view.pools.some(({ name }) => isGood(revision, name)));
  if (good.length === 0) return 'No revision has been good in any pool yet';
  return `Revisions to choose from: ${good.map(({ number, data }) => `${data.input.version} (revision ${number})`).join(', ')}`;
}

export function title({ number, data }: Revision): string {
  return `revision ${number} (${data.input.version})`;
}
