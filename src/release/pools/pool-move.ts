/** Where a pool of a group goes, and how soon what is kept for it must be put right. Pure. */
import type { Action } from '../record/actions.ts';
import type { Haste } from '../state/drift.ts';
import type { PoolTarget, PoolView } from '../state/view.ts';

export interface Move {
  pool: PoolView;
  target: PoolTarget;
}

/** Another version waits for no answer, and the way back gives way to nobody, until its rollback is complete. */
export function hasteOf(moves: readonly Move[], isAnother: boolean): Haste {
  const isReturn = moves.some(
    ({ pool, target }) => target.mode === 'Return' && pool.hold?.pool.completedAt === undefined,
  );
  if (isReturn) return 'WhateverOthersDo';
  return isAnother ? 'AtOnce' : 'AskFirst';
}

/** The actions of one pass for one group, and when the next is due (ms since the epoch). */
export interface GroupPlan {
  actions: Action[];
  due: number[];
}
