/** The number of pods of an int-or-percent value. Percentages are rounded up, as a Deployment does for maxSurge. */
export function intOrPercentOf(value: number | string, total: number): number {
  if (typeof value === 'number') return Math.max(0, value);
  const percent = /^(\d+)%$/.exec(value)?.[1];
  return percent === undefined ? Number(value) || 0 : Math.ceil((Number(percent) * total) / 100);
}
