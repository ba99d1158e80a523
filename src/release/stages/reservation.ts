/** Room that a release has reserved by entering a stage, or waits for. Other releases do not use it. Pure. */
import { ownOrNew } from '../../lib/own.ts';
import type { Claim, Claims } from '../state/claim.ts';
import { waitingSince } from './claims.ts';
import type { FactsDraft } from '../record/facts-draft.ts';
import { poolsToEnter } from './stage-pools.ts';
import type { Revision } from '../record/revision.ts';
import type { PoolFacts } from '../record/recorded-data.ts';
import { deadlineMs, poolFacts } from '../record/revision.ts';
import { keptFrom } from './keeping.ts';
import { comingTo } from './coming.ts';
import { isEntered, placedFact, wantedRevision } from '../state/target.ts';
import type { PoolView, Rollout, View } from '../state/view.ts';

export function claimsOf(view: View): Claims {
  const { namespace, name } = view.owner;
  if (view.kind === 'Unknown') return { release: `${namespace}/${name}`, reserved: [] };
  const reserved = view.pools.flatMap((pool) => reservedBy(view, pool) ?? []);
  const waiting = waitingAtGate(view);
  return { release: `${namespace}/${name}`, reserved, ...(waiting && { waiting }) };
}

/** The pods of a pool that are not on VMs yet. A rollback reserves no room, and a reservation ends at the deadline. */
function reservedBy(view: Rollout, pool: PoolView): Claim | undefined {
  const target = pool.hold && !placedFact(pool) ? undefined : pool.target;
  if (!target || target.mode !== 'Promote') return undefined;
  const placed = placedFact(pool);
  const moves = placed?.done === undefined && target.revision === pool.served ? placed?.at : undefined;
  const entered = target.revision === pool.entered ? poolFacts(target.revision, pool.name).entered?.at : undefined;
  const since = Math.max(Date.parse(moves ?? '') || 0, Date.parse(entered ?? '') || 0);
  if (since + deadlineMs(view.topology) <= view.now) return undefined;
  const claim = comingTo(view, pool, target.revision, target);
  return claim.count > 0 ? claim : undefined;
}

function waitingAtGate(view: Rollout): Claims['waiting'] {
  const wanted = wantedRevision(view);
  if (!wanted) return undefined;
  const stage = view.topology.stages.find((one) => view.gate(one)?.reason === 'NoCapacity');
  if (!stage) return undefined;
  const pools = poolsToEnter(view, stage, wanted).filter((pool) => !keptFrom(pool, wanted));
  return { since: waitingSince(view, pools, wanted), claims: pools.map((pool) => comingTo(view, pool, wanted)) };
}

/** The deadline of entered pods to find room (ms since the epoch). */
function roomDeadline(view: Rollout, { name }: PoolView, revision: Revision): number {
  return Date.parse(poolFacts(revision, name).entered?.at ?? '') + deadlineMs(view.topology);
}

/**
 * A new version whose pods find no room before the deadline leaves the pools that do not serve it, and waits at the gate.
 */
export function giveRoomBack(view: Rollout, drafts: FactsDraft): void {
  for (const { pools, pool, revision } of lookingForRoom(view)) {
    if (roomDeadline(view, pool, revision) > view.now) continue;
    for (const { name } of pools) {
      const own = ownOrNew<PoolFacts>(drafts.change(revision).pools, name, () => ({}));
      delete own.entered;
      delete own.clock;
      own.gaveBack = new Date(view.now).toISOString();
    }
    drafts.notice({
      type: 'Warning',
      reason: 'RoomGivenBack',
      note: `revision ${revision.number} (${revision.data.input.version}) found no room in pool ${pool.name} before the deadline: its pods are removed, and it waits until there is room`,
    });
  }
}

/** When giveRoomBack needs a pass (ms since the epoch). */
export function roomDeadlines(view: Rollout): number[] {
  return lookingForRoom(view).map(({ pool, revision }) => roomDeadline(view, pool, revision));
}

/**
 * Pools whose new pods find no room beside a serving version, with the pools behind the same Service. A rolling update is
 * left alone, because it keeps no room for pods that do not serve.
 */
function lookingForRoom(view: Rollout): { pool: PoolView; pools: readonly PoolView[]; revision: Revision }[] {
  const wanted = wantedRevision(view);
  if (!wanted || view.topology.capacity !== 'Wait' || !view.observed.rooms) return [];
  return view.groups.flatMap(({ pools }) => {
    const pool = pools.find((one) => findsNoRoom(one, wanted));
    const isBeside = pools.every(({ served, hold }) => served !== undefined && served !== wanted && !hold);
    return pool && isBeside ? [{ pool, pools, revision: wanted }] : [];
  });
}

function findsNoRoom(pool: PoolView, wanted: Revision): boolean {
  const target = isEntered(pool, wanted) ? pool.target : undefined;
  if (target?.mode !== 'Promote' || target.strategy !== 'BlueGreen') return false;
  const { workload } = target;
  return (
    workload !== undefined &&
    workload !== pool.current &&
    workload.pods.some(({ unschedulable, nodeName }) => unschedulable !== undefined && nodeName === undefined)
  );
}
