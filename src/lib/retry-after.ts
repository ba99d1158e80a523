/**
 * Retry-After (RFC 9110, section 10.2.3) in seconds: a number, or an HTTP date, which counts from the Date header of the answer,
 * because the clock of the server may differ from that of this process.
 */
export function parseRetryAfter(value: string | undefined, date: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value);
  const [until, sentAt] = [Date.parse(value), Date.parse(date ?? '') || Date.now()];
  return Number.isNaN(until) ? undefined : Math.max(0, Math.ceil((until - sentAt) / 1000));
}
