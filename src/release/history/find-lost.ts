/** Looks for records and Deployments that are in no cache, although other objects of the release name them. Pure. */
import { LABEL } from '../../api/meta.ts';
import type { Action } from '../record/actions.ts';
import { ledgerName, revisionName } from '../record/names.ts';
import { isNumber, usedNumbers } from '../state/lost.ts';
import type { View } from '../state/view.ts';

/** Limits the look-ups of one plan: labels that others wrote may name many objects. */
const MAX_FINDS = 20;

/** Reads missing objects before any other decision: an object may have lost its label, or its watch may be late. */
export function findLost(view: View): Action[] {
  const records = missingRecords(view).map((name) => ({ object: 'ControllerRevision' as const, name }));
  const deployments = missingDeployments(view).map((name) => ({ object: 'Deployment' as const, name }));
  return [...records, ...deployments]
    .filter(({ object, name }) => !view.observed.memory.lost.has(`${object}/${name}`))
    .slice(0, MAX_FINDS)
    .map((lost) => ({ kind: 'FindLost', message: `look for ${lost.object} ${lost.name}`, ...lost }));
}

function missingRecords(view: View): string[] {
  const { observed, owner, pools, revisions, workloads } = view;
  const recorded = new Set(revisions.map(({ number }) => number));
  // Another leader has recorded it: a new revision would repeat the record. Older ones may have been removed.
  const newer = usedNumbers(observed).filter((number) => number > Math.max(0, ...recorded));
  const seen = [
    ...workloads.map(({ revision }) => revision),
    ...pools.flatMap(({ lost }) => lost?.number ?? []),
    ...newer,
  ];
  const numbers = new Set(seen.filter((number) => isNumber(number) && !recorded.has(number)));
  // While the spec is not valid, only the ledger knows the pools.
  const ledger = !view.ledgerObject && !view.spec && revisions.length > 0 ? [ledgerName(owner.name)] : [];
  return [...[...numbers].map((number) => revisionName(owner.name, number)), ...ledger];
}

/** The label of a pod names its Deployment. */
function missingDeployments({ observed }: View): string[] {
  const names = new Set<string>();
  for (const { metadata } of observed.pods) {
    const name = metadata.labels?.[LABEL.workload];
    if (name !== undefined && metadata.deletionTimestamp === undefined) names.add(name);
  }
  for (const { metadata } of observed.deployments) names.delete(metadata.name);
  return [...names];
}
