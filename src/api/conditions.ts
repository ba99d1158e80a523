import { printable } from '../lib/printable.ts';
import type { Condition } from './common.ts';
import type { Reason } from './reasons.ts';

export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function conditionIs(
  conditions: readonly Condition[] | undefined,
  type: string,
  status: Condition['status'],
): boolean {
  return findCondition(conditions, type)?.status === status;
}

export type ConditionDraft = Pick<Condition, 'type' | 'status' | 'message'> & { reason: Reason };

/** The limit of the API for a message: a longer one would keep the whole status from being written. */
const LONGEST_MESSAGE = 32_768;

/**
 * Sets conditions by type; lastTransitionTime changes only with the status (API conventions). Messages may contain text of
 * users, whose control characters are escaped.
 */
export function withConditions(
  existing: readonly Condition[] | undefined,
  drafts: readonly ConditionDraft[],
  now: number,
  observedGeneration?: number,
): Condition[] {
  const kept = (existing ?? []).filter(({ type }) => !drafts.some((draft) => draft.type === type));
  const changed = drafts.map((draft) => {
    const before = findCondition(existing, draft.type);
    const lastTransitionTime =
      before?.status === draft.status ? before.lastTransitionTime : new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
    return {
      ...draft,
      message: printable(draft.message).slice(0, LONGEST_MESSAGE).toWellFormed(),
      lastTransitionTime,
      ...(observedGeneration !== undefined && { observedGeneration }),
    };
  });
  return [...kept, ...changed];
}

/** A condition that is False, with the reason `off`, unless there is a reason for True. */
export function flag(
  type: string,
  on: { reason: Reason; message: string } | undefined,
  off: Reason,
  message: string,
): ConditionDraft {
  return on ? { type, status: 'True', ...on } : { type, status: 'False', reason: off, message };
}
