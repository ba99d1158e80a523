const MAX_NAMES = 5;

/** A list of limited length, independent of the order of the names. */
export function listed(names: readonly string[]): string {
  const shown = names.toSorted().slice(0, MAX_NAMES);
  const more = names.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}
