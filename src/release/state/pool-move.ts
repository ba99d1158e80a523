/** A pool with its target, and how soon drift of its objects is put back. Pure. */
import type { Action } from '../record/actions.ts';
import type { Haste } from './drift.ts';
import type { PoolTarget, PoolView } from './view.ts';

export interface Move {
  pool: PoolView;
  target: PoolTarget;
}

/** `isAnother`: the write is for another revision. A rollback in progress overrides all other managers. */
export function hasteOf(moves: readonly Move[], isAnother: boolean): Haste {
  const isReturn = moves.some(
    ({ pool, target }) => target.mode === 'Return' && pool.hold?.pool.completedAt === undefined,
  );
  if (isReturn) return 'WhateverOthersDo';
  return isAnother ? 'AtOnce' : 'AskFirst';
}

/** The actions of one pass for one group, and when the next passes are due (ms since the epoch). */
export interface GroupPlan {
  actions: Action[];
  due: number[];
}
