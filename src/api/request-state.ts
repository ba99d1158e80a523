/** How kstatus reads a ReleaseRollback or ReleasePromotion (helm --wait, Flux): by Ready, Reconciling and Stalled. */
import type { Condition } from './common.ts';
import type { ConditionDraft } from './conditions.ts';
import { flag, withConditions } from './conditions.ts';
import type { Reason } from './reasons.ts';

/** The condition that is True: Ready reads as Current, Reconciling as InProgress, Stalled as Failed. */
export interface RequestState {
  is: 'Ready' | 'Reconciling' | 'Stalled';
  reason: Reason;
  message: string;
}

interface RequestStatus {
  observedGeneration?: number | undefined;
  conditions?: Condition[] | undefined;
}

/** The status with its state as conditions, and with the generation that it is about. */
export function withState<Status extends RequestStatus>(
  status: Status,
  state: RequestState,
  now: number,
  generation: number | undefined,
): Status {
  return {
    ...status,
    ...(generation !== undefined && { observedGeneration: generation }),
    conditions: withConditions(status.conditions, stateDrafts(state), now, generation),
  };
}

function stateDrafts({ is, reason, message }: RequestState): ConditionDraft[] {
  return [
    { type: 'Ready', status: is === 'Ready' ? 'True' : 'False', reason, message },
    flag('Reconciling', is === 'Reconciling' ? { reason, message } : undefined, 'Idle', 'nothing is under way'),
    flag('Stalled', is === 'Stalled' ? { reason, message } : undefined, 'NotStalled', 'no action is needed'),
  ];
}
