/** The time since a commit. Pure. */

/** https://www.rfc-editor.org/rfc/rfc3339#section-5.6 */
const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;

/** The seconds from the commit to `now` (ms since the epoch); undefined for a text that is no time, or a time to come. */
export function leadSeconds(commit: string, now: number): number | undefined {
  const at = RFC_3339.test(commit) ? Date.parse(commit.toUpperCase().replace(' ', 'T')) : Number.NaN;
  return at <= now ? (now - at) / 1000 : undefined;
}
