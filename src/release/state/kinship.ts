/** Later revisions with the same version or images inherit the hold against a revision and its bad marks. Pure. */
import type { ReleaseRollback } from '../../api/release-rollback.ts';
import type { Revision } from '../record/revision.ts';
import { isBad, isBadIn, isGood, poolFacts } from '../record/revision.ts';
import type { Rollout } from './view.ts';

type Seen = Pick<Rollout, 'revisions' | 'pools'>;

/** Whether two revisions share holds and bad marks: they have the same version or the same images. */
export function isKin(one: Revision, other: Revision): boolean {
  return hasSameVersion(one, other) || hasSameImages(one, other);
}

export function hasSameVersion(one: Revision, other: Revision): boolean {
  return one.data.input.version === other.data.input.version;
}

/** Compares the whole set of digests. One shared image, such as a sidecar, is not enough. */
function hasSameImages(one: Revision, other: Revision): boolean {
  const [digests, others] = [digestsOf(one), digestsOf(other)];
  return digests.size === others.size && [...digests].every((digest) => others.has(digest));
}

function digestsOf({ data }: Revision): Set<string> {
  return new Set(Object.values(data.images).map(({ digest }) => digest));
}

/** Whether the revision is good in this pool and neither failed nor was rolled back there. */
function isProven(revision: Revision, pool: string): boolean {
  return isGood(revision, pool) && !isBadIn(revision, pool);
}

/** Whether the revision has a bad mark, or is on a later attempt and not proven in all of its pools yet. */
function isInDoubt(revision: Revision, pools: readonly string[]): boolean {
  if (isBad(revision)) return true;
  const isRetried = (revision.facts.attempt ?? 1) > 1;
  return isRetried && pools.some((pool) => Object.hasOwn(revision.data.placements, pool) && !isProven(revision, pool));
}

/**
 * The newest earlier revision whose bad marks the heir inherits. A pool does not count if the heir is proven there, or if a
 * revision between the two became good there after the marks were made.
 */
export function inheritsFrom({ revisions, pools }: Seen, heir: Revision): Revision | undefined {
  const names = pools.map(({ name }) => name);
  const open = names.filter((name) => !isProven(heir, name));
  return revisions.findLast(
    (earlier) =>
      earlier.number < heir.number &&
      isKin(earlier, heir) &&
      isInDoubt(earlier, names) &&
      open.some((pool) => !isProven(earlier, pool) && !isClearedIn(pool, revisions, earlier, heir)),
  );
}

/**
 * Whether a revision between the two is good in the pool and has everything that the heir shares with the earlier revision.
 */
function isClearedIn(pool: string, revisions: readonly Revision[], earlier: Revision, heir: Revision): boolean {
  return revisions.some(
    (between) =>
      between.number > earlier.number &&
      between.number < heir.number &&
      isProven(between, pool) &&
      Date.parse(poolFacts(between, pool).good ?? '') > lastMarkOf(earlier) &&
      (!hasSameVersion(earlier, heir) || hasSameVersion(between, heir)) &&
      (!hasSameImages(earlier, heir) || hasSameImages(between, heir)),
  );
}

/** Describes the bad mark that the heir inherits from an earlier revision. */
export function describeMark(earlier: Revision, heir: Revision): string {
  const shares = hasSameVersion(earlier, heir) ? 'the same version' : 'the same images';
  const [pool] = Object.entries(earlier.facts.pools).find(([, { failed }]) => failed) ?? [];
  const by = Object.values(earlier.facts.pools).find(({ rolledBack }) => rolledBack)?.rolledBack?.by;
  const what =
    pool !== undefined
      ? `failed in pool ${pool}`
      : by !== undefined
        ? `was rolled back by rollback ${by}`
        : 'was rolled back';
  return `revision ${earlier.number} (${earlier.data.input.version}), which has ${shares}, ${what}`;
}

/** When a revision was last marked bad (ms since the epoch). */
function lastMarkOf({ facts }: Revision): number {
  const marks = Object.values(facts.pools).flatMap(({ failed, rolledBack }) => [failed?.at, rolledBack?.at]);
  return Math.max(0, ...marks.map((at) => (at === undefined ? 0 : Date.parse(at))));
}

/**
 * Whether a rollback blocks a revision: the revision that it is held against, and its kin. A later kin is admitted if every
 * pool of the rollback serves it or has proven it. An earlier kin is admitted if any pool has, because that is a revert.
 */
export function keepsOut({ revisions, pools }: Seen, { status }: ReleaseRollback, revision: Revision): boolean {
  if (revision.number === status?.heldAgainst) return true;
  const held = revisions.find(({ number }) => number === status?.heldAgainst);
  const isKept = held ? isKin(held, revision) : status?.heldVersion === revision.data.input.version;
  if (!isKept) return false;
  const kept = (status?.pools ?? []).filter(({ supersededBy }) => supersededBy === undefined);
  const served = new Set(pools.filter((pool) => pool.served === revision).map(({ name }) => name));
  const isHome = ({ name }: { name: string }) => served.has(name) || isProven(revision, name);
  return revision.number > (status?.heldAgainst ?? 0) ? !kept.every(isHome) : !pools.some(isHome);
}
