/** The reason and message of a release that is not ready. */
import type { Reason } from '../../api/reasons.ts';

export interface ReadyReason {
  reason: Reason;
  message: string;
}
