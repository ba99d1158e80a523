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
  poolTarget,
  wantedReplicas,
} from '../state/target.ts';
import type { Group, PoolView, View } from '../state/view.ts';

/** How far what serves in a pool is on its way to other VMs. `Entering`: nothing keeps it from being let go there. */
export interface PoolMove {
  state: 'Waiting' | 'Entering' | 'Moving' | 'Late';
  reason: 'Moving' | 'NoCapacity' | 'MoveNotReady';
  message: string;
  /** When this may change by itself (ms since the epoch). */
  until?: number;
}

const knownMoves = new WeakMap<View, ReadonlyMap<PoolView, PoolMove>>();

/** The move of what serves in a pool; undefined where it is on the VMs that the spec names. Judged once for each view. */
export function moveOf(view: View, pool: PoolView): PoolMove | undefined {
  const moves = knownMoves.get(view) ?? judgeMoves(view);
  knownMoves.set(view, moves);
  return moves.get(pool);
}

/** Records which pools go to other VMs now, and which have come there. One that a version enters goes with the version. */
export function enterMoves(view: View, drafts: FactsDraft, entered: ReadonlySet<PoolView>): void {
  const at = new Date(view.now).toISOString();
  for (const pool of view.pools) {
    const { served } = pool;
    if (!served) continue;
    const move = moveOf(view, pool);
    if (move?.state === 'Entering' && !entered.has(pool)) {
      const facts = ownOrNew<PoolFacts>(drafts.change(served).pools, pool.name, () => ({}));
      facts.placed = { at, key: placedKey(view, pool) };
      const note = `revision ${served.number} (${served.data.input.version}) goes to the VMs that the spec names now in pool ${pool.name}`;
      drafts.notice({ type: 'Normal', reason: 'PoolMoves', note });
    } else if (placedFact(view, pool)?.done === undefined && hasArrived(view, pool)) {
      const facts = own(drafts.change(served).pools, pool.name);
      if (facts?.placed) facts.placed.done = at;
    }
  }
}

/** When a move is late (ms since the epoch). */
export function moveDue(view: View): number[] {
  return view.pools.flatMap((pool) => [moveOf(view, pool)?.until ?? 0, replacedBy(view, pool)]);
}

/** Whether what serves is where the spec wants it: other conditions speak of the version that is wanted. */
export function placedAsWanted(view: View): ConditionDraft {
  const type = 'Placed';
  const moves = view.pools.flatMap((pool) => {
    const move = moveOf(view, pool);
    return move ? [{ ...move, pool: pool.name }] : [];
  });
  const worst = WORST_FIRST.map((reason) => moves.find((move) => move.reason === reason)).find((move) => move);
  if (worst) return { type, status: 'False', reason: worst.reason, message: `pool ${worst.pool}: ${worst.message}` };
  return { type, status: 'True', reason: 'AsSpecified', message: 'what serves is on the VMs that the spec names' };
}

const WORST_FIRST: readonly PoolMove['reason'][] = ['MoveNotReady', 'NoCapacity', 'Moving'];

function judgeMoves(view: View): Map<PoolView, PoolMove> {
  const moves = new Map<PoolView, PoolMove>();
  const claims = view.pools.flatMap((pool) => (isStarting(view, pool) ? claimOf(view, pool) : []));
  let before: Stage | undefined;
  for (const stage of view.topology?.stages ?? []) {
    const mates = view.pools.filter((pool) => pool.stage.name === stage.name);
    for (const group of view.groups.filter(({ pools }) => pools.some((pool) => mates.includes(pool)))) {
      const pools = group.pools.filter((pool) => isToMove(view, pool));
      const own = pools.filter((pool) => !isMoving(view, pool)).flatMap((pool) => claimOf(view, pool));
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
  view: View,
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
function isUndecided({ wanted }: View): boolean {
  return wanted.state === 'New' || wanted.state === 'Unproven' || (wanted.state === 'Resolving' && !wanted.failed);
}

/**
 * The stages behind a pool wait for it, so that VMs which start nothing do not take all pools at once. One that serves
 * nobody, finds no room or takes too long is passed over.
 */
function comesFirst(view: View, pool: PoolView, move: PoolMove | undefined): boolean {
  if ((pool.current?.ready ?? 0) === 0) return false;
  return move ? move.state === 'Entering' || move.state === 'Moving' : view.now < replacedBy(view, pool);
}

/** Until when a version has time to take a pool to other VMs (ms since the epoch). */
function replacedBy(view: View, pool: PoolView): number {
  if (isPlaced(view, pool) || !pool.entered || !isReplaced(view, pool)) return 0;
  return deadlineAfter(view, poolFacts(pool.entered, pool.name).entered?.at);
}

function deadlineAfter({ topology }: View, at = ''): number {
  return Date.parse(at) + deadlineMs(topology);
}

/** How far a move is that is under way; one that is late is told of, and what served goes on serving. */
function progressOf(view: View, pool: PoolView): PoolMove | undefined {
  const target = poolTarget(view, pool);
  if (!isMoving(view, pool) || !target) return undefined;
  const { workload, revision } = target;
  const until = deadlineAfter(view, placedFact(view, pool)?.at);
  const ready = workload ? podsOf(workload, revision).filter((pod) => pod.ready).length : 0;
  const verdict =
    workload &&
    judgeHealth(workload, revision, { nodes: view.observed.nodes, deadlineSeconds: Infinity, now: view.now });
  const why = verdict && verdict.kind !== 'Progressing' ? `: ${verdict.message}` : '';
  const found = `${ready} of ${wantedReplicas(pool, workload)} pods are ready on the VMs that the spec names now${why}`;
  if (view.now < until) return { state: 'Moving', reason: 'Moving', message: found, until };
  return { state: 'Late', reason: 'MoveNotReady', message: `${found}; those on the VMs before serve on` };
}

function claimOf(view: View, pool: PoolView): RoomForMove[] {
  const { served, current } = pool;
  return served && current
    ? [{ pool, revision: served, placed: { strategy: current.strategy, key: placedKey(view, pool) } }]
    : [];
}

/** What serves is to go to other VMs: no version takes its place there, and no rollback is under way. */
function isToMove(view: View, pool: PoolView): boolean {
  if (!pool.served || !pool.current || isReturning(view, pool)) return false;
  if (isMoving(view, pool)) return true;
  return !isPlaced(view, pool) && !isReplaced(view, pool) && !comesBack(view, pool);
}

/** A rollback that is not complete first does what it can on the VMs that its target ran on. */
function comesBack(view: View, pool: PoolView): boolean {
  const { hold, current, served } = pool;
  if (!hold || hold.pool.completedAt !== undefined || !current || !served) return false;
  return mayReturn(view, pool, { ...current, revision: served });
}

/** Let go to other VMs, and not there yet. */
export function isMoving(view: View, pool: PoolView): boolean {
  const fact = placedFact(view, pool);
  if (!fact || isReturning(view, pool)) return false;
  return isPlaced(view, pool) ? fact.done === undefined && !hasArrived(view, pool) : !isReplaced(view, pool);
}

/** A Deployment of its own serves once its Service is switched, one that is updated in place once its pods are there. */
function hasArrived(view: View, pool: PoolView): boolean {
  const { current, served } = pool;
  if (!current || !served || !placedFact(view, pool) || !isPlaced(view, pool)) return false;
  return current.strategy === 'BlueGreen' || isAvailable(current, served, wantedReplicas(pool, current));
}

/** Its new pods have yet to take the room that they were let go for. */
function isStarting(view: View, pool: PoolView): boolean {
  return isMoving(view, pool) && pool.current?.strategy === 'BlueGreen';
}
