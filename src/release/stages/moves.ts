/**
 * What serves follows the VMs that the spec names, whatever a version waits for: it asks for room alone, goes stage by
 * stage, and marks nothing on the revision. Pure.
 */
import type { Stage } from '../../api/app-release.ts';
import { own, ownOrNew } from '../../lib/own.ts';
import type { ConditionDraft } from '../../api/conditions.ts';
import type { FactsDraft } from '../record/facts-draft.ts';
import { judgeHealth } from '../health/failure.ts';
import { mayReturn } from '../state/reachable.ts';
import type { PoolFacts } from '../record/recorded-data.ts';
import { deadlineMs, poolFacts } from '../record/revision.ts';
import type { RoomForMove } from './capacity.ts';
import { moveCapacityWait } from './capacity.ts';
import {
  isAvailable,
  isPlaced,
  isReplaced,
  isReturning,
  placedFact,
  placedKey,
  podsOf,
  wantedReplicas,
} from '../state/target.ts';
import type { Group, PoolMove, PoolView, Rollout, View } from '../state/view.ts';

/** Records which pools go to other VMs now, and which have come there. One that a version enters goes with the version. */
export function enterMoves(view: Rollout, drafts: FactsDraft, entered: ReadonlySet<PoolView>): void {
  const at = new Date(view.now).toISOString();
  for (const pool of view.pools) {
    const { served } = pool;
    if (!served) continue;
    const { move } = pool;
    if (move?.state === 'Entering' && !entered.has(pool)) {
      const facts = ownOrNew<PoolFacts>(drafts.change(served).pools, pool.name, () => ({}));
      facts.placed = { at, key: placedKey(pool) };
      const note = `revision ${served.number} (${served.data.input.version}) goes to the VMs that the spec names now in pool ${pool.name}`;
      drafts.notice({ type: 'Normal', reason: 'PoolMoves', note });
    } else if (placedFact(pool)?.done === undefined && hasArrived(pool)) {
      const facts = own(drafts.change(served).pools, pool.name);
      if (facts?.placed) facts.placed.done = at;
    }
  }
}

/** When a move is late (ms since the epoch). */
export function moveDue(view: Rollout): number[] {
  return view.pools.flatMap((pool) => [pool.move?.until ?? 0, replacedBy(view, pool)]);
}

/** Whether what serves is where the spec wants it: other conditions speak of the version that is wanted. */
export function placedAsWanted(view: View): ConditionDraft {
  const type = 'Placed';
  const moves = view.pools.flatMap(({ name, move }) => (move ? [{ ...move, pool: name }] : []));
  const worst = WORST_FIRST.map((reason) => moves.find((move) => move.reason === reason)).find((move) => move);
  if (worst) return { type, status: 'False', reason: worst.reason, message: `pool ${worst.pool}: ${worst.message}` };
  return { type, status: 'True', reason: 'AsSpecified', message: 'what serves is on the VMs that the spec names' };
}

const WORST_FIRST: readonly PoolMove['reason'][] = ['MoveNotReady', 'NoCapacity', 'Moving'];

/** The move of each pool whose revision is not on the VMs that the spec names. The view has it: see `move` of a pool. */
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

const ENTERING: PoolMove = { state: 'Entering', reason: 'Moving', message: 'goes to the VMs that the spec names now' };

/** What keeps the pools behind one Service from being let go to other VMs. */
function waitOf(
  view: Rollout,
  { taken }: Group,
  claims: readonly RoomForMove[],
  before: Stage | undefined,
): PoolMove | undefined {
  const waiting = { state: 'Waiting', reason: 'Moving' } as const;
  if (isUndecided(view)) return { ...waiting, message: 'waits until the wanted version is recorded, to go with it' };
  if (taken !== undefined) return { ...waiting, message: taken };
  const room = moveCapacityWait(view, claims);
  if (room) return { state: 'Waiting', reason: 'NoCapacity', message: room.message };
  return before && { ...waiting, message: `waits until stage ${before.name} is on the VMs that the spec names` };
}

