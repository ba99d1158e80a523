/** What no cache shows, though something that runs says that it was made: records above all. Pure. */
import { LABEL } from '../../api/meta.ts';
import type { Action } from '../record/actions.ts';
import { ledgerName, revisionName } from '../record/names.ts';
import { isGood, wantedVersion } from '../record/revision.ts';
import type { Situation } from '../status/ready.ts';
import { isNumber } from '../state/lost.ts';
import type { PoolView, View } from '../state/view.ts';
import { inForce } from '../state/view.ts';

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
  const ledger = !view.ledgerObject && !view.valid && revisions.length > 0 ? [ledgerName(owner.name)] : [];
  return [...[...numbers].map((number) => revisionName(owner.name, number)), ...ledger];
}

/** Pods tell of the Deployment that they are of. */
function missingDeployments({ observed }: View): string[] {
  const names = new Set(
    observed.pods.flatMap(({ metadata }) =>
      metadata.deletionTimestamp === undefined ? (metadata.labels?.[LABEL.workload] ?? []) : [],
    ),
  );
  for (const { metadata } of observed.deployments) names.delete(metadata.name);
  return [...names];
}

/** The pool whose record is gone for good, and with it what the spec wants: to record it anew would be to release it anew. */
function lostWanted(view: View): (PoolView & Required<Pick<PoolView, 'lost'>>) | undefined {
  const version = wantedVersion(view.observed.release.spec);
  if (view.wanted.state === 'Recorded') return undefined;
  return view.pools.find(
    (pool): pool is PoolView & Required<Pick<PoolView, 'lost'>> =>
      pool.lost !== undefined && (pool.lost.version === undefined || pool.lost.version === version),
  );
}

/** Whether what the spec wants is no new version, but one whose record is lost: it serves, or a rollback keeps it out. */
export function wantsTheLost(view: View): boolean {
  const { observed, owner, revisions } = view;
  const version = wantedVersion(observed.release.spec);
  const isKeptOut = observed.rollbacks.some(
    (rollback) =>
      inForce(rollback, owner.uid) &&
      rollback.status?.heldVersion === version &&
      version !== undefined &&
      !revisions.some(({ number }) => number === rollback.status?.heldAgainst),
  );
  return lostWanted(view) !== undefined || (view.wanted.state !== 'Recorded' && isKeptOut);
}

/** What serves stays, though nobody knows any more what it is: a person says what comes next. */
export function recordIsLost(view: View): Situation | undefined {
  const pool = lostWanted(view);
  if (!pool) return undefined;
  const { number, version } = pool.lost;
  const name = revisionName(view.owner.name, number);
  const good = view.revisions.filter((revision) => isGood(revision, pool.name)).map(({ data }) => data.input.version);
  const back = good.length > 0 ? `, or go back with a ReleaseRollback to ${[...new Set(good)].join(' or ')}` : '';
  return {
    reason: 'RecordLost',
    message: `pool ${pool.name} serves version ${version ?? '?'} (revision ${number}), and the record of it is gone: there is no ControllerRevision ${name}. It serves on as it is. Release another spec.version${back}`,
  };
}
