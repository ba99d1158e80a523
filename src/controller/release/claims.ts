/** The room on VMs that each release reserves or waits for by its last plan: other releases do not count it. */
import type { Claims } from '../../release/state/claim.ts';

export interface ClaimBook {
  /** The claims of the other releases. */
  others: (release: string) => Claims[];
  /** Stores the claims of a plan before its writes. Returns whether other releases may find more room. */
  note: (release: string, claims: Claims) => boolean;
  /** Removes the claims of a deleted release. Returns whether it had any. */
  forget: (release: string) => boolean;
}

/**
 * `lookUp` reads the claims of a release without a pass from the caches: a new leader needs them once. After that, only
 * releases with claims are kept, so that the cost does not grow with the number of releases.
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