/** In a moment it is known whether the wanted version enters a pool: there is one move then, not two. */
function isUndecided({ wanted }: Rollout): boolean {
  return wanted.state === 'New' || wanted.state === 'Unproven' || (wanted.state === 'Resolving' && !wanted.failed);
}

/**
 * The stages behind a pool wait for it, so that VMs which start nothing do not take all pools at once. One that serves
 * nobody, finds no room or takes too long is passed over.
 */
function comesFirst(view: Rollout, pool: PoolView, move: PoolMove | undefined): boolean {
  if ((pool.current?.ready ?? 0) === 0) return false;
  return move ? move.state === 'Entering' || move.state === 'Moving' : view.now < replacedBy(view, pool);
}

/** Until when a version has time to take a pool to other VMs (ms since the epoch). */
function replacedBy(view: Rollout, pool: PoolView): number {
  if (isPlaced(pool) || !pool.entered || !isReplaced(view, pool)) return 0;
  return deadlineAfter(view, poolFacts(pool.entered, pool.name).entered?.at);
}

function deadlineAfter({ topology }: Rollout, at = ''): number {
  return Date.parse(at) + deadlineMs(topology);
}

/** How far a move is that is under way; one that is late is told of, and what served goes on serving. */
function progressOf(view: Rollout, pool: PoolView): PoolMove | undefined {
  const { target } = pool;
  if (!isMoving(view, pool) || !target) return undefined;
  const { workload, revision } = target;
  const until = deadlineAfter(view, placedFact(pool)?.at);
  const ready = workload ? podsOf(workload, revision).filter((pod) => pod.ready).length : 0;
  const verdict =
    workload &&
    judgeHealth(workload, revision, { nodes: view.observed.nodes, deadlineSeconds: Infinity, now: view.now });
  const why = verdict && verdict.kind !== 'Progressing' ? `: ${verdict.message}` : '';
  const found = `${ready} of ${wantedReplicas(pool, workload)} pods are ready on the VMs that the spec names now${why}`;
  if (view.now < until) return { state: 'Moving', reason: 'Moving', message: found, until };
  return { state: 'Late', reason: 'MoveNotReady', message: `${found}; those on the VMs before serve on` };
}

function claimOf(pool: PoolView): RoomForMove[] {
  const { served, current } = pool;
  return served && current
    ? [{ pool, revision: served, placed: { strategy: current.strategy, key: placedKey(pool) } }]
    : [];
}

/** What serves is to go to other VMs: no version takes its place there, and no rollback is under way. */
function isToMove(view: Rollout, pool: PoolView): boolean {
  if (!pool.served || !pool.current || isReturning(view, pool)) return false;
  if (isMoving(view, pool)) return true;
  return !isPlaced(pool) && !isReplaced(view, pool) && !comesBack(view, pool);
}

/** A rollback that is not complete first does what it can on the VMs that its target ran on. */
function comesBack(view: Rollout, pool: PoolView): boolean {
  const { hold, current, served } = pool;
  if (!hold || hold.pool.completedAt !== undefined || !current || !served) return false;
  return mayReturn(view, pool, { ...current, revision: served });
}

/** Let go to other VMs, and not there yet. */
export function isMoving(view: Rollout, pool: PoolView): boolean {
  const fact = placedFact(pool);
  if (!fact || isReturning(view, pool)) return false;
  return isPlaced(pool) ? fact.done === undefined && !hasArrived(pool) : !isReplaced(view, pool);
}

/** A Deployment of its own serves once its Service is switched, one that is updated in place once its pods are there. */
function hasArrived(pool: PoolView): boolean {
  const { current, served } = pool;
  if (!current || !served || !placedFact(pool) || !isPlaced(pool)) return false;
  return current.strategy === 'BlueGreen' || isAvailable(current, served, pool.replicas);
}

/** Its new pods have yet to take the room that they were let go for. */
function isStarting(view: Rollout, pool: PoolView): boolean {
  return isMoving(view, pool) && pool.current?.strategy === 'BlueGreen';
}
