/** What is no longer needed: pools that left, revisions beyond the limits. And what must outlive them. Pure. */
import { ANNOTATION, LABEL } from '../api/meta.ts';
import type { Action } from './actions.ts';
import { targetOf } from './actions.ts';
import { canonicalJson, ledgerName, revisionName } from './names.ts';
import type { Ledger, Revision } from './revision.ts';
import { isGood } from './revision.ts';
import { isSettled, poolTarget, wantedRevision } from './target.ts';
import type { View } from './view.ts';
import { inForce } from './view.ts';

const FAILED_LIMIT = 3;
/** Versions whose digests the ledger keeps: an annotation holds 256 KiB. */
const LEDGER_LIMIT = 500;

/** Records the wanted revision once everything about it is known. */
export function recordRevision(view: View): Action[] {
  const { wanted } = view;
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
export function keepLedger(view: View): Action[] {
  const { ledgerObject, record, topology } = view;
  const annotations: Record<string, string> = {};
  if (view.valid && topology && canonicalJson(topology) !== canonicalJson(record.topology)) {
    annotations[ANNOTATION.topology] = JSON.stringify(topology);
  }
  const newest = view.revisions.at(-1);
  const wanted = wantedRevision(view);
  if (
    wanted &&
    newest &&
    wanted !== view.revisions.find(({ number }) => number === (lastWantedNumber(view) ?? newest.number))
  ) {
    annotations[ANNOTATION.wanted] = JSON.stringify({ revision: wanted.number, newest: newest.number });
  }
  return writeLedger(view, annotations, ledgerObject ? 'keep the ledger' : 'begin the ledger');
}

function lastWantedNumber({ record, revisions }: View): number | undefined {
  return record.wanted?.newest === revisions.at(-1)?.number ? record.wanted?.revision : undefined;
}

function writeLedger(view: View, annotations: Record<string, string>, message: string): Action[] {
  if (Object.keys(annotations).length === 0) return [];
  const { ledgerObject } = view;
  return ledgerObject
    ? [{ kind: 'AnnotateRevision', message, target: targetOf(ledgerObject), annotations }]
    : [{ kind: 'CreateLedger', message, name: ledgerName(view.owner.name), annotations }];
}

/** Removes revisions beyond the limits; the digests of a version that goes are written to the ledger first. */
export function collectRevisions(view: View): Action[] {
  if (!view.topology || view.wanted.state !== 'Recorded') return [];
  const kept = neededRevisions(view);
  const spare = view.revisions.filter((revision) => !kept.has(revision)).toReversed();
  const good = spare.filter((revision) => isGoodAnywhere(revision)).slice(view.topology.revisionHistoryLimit);
  const others = spare.filter((revision) => !isGoodAnywhere(revision)).slice(FAILED_LIMIT);
  const gone = [...good, ...others];
  if (gone.length === 0) return [];
  const left = new Set(
    view.revisions.filter((revision) => !gone.includes(revision)).map(({ data }) => data.input.version),
  );
  const missing = gone.filter(
    ({ data }) => !left.has(data.input.version) && view.record.ledger[data.input.version] === undefined,
  );
  if (missing.length > 0) {
    const added: Ledger = Object.fromEntries(missing.map(({ data }) => [data.input.version, data.images]));
    const entries = Object.entries({ ...view.record.ledger, ...added }).slice(-LEDGER_LIMIT);
    return writeLedger(
      view,
      { [ANNOTATION.ledger]: JSON.stringify(Object.fromEntries(entries)) },
      'keep the digests of versions whose revisions go',
    );
  }
  return gone.map((revision) => ({
    kind: 'DeleteRevision',
    message: `remove revision ${revision.number}: beyond the history limit`,
    target: targetOf(revision),
  }));
}

function isGoodAnywhere(revision: Revision): boolean {
  return Object.keys(revision.facts.pools).some((pool) => isGood(revision, pool));
}

/** Served, standby, wanted, entered, the newest (its number must not come again), or a rollback's target. */
function neededRevisions(view: View): Set<Revision> {
  const numbers = new Set<number | undefined>([view.lastWanted?.number, view.revisions.at(-1)?.number]);
  for (const { revision } of view.workloads) numbers.add(revision);
  for (const pool of view.pools) numbers.add(pool.served?.number).add(pool.entered?.number).add(pool.hold?.pool.to);
  for (const { status, ...rollback } of view.observed.rollbacks) {
    if (!inForce({ status, ...rollback }, view.owner.uid)) continue;
    numbers.add(status?.heldAgainst);
    for (const { to, from } of status?.pools ?? []) numbers.add(to).add(from);
  }
  return new Set(view.revisions.filter(({ number }) => numbers.has(number)));
}

/** Removes the Deployments and Services of pools that left the spec: last, when every other pool has arrived. */
export function collectPools(view: View): Action[] {
  if (!view.valid || !view.topology) return [];
  const names = new Set(view.pools.map(({ name }) => name));
  const services = new Set(view.groups.map(({ serviceName }) => serviceName));
  const workloads = view.workloads.filter(({ pool }) => !names.has(pool));
  const orphans = view.observed.services.filter(
    ({ metadata }) =>
      !services.has(metadata.name) &&
      metadata.deletionTimestamp === undefined &&
      metadata.labels?.[LABEL.managedBy] === 'apprelease',
  );
  if (workloads.length + orphans.length === 0) return [];
  const arrived = view.pools.every((pool) => {
    const target = poolTarget(view, pool);
    return target !== undefined && isSettled(view, pool, target.revision);
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
