/** One reason why a release is not ready, or how it gets there. */
import type { Reason } from '../../api/reasons.ts';

export interface ReadyReason {
  reason: Reason;
  message: string;
}
