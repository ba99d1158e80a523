/** Times of several clocks: what they can be compared for. */

/** A creationTimestamp has whole seconds, and the operator knows the time of the API server to about a second (ms). */
export const PRECISION_MS = 2000;

/** How far the clocks of the VMs and of the API server may differ (ms). */
const TOLERATED_MS = 60_000;

/**
 * A time that a kubelet or another process wrote (ms since the epoch); NaN for one in the future, which comes from a clock that
 * is wrong: nothing may wait until then.
 */
export function timeOfOtherClock(time: string | undefined, now: number): number {
  const at = Date.parse(time ?? '');
  return at > now + TOLERATED_MS ? Number.NaN : at;
}
