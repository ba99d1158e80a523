/** Rules for rollbacks: targets stay, holds hold, ended holds never return, no loops. */
import { canonicalJson } from '../../src/lib/canonical-json.ts';
import type { Judge, WriteRule } from './invariants.ts';
import { isOperator, keyOf } from './invariants.ts';
import { poolOf } from './pods.ts';
import { deploymentsOf, holdOf, poolsOf, revisionOf, rollbackStatus, runsPodsOf, selectorOf, specOf } from './truth.ts';
import type { WorldObject } from './world.ts';
import { labelOf } from './world.ts';
import { LABEL } from '../../src/api/meta.ts';

export function createRollbackRules({ world, knows }: Judge): WriteRule[] {
  const automatic = new Map<string, number>();

  /** The target of the hold on a pool, if the author of a write knows it. */
  function heldAt(actor: string, release: WorldObject | undefined, pool: string): number | undefined {
    const hold = holdOf(world.list('ReleaseRollback'), release, pool);
    const seen = knows(actor)?.rollbacks.get(keyOf(release?.metadata.name ?? '')) ?? [];
    const known = seen.find(({ metadata }) => metadata.uid === hold?.rollback.metadata.uid);
    return known?.status?.acceptedAt === undefined ? undefined : hold?.pool.to;
  }

  const targetsStay: WriteRule = ({ kind, before, after }) => {
    const was = rollbackStatus(before);
    if (kind !== 'ReleaseRollback' || was?.acceptedAt === undefined || !after || after.status === before?.status)
      return undefined;
    const is = rollbackStatus(after);
    function stored(status: typeof was) {
      const { acceptedAt, heldAgainst, releaseUID, sequence, pools } = status ?? {};
      return canonicalJson({
        acceptedAt,
        heldAgainst,
        releaseUID,
        sequence,
        pools: pools?.map(({ name, from, to }) => [name, from, to]),
      });
    }
    const { name } = after.metadata;
    if (stored(was) !== stored(is)) return `changes what rollback ${name} stored`;
    if (was.endedAt !== undefined && is?.endedAt !== was.endedAt) return `rollback ${name} returns after its end`;
    for (const pool of was.pools ?? []) {
      const now = is?.pools?.find((candidate) => candidate.name === pool.name);
      if (pool.supersededBy !== undefined && now?.supersededBy === undefined)
        return `rollback ${name} returns to pool ${pool.name}, where it was superseded`;
    }
    return undefined;
  };

  const acceptedInOrder: WriteRule = ({ kind, before, after }) => {
    const is = rollbackStatus(after);
    if (
      kind !== 'ReleaseRollback' ||
      !after ||
      is?.acceptedAt === undefined ||
      rollbackStatus(before)?.acceptedAt !== undefined
    )
      return undefined;
    const twin = world
      .list('ReleaseRollback')
      .find(
        (other) =>
          other !== after &&
          other.metadata.uid !== after.metadata.uid &&
          rollbackStatus(other)?.releaseUID === is.releaseUID &&
          rollbackStatus(other)?.sequence === is.sequence,
      );
    return twin && `rollbacks ${after.metadata.name} and ${twin.metadata.name} have the same place in the sequence`;
  };

  const heldPoolsStay: WriteRule = ({ actor, kind, before, after }) => {
    if (!isOperator(actor) || !after) return undefined;
    const release = world.get('AppRelease', labelOf(after, 'release') ?? '');
    if (!release) return undefined;
    if (kind === 'Service') {
      const track = selectorOf(after)?.[LABEL.track];
      if (!before || track === selectorOf(before)?.[LABEL.track]) return undefined;
      const pools = poolsOf(release.metadata.name, specOf(release)).filter(
        ({ service }) => service === after.metadata.name,
      );
      for (const { name } of pools) {
        const to = heldAt(actor, release, name);
        const selected = deploymentsOf(world, release.metadata.name, name).find(
          (object) => labelOf(object, 'track') === track,
        );
        if (to !== undefined && selected && !runsPodsOf(world, release.metadata.name, selected, to))
          return `switches pool ${name} to revision ${revisionOf(selected) ?? '?'}, though it is held at ${to}`;
      }
    }
    if (kind === 'Deployment' && before && revisionOf(before) !== revisionOf(after)) {
      const to = heldAt(actor, release, poolOf(after));
      if (to !== undefined && !runsPodsOf(world, release.metadata.name, after, to))
        return `rolls pool ${poolOf(after)} to revision ${revisionOf(after) ?? '?'}, though it is held at ${to}`;
    }
    return undefined;
  };

  const oneAnswerToAFailure: WriteRule = ({ actor, kind, before, after }) => {
    if (kind !== 'ReleaseRollback' || !isOperator(actor) || before || !after) return undefined;
    const { release } = after.spec as { release: string };
    const key = `${world.get('AppRelease', release)?.metadata.uid ?? ''} ${after.metadata.name}`;
    automatic.set(key, (automatic.get(key) ?? 0) + 1);
    return automatic.get(key) === 1 ? undefined : `rolls back by itself once more: ${after.metadata.name}`;
  };

  return [targetsStay, acceptedInOrder, heldPoolsStay, oneAnswerToAFailure];
}
