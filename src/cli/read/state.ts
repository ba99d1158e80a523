/** The state of a release in one word, from its conditions. Pure. */
import type { AppReleaseStatus } from '../../api/app-release-status.ts';
import { conditionIs, findCondition } from '../../api/conditions.ts';

export interface ReleaseState {
  /** The reason of the condition Ready. */
  readonly reason: string;
  readonly message: string;
  /** bad: it needs a person, since something is wrong. */
  readonly tone: 'good' | 'bad' | 'waits';
}

export function stateOf({ status }: { readonly status?: AppReleaseStatus | undefined }): ReleaseState {
  const ready = findCondition(status?.conditions, 'Ready');
  if (!ready)
    return {
      reason: 'Unknown',
      message: 'no operator has seen this release: see kubectl apprelease doctor',
      tone: 'bad',
    };
  const { reason, message } = ready;
  if (ready.status === 'True') return { reason, message, tone: 'good' };
  return { reason, message, tone: conditionIs(status?.conditions, 'Stalled', 'True') ? 'bad' : 'waits' };
}
