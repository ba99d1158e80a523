/** What no cache shows, though something that runs says that it was made: records above all. Pure. */
import { LABEL } from '../../api/meta.ts';
import type { Action } from '../record/actions.ts';
import { ledgerName, revisionName } from '../record/names.ts';
import { isNumber } from '../state/lost.ts';
import type { View } from '../state/view.ts';

/** What others label is looked for too: so many at a time. */
const MAX_FINDS = 20;

/** Looks for what is missing before anything is decided: it may only have lost its label, or its news be late. */
export function findLost(view: View): Action[] {
  const records = missingRecords(view).map((name) => ({ object: 'ControllerRevision' as const, name }));
  const deployments = missingDeployments(view).map((name) => ({ object: 'Deployment' as const, name }));
  return [...records, ...deployments]
    .filter(({ object, name }) => !view.observed.memory.lost.has(`${object}/${name}`))
    .slice(0, MAX_FINDS)
    .map((lost) => ({ kind: 'FindLost', message: `look for ${lost.object} ${lost.name}`, ...lost }));
}

function missingRecords(view: View): string[] {
  const { owner, pools, revisions, workloads } = view;
  const recorded = new Set(revisions.map(({ number }) => number));
  const seen = [...workloads.map(({ revision }) => revision), ...pools.flatMap(({ lost }) => lost?.number ?? [])];
  const numbers = new Set(seen.filter((number) => isNumber(number) && !recorded.has(number)));
  // While the spec is not valid, the ledger alone tells the pools.
  const ledger = !view.ledgerObject && !view.spec && revisions.length > 0 ? [ledgerName(owner.name)] : [];
  return [...[...numbers].map((number) => revisionName(owner.name, number)), ...ledger];
}

/** Pods tell of the Deployment that they are of. */
function missingDeployments({ observed }: View): string[] {
  const names = new Set<string>();
  for (const { metadata } of observed.pods) {
    const name = metadata.labels?.[LABEL.workload];
    if (name !== undefined && metadata.deletionTimestamp === undefined) names.add(name);
  }
  for (const { metadata } of observed.deployments) names.delete(metadata.name);
  return [...names];
}
