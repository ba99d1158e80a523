/** What each release was let into or waits for, as its last plan has it: every release's count leaves the others theirs. */
import type { Claims } from '../../release/state/claim.ts';

export interface ClaimBook {
  /** Those of the others, where there are any. */
  others: (release: string) => Claims[];
  /** As soon as it is decided, before anything is written. Whether others may find more room now. */
  note: (release: string, claims: Claims) => boolean;
  /** The release is gone. */
  forget: (release: string) => boolean;
}

/**
 * `lookUp` tells what a release that has had no pass yet has been let into: a new leader sees that in the caches. Later the
 * cost does not grow with the number of releases, as only those with claims are kept.
 */
export function createClaimBook(
  releases: () => readonly string[],
  lookUp: (release: string) => Claims | undefined,
): ClaimBook {
  const claims = new Map<string, Claims>();
  const noted = new Set<string>();
  let isComplete = false;

  function keep(release: string, own: Claims | undefined): void {
    if (own && (own.reserved.length > 0 || own.waiting)) claims.set(release, own);
    else claims.delete(release);
  }

  function complete(): void {
    if (isComplete) return;
    isComplete = true;
    for (const release of releases()) if (!noted.has(release)) keep(release, lookUp(release));
    noted.clear();
  }

  return {
    others: (release) => {
      complete();
      return [...claims.values()].filter((own) => own.release !== release);
    },
    note: (release, own) => {
      const before = claims.get(release);
      if (!isComplete) noted.add(release);
      keep(release, own);
      return podCount(before) > podCount(own) || (before?.waiting !== undefined && own.waiting === undefined);
    },
    forget: (release) => claims.delete(release),
  };
}

function podCount(claims: Claims | undefined): number {
  return (claims?.reserved ?? []).reduce((sum, { count }) => sum + count, 0);
}
