/** What is no longer needed: pools that left, revisions beyond the limits. And what must outlive them. Pure. */
import { ANNOTATION } from '../../api/meta.ts';
import { own } from '../../lib/own.ts';
import type { Action } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import { inheritsFrom } from '../state/kinship.ts';
import { ledgerName, revisionName } from '../record/names.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { ownershipOf } from '../record/ownership.ts';
import { wantsTheLost } from '../state/lost-record.ts';
import type { Revision } from '../record/revision.ts';
import type { Ledger, PinnedImage } from '../record/recorded-data.ts';
import { isBad, isGood, knownPins, LEDGER_BYTES } from '../record/revision.ts';
import { isServing, lastGood, poolTarget, wantedRevision } from '../state/target.ts';
import type { View } from '../state/view.ts';
import { inForce } from '../state/view.ts';

const FAILED_LIMIT = 3;

/** Records the wanted revision once everything about it is known. */
export function recordRevision(view: View): Action[] {
  const { wanted } = view;
  if (wantsTheLost(view)) return [];
  if (wanted.state === 'Unproven') {
    const { hash, deployment } = wanted;
    return [{ kind: 'DryRun', message: 'ask the API server whether it takes the template', hash, deployment }];
  }
  if (wanted.state !== 'New') return [];
  const { version } = wanted.data.input;
  return [
    {
      kind: 'CreateRevision',
      message: `record revision ${wanted.number} of version ${version}`,
      name: revisionName(view.owner.name, wanted.number),
      number: wanted.number,
      data: wanted.data,
      annotations: { [ANNOTATION.version]: version },
      notices: [
        {
          type: 'Normal',
          reason: 'RevisionRecorded',
          note: `revision ${wanted.number} pins version ${version}: ${Object.values(wanted.data.images)
            .map(({ image }) => image)
            .join(', ')}`.slice(0, 1000),
        },
      ],
    },
  ];
}

/** Keeps the ledger: the topology to roll back in while the spec is not valid, and which revision is wanted. */
export function reconcileLedger(view: View): Action[] {
  const { ledgerObject, record, topology } = view;
  const annotations: Record<string, string> = {};
  if (view.valid && topology && canonicalJson(topology) !== canonicalJson(record.topology)) {
    annotations[ANNOTATION.topology] = JSON.stringify(topology);
    const left = newestOf(record.ledger, LEDGER_BYTES - sizeOf(topology));
    if (sizeOf(left) < sizeOf(record.ledger)) annotations[ANNOTATION.ledger] = JSON.stringify(left);
  }
  const last = view.revisions.at(-1);
  const wanted = wantedRevision(view);
  if (
    wanted &&
    last &&
    wanted !== view.revisions.find(({ number }) => number === (lastWantedNumber(view) ?? last.number))
  ) {
    annotations[ANNOTATION.wanted] = JSON.stringify({ revision: wanted.number, newest: last.number });
  }
  return writeLedger(view, annotations, ledgerObject ? 'keep the ledger' : 'begin the ledger');
}

function lastWantedNumber({ record, revisions }: View): number | undefined {
  return record.wanted?.newest === revisions.at(-1)?.number ? record.wanted?.revision : undefined;
}

function writeLedger(view: View, annotations: Record<string, string>, message: string): Action[] {
  const { ledgerObject, observed } = view;
  if (Object.keys(annotations).length === 0) return [];
  if (!ledgerObject && observed.memory.nameConflicts.has(`ControllerRevision/${ledgerName(view.owner.name)}`))
    return [];
  return ledgerObject
    ? [{ kind: 'AnnotateRevision', message, target: targetOf(ledgerObject), annotations }]
    : [{ kind: 'CreateLedger', message, name: ledgerName(view.owner.name), annotations }];
}

/** Removes revisions beyond the limits; pins that only they know are written to the ledger first. */
export function collectRevisions(view: View): Action[] {
  const gone = revisionsBeyondLimits(view);
  const left = view.revisions.filter((revision) => !gone.includes(revision));
  const done = gone.filter((revision) => Object.keys(lostPins(view, revision, left)).length === 0);
  if (done.length > 0) return done.map(deleteRevision);
  const oldest = gone.toSorted((a, b) => a.number - b.number).at(0);
  if (!oldest) return [];
  const ledger = ledgerWith(view, oldest.data.input.version, lostPins(view, oldest, left));
  // To keep it for ever would not keep its pins: those of its version are asked for again.
  if (!ledger) return [deleteRevision(oldest)];
  return writeLedger(
    view,
    { [ANNOTATION.ledger]: JSON.stringify(ledger) },
    'keep the digests of versions whose revisions go',
  );
}

