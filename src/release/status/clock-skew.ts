/** The condition about a clock of the operator that differs from the API server's. Pure. */
import type { ConditionDraft } from '../../api/conditions.ts';
import { flag } from '../../api/conditions.ts';
import type { Observed } from '../state/observed.ts';

/** The time of the API server is known to about a second. */
const TOLERATED_MS = 5000;

export function clockSkewed({ clockSkewMs = 0 }: Pick<Observed, 'clockSkewMs'>): ConditionDraft {
  const seconds = Math.round(Math.abs(clockSkewMs) / 1000);
  const message = `the clock of the operator is ${seconds} s ${clockSkewMs > 0 ? 'ahead of' : 'behind'} the API server's: the operator uses the time of the API server. Correct the clock of the VM that the operator runs on, or that of the API server`;
  return flag(
    'ClockSkewed',
    Math.abs(clockSkewMs) > TOLERATED_MS ? { reason: 'ClocksDiffer', message } : undefined,
    'ClocksAgree',
    'the clocks of the operator and of the API server agree',
  );
}
