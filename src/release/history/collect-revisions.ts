/** Removes revisions beyond the limits; digests that only they have are written to the ledger first. Pure. */
import { ANNOTATION } from '../../api/meta.ts';
import type { Action } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import type { Revision } from '../record/revision.ts';
import { isBad, isGood } from '../record/revision.ts';
import { inheritsFrom } from '../state/kinship.ts';
import { lastGood } from '../state/target.ts';
import type { Rollout } from '../state/view.ts';
import { inForce } from '../state/view.ts';
import { ledgerWith, lostPins, writeLedger } from './ledger.ts';

const FAILED_LIMIT = 3;

export function collectRevisions(view: Rollout): Action[] {
  const gone = revisionsBeyondLimits(view);
  const left = view.revisions.filter((revision) => !gone.includes(revision));
  const done = gone.filter((revision) => Object.keys(lostPins(view, revision, left)).length === 0);
  if (done.length > 0) return done.map(deleteRevision);
  const oldest = gone.toSorted((a, b) => a.number - b.number).at(0);
  if (!oldest) return [];
  const ledger = ledgerWith(view, oldest.data.input.version, lostPins(view, oldest, left));
  // Without room in the ledger the pins are lost, and the registry is asked again: to keep the revision would not help.
  if (!ledger) return [deleteRevision(oldest)];
  return writeLedger(
    view,
    { [ANNOTATION.ledger]: JSON.stringify(ledger) },
    'keep the digests of revisions that are removed',
  );
}

function revisionsBeyondLimits(view: Rollout): Revision[] {
  if (view.wanted.state !== 'Recorded') return [];
  const kept = neededRevisions(view);
  const spare = view.revisions.filter((revision) => !kept.has(revision)).toReversed();
  // The targets of a rollback that may come are never removed, however old they are.
  const back = new Set(
    view.pools.flatMap((pool) =>
      [pool.served, view.lastWanted].flatMap((left) =>
        [view.pools, pool.group.pools].map((pools) => lastGood(view, pool, left, pools)),
      ),
    ),
  );
  // Revisions with bad marks are kept, even if they were good before: a later revision of the version inherits the marks.
  const bad = new Set(spare.filter(isBad).slice(0, FAILED_LIMIT));
  const good = spare
    .filter((revision) => isGoodAnywhere(revision))
    .toSorted((a, b) => Number(back.has(b)) - Number(back.has(a)))
    .slice(view.topology.revisionHistoryLimit)
    .filter((revision) => !back.has(revision) && !bad.has(revision));
  const others = spare
    .filter((revision) => !isGoodAnywhere(revision))
    .toSorted((a, b) => Number(bad.has(b)) - Number(bad.has(a)))
    .slice(FAILED_LIMIT);
  return [...good, ...others];
}

function deleteRevision(revision: Revision): Action {
  return {
    kind: 'DeleteRevision',
    message: `remove revision ${revision.number}: beyond the history limit`,
    target: targetOf(revision),
  };
}

function isGoodAnywhere(revision: Revision): boolean {
  return Object.keys(revision.facts.pools).some((pool) => isGood(revision, pool));
}

/** Revisions in use: served, standby, wanted, entered, targets of rollbacks, the newest (for its number), sources of marks. */
function neededRevisions(view: Rollout): Set<Revision> {
  const numbers = new Set<number | undefined>([view.lastWanted?.number, view.revisions.at(-1)?.number]);
  for (const { revision } of view.workloads) numbers.add(revision);
  for (const pool of view.pools) numbers.add(pool.served?.number).add(pool.entered?.number).add(pool.hold?.pool.to);
  for (const { status, ...rollback } of view.observed.rollbacks) {
    if (!inForce({ status, ...rollback }, view.owner.uid)) continue;
    numbers.add(status?.heldAgainst);
    for (const { to, from } of status?.pools ?? []) numbers.add(to).add(from);
  }
  const needed = view.revisions.filter(({ number }) => numbers.has(number));
  return new Set(needed.flatMap((revision) => [revision, inheritsFrom(view, revision) ?? revision]));
}
