/** How far a ReleaseRollback or a ReleasePromotion is, from its conditions. Pure. */
import type { Condition } from '../../api/common.ts';
import { conditionIs, findCondition } from '../../api/conditions.ts';
import { OVER } from '../../api/reasons.ts';

export interface RequestState {
  /**
   * Open: the operator has not answered. Accepted: it is under way. Complete: it is done. Rejected: it changes nothing.
   * Person: a person has to act, or it is over before it was done.
   */
  readonly is: 'Open' | 'Accepted' | 'Complete' | 'Rejected' | 'Over' | 'Person';
  readonly message: string;
}

interface Conditioned {
  readonly status?: { readonly conditions?: Condition[] | undefined } | undefined;
}

/** What a promotion waits for that only a person ends. */
const PERSON: readonly string[] = ['Paused', 'ProvesNothing'];

export function requestState({ status }: Conditioned): RequestState {
  const conditions = status?.conditions;
  const accepted = findCondition(conditions, 'Accepted');
  const complete = findCondition(conditions, 'Complete');
  const stalled = findCondition(conditions, 'Stalled');
  if (!accepted) {
    const waiting = findCondition(conditions, 'Waiting');
    return { is: 'Open', message: waiting?.message ?? 'the operator has not answered yet' };
  }
  if (complete?.status === 'True') return { is: 'Complete', message: complete.message };
  if (accepted.status === 'False')
    return { is: OVER.some((one) => one === accepted.reason) ? 'Over' : 'Rejected', message: accepted.message };
  if (conditionIs(conditions, 'Ready', 'True'))
    return { is: 'Over', message: complete?.message ?? findCondition(conditions, 'Ready')?.message ?? '' };
  if (stalled?.status === 'True') return { is: 'Person', message: stalled.message };
  const message = complete?.message ?? accepted.message;
  return { is: PERSON.includes(complete?.reason ?? '') ? 'Person' : 'Accepted', message };
}
