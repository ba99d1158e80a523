/**
 * Moves: the serving revision of a pool moves to the VMs that the spec names, even while a new version waits. A move waits
 * only for room and for the stage before, and leaves no bad mark on the revision. Pure.
 */
import type { Stage } from '../../api/app-release.ts';
import { own, ownOrNew } from '../../lib/own.ts';
import type { ConditionDraft } from '../../api/conditions.ts';
import type { FactsDraft } from '../record/facts-draft.ts';
import { whyUnready } from '../health/failure.ts';
import { mayReturn } from '../state/reachable.ts';
import type { PoolFacts } from '../record/recorded-data.ts';
import { deadlineMs, poolFacts } from '../record/revision.ts';
import type { RoomForMove } from './capacity.ts';
import { moveCapacityWait } from './capacity.ts';
import { podsOnLeftVms } from './left-vms.ts';
import { isAvailable, isPlaced, isReplaced, isReturning, placedFact, placedKey, readyOf } from '../state/target.ts';
import { wantedReplicas } from '../state/pool-size.ts';
import type { Group, PoolMove, PoolView, Rollout, View } from '../state/view.ts';

/** Records which moves start and which are done. A pool that a version enters in this pass moves with the version. */
export function enterMoves(view: Rollout, drafts: FactsDraft, entered: ReadonlySet<PoolView>): void {
  const at = new Date(view.now).toISOString();
  for (const pool of view.pools) {
    const { served } = pool;
    if (!served) continue;
    const { move } = pool;
    if (move?.state === 'Entering' && !entered.has(pool)) {
      const facts = ownOrNew<PoolFacts>(drafts.change(served).pools, pool.name, () => ({}));
      facts.placed = { at, key: placedKey(pool) };
      const note = `pool ${pool.name} moves revision ${served.number} (${served.data.input.version}) to the VMs that the spec names`;
      drafts.notice({ type: 'Normal', reason: 'PoolMoves', note });
    } else if (placedFact(pool)?.done === undefined && hasArrived(pool)) {
      const facts = own(drafts.change(served).pools, pool.name);
      if (facts?.placed) facts.placed.done = at;
    }
  }
}

/** The deadlines of moves (ms since the epoch). */
export function moveDue(view: Rollout): number[] {
  return view.pools.flatMap((pool) => [pool.move?.until ?? 0, replacedBy(view, pool)]);
}

/** The condition Placed: whether the serving pods are on the VMs that the spec names. */
export function placedAsWanted(view: View): ConditionDraft {
  const type = 'Placed';
  const moves = view.pools.flatMap(({ name, move }) => (move ? [{ ...move, pool: name }] : []));
  const worst = WORST_FIRST.map((reason) => moves.find((move) => move.reason === reason)).find((move) => move);
  if (worst) return { type, status: 'False', reason: worst.reason, message: `pool ${worst.pool}: ${worst.message}` };
  const left = podsOnLeftVms(view);
  if (left !== undefined) return { type, status: 'False', reason: 'VMLeftPool', message: left };
  return {
    type,
    status: 'True',
    reason: 'AsSpecified',
    message: 'all serving pods are on the VMs that the spec names',
  };
}

const WORST_FIRST: readonly PoolMove['reason'][] = ['MoveNotReady', 'NoCapacity', 'Moving'];

/** The move of each pool whose serving revision is not on the VMs that the spec names. Use `move` of a pool. */
export function judgeMoves(view: Rollout): ReadonlyMap<PoolView, PoolMove> {
  const moves = new Map<PoolView, PoolMove>();
  const claims = view.pools.flatMap((pool) => (isStarting(view, pool) ? claimOf(pool) : []));
  let before: Stage | undefined;
  for (const stage of view.topology.stages) {
    const mates = view.pools.filter((pool) => pool.stage.name === stage.name);
    for (const group of view.groups.filter(({ pools }) => pools.some((pool) => mates.includes(pool)))) {
      const pools = group.pools.filter((pool) => isToMove(view, pool));
      const own = pools.filter((pool) => !isMoving(view, pool)).flatMap((pool) => claimOf(pool));
      const wait = own.length > 0 ? waitOf(view, group, [...own, ...claims], before) : undefined;
      if (!wait) claims.push(...own);
      for (const pool of pools) moves.set(pool, progressOf(view, pool) ?? wait ?? ENTERING);
    }
    if (mates.some((pool) => comesFirst(view, pool, moves.get(pool)))) before ??= stage;
  }
  return moves;
}

const ENTERING: PoolMove = { state: 'Entering', reason: 'Moving', message: 'moves to the VMs that the spec names' };

