/** Durations as kubectl prints them (k8s.io/apimachinery/pkg/util/duration). */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** `ms`: milliseconds. A time in the future of another clock counts as now. */
export function humanDuration(ms: number): string {
  const given = Math.max(0, ms);
  if (given < 2 * MINUTE) return `${Math.floor(given / SECOND)}s`;
  if (given < 10 * MINUTE) return two(given, MINUTE, 'm', SECOND, 's');
  if (given < 3 * HOUR) return `${Math.floor(given / MINUTE)}m`;
  if (given < 8 * HOUR) return two(given, HOUR, 'h', MINUTE, 'm');
  if (given < 2 * DAY) return `${Math.floor(given / HOUR)}h`;
  if (given < 8 * DAY) return two(given, DAY, 'd', HOUR, 'h');
  if (given < 2 * YEAR) return `${Math.floor(given / DAY)}d`;
  if (given < 8 * YEAR) return two(given, YEAR, 'y', DAY, 'd');
  return `${Math.floor(given / YEAR)}y`;
}

function two(ms: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)}${largeUnit}${rest > 0 ? `${rest}${smallUnit}` : ''}`;
}

/** The age of a time of the API server (RFC 3339). */
export function ageOf(time: string | undefined, now: number): string {
  const at = Date.parse(time ?? '');
  return Number.isNaN(at) ? '<unknown>' : humanDuration(now - at);
}