function revisionsBeyondLimits(view: View): Revision[] {
  if (!view.topology || view.wanted.state !== 'Recorded') return [];
  const kept = neededRevisions(view);
  const spare = view.revisions.filter((revision) => !kept.has(revision)).toReversed();
  // What a rollback would go back to now takes the first places, however old it is, and goes in no case.
  const back = new Set(
    view.pools.flatMap((pool) => [pool.served, view.lastWanted].map((left) => lastGood(view, pool, left))),
  );
  // So that a version that comes again later inherits their marks, good as they may have been before.
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

/** The pins of a revision that neither the ledger nor a revision of its version that stays has. */
function lostPins(view: View, { data }: Revision, left: readonly Revision[]): Record<string, PinnedImage> {
  const known = knownPins(data.input.version, left, view.record.ledger);
  return Object.fromEntries(Object.entries(data.images).filter(([image]) => own(known, image) === undefined));
}

/** The ledger with these pins, too; undefined where there is no room for them, even without all other versions. */
function ledgerWith({ record }: View, version: string, pins: Record<string, PinnedImage>): Ledger | undefined {
  const { [version]: _earlier, ...others } = record.ledger;
  const added: Ledger = { [version]: { ...own(record.ledger, version), ...pins } };
  const room = LEDGER_BYTES - sizeOf(record.topology ?? {}) - sizeOf(added);
  return room < 0 ? undefined : { ...newestOf(others, room), ...added };
}

/** Without the versions that stand in it longest, where it would grow too large. */
function newestOf(ledger: Ledger, bytes: number): Ledger {
  let room = bytes;
  const kept = Object.entries(ledger)
    .toReversed()
    .filter(([name, images]) => {
      room -= sizeOf({ [name]: images });
      return room >= 0;
    });
  return Object.fromEntries(kept.toReversed());
}

function sizeOf(value: object): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** Records that lost their owner, as by a restore from a backup: else they would outlive the release. */
export function ownRevisions({ observed, owner }: View): Action[] {
  return observed.revisions
    .filter(({ metadata }) => ownershipOf(metadata, owner) === 'Orphan')
    .map((object) => ({ kind: 'OwnRevision', message: `own ${object.metadata.name}`, target: targetOf(object) }));
}

function isGoodAnywhere(revision: Revision): boolean {
  return Object.keys(revision.facts.pools).some((pool) => isGood(revision, pool));
}

/** Served, standby, wanted, entered, the newest (its number must not come again), a rollback's target, or the source of marks. */
function neededRevisions(view: View): Set<Revision> {
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

/** Removes the Deployments and Services of pools that left the spec: last, when every other pool has arrived. */
export function collectPools(view: View): Action[] {
  if (!view.valid || !view.topology) return [];
  const names = new Set(view.pools.map(({ name }) => name));
  const services = new Set(view.groups.map(({ serviceName }) => serviceName));
  const workloads = view.workloads.filter(({ pool }) => !names.has(pool));
  const orphans = view.observed.services.filter(
    ({ metadata }) => !services.has(metadata.name) && metadata.deletionTimestamp === undefined,
  );
  if (workloads.length + orphans.length === 0) return [];
  const arrived = view.pools.every((pool) => {
    const target = poolTarget(view, pool);
    return target !== undefined && isServing(view, pool, target.revision);
  });
  if (!arrived) return [];
  return [
    ...orphans.map((service): Action => ({
      kind: 'DeleteService',
      message: `remove Service ${service.metadata.name}: no pool has it any more`,
      target: targetOf(service),
    })),
    ...workloads.map((workload): Action => ({
      kind: 'DeleteDeployment',
      message: `remove ${workload.name}: pool ${workload.pool} left the release`,
      target: targetOf(workload.deployment),
    })),
  ];
}