/** The reason why the pools behind one Service do not start their move. */
function waitOf(
  view: Rollout,
  { taken }: Group,
  claims: readonly RoomForMove[],
  before: Stage | undefined,
): PoolMove | undefined {
  const waiting = { state: 'Waiting', reason: 'Moving' } as const;
  if (isUndecided(view)) return { ...waiting, message: 'the move waits until the wanted version is recorded' };
  if (taken !== undefined) return { ...waiting, message: taken };
  const room = moveCapacityWait(view, claims);
  if (room) return { state: 'Waiting', reason: 'NoCapacity', message: room.message };
  return (
    before && { ...waiting, message: `the move waits until stage ${before.name} is on the VMs that the spec names` }
  );
}

/**
 * Whether the wanted version is about to be recorded. If it enters a pool, the pool moves with it instead of moving twice.
 */
function isUndecided({ wanted }: Rollout): boolean {
  if (wanted.state === 'Unproven') return !wanted.refused;
  return wanted.state === 'New' || (wanted.state === 'Resolving' && !wanted.failed);
}

/**
 * Whether later stages wait for the move of this pool, so that broken VMs do not affect all pools at once. They do not wait
 * for a pool that has no ready pods, finds no room or is late.
 */
function comesFirst(view: Rollout, pool: PoolView, move: PoolMove | undefined): boolean {
  if ((pool.current?.ready ?? 0) === 0) return false;
  return move ? move.state === 'Entering' || move.state === 'Moving' : view.now < replacedBy(view, pool);
}

/** The deadline of an entering version that also moves the pool to other VMs (ms since the epoch). */
function replacedBy(view: Rollout, pool: PoolView): number {
  if (isPlaced(pool) || !pool.entered || !isReplaced(view, pool)) return 0;
  return deadlineAfter(view, poolFacts(pool.entered, pool.name).entered?.at);
}

function deadlineAfter({ topology }: Rollout, at = ''): number {
  return Date.parse(at) + deadlineMs(topology);
}

/** The progress of a started move. While a move is late, the pods on the previous VMs continue to serve. */
function progressOf(view: Rollout, pool: PoolView): PoolMove | undefined {
  const { target } = pool;
  if (!isMoving(view, pool) || !target) return undefined;
  const { workload, revision } = target;
  const until = deadlineAfter(view, placedFact(pool)?.at);
  const ready = workload ? readyOf(workload, revision) : 0;
  const problem = workload && whyUnready(workload, revision, view);
  const why = problem === undefined ? '' : `: ${problem}`;
  const found = `${ready} of ${wantedReplicas(pool, workload)} pods are ready on the VMs that the spec names now${why}`;
  if (view.now < until) return { state: 'Moving', reason: 'Moving', message: found, until };
  return { state: 'Late', reason: 'MoveNotReady', message: `${found}; the pods on the previous VMs continue to serve` };
}

function claimOf(pool: PoolView): RoomForMove[] {
  const { served, current } = pool;
  return served && current
    ? [{ pool, revision: served, placed: { strategy: current.strategy, key: placedKey(pool) } }]
    : [];
}

/** Whether the serving revision should move: no version replaces it on the new VMs, and no rollback is in progress. */
function isToMove(view: Rollout, pool: PoolView): boolean {
  if (!pool.served || !pool.current || isReturning(view, pool)) return false;
  if (isMoving(view, pool)) return true;
  return !isPlaced(pool) && !isReplaced(view, pool) && !comesBack(view, pool);
}

/** Whether a rollback is not complete and can still use the VMs that its target ran on. */
function comesBack(view: Rollout, pool: PoolView): boolean {
  const { hold, current, served } = pool;
  if (!hold || hold.pool.completedAt !== undefined || !current || !served) return false;
  return mayReturn(view, pool, { ...current, revision: served });
}

/** Whether the move has started and is not done. */
export function isMoving(view: Rollout, pool: PoolView): boolean {
  const fact = placedFact(pool);
  if (!fact || isReturning(view, pool)) return false;
  return isPlaced(pool) ? fact.done === undefined && !hasArrived(pool) : !isReplaced(view, pool);
}

/** With BlueGreen a move is done when the Service is switched, with RollingUpdate when all pods are available. */
function hasArrived(pool: PoolView): boolean {
  const { current, served } = pool;
  if (!current || !served || !placedFact(pool) || !isPlaced(pool)) return false;
  return current.strategy === 'BlueGreen' || isAvailable(current, served, pool.replicas);
}

/** Whether the new pods of a move may still need room. */
function isStarting(view: Rollout, pool: PoolView): boolean {
  return isMoving(view, pool) && pool.current?.strategy === 'BlueGreen';
}
