/** The reason RecordLost: a record is gone, and rebuild-record.ts cannot make it again. Pure. */
import { revisionName } from '../record/names.ts';
import { isGood } from '../record/revision.ts';
import { lostWanted } from '../state/lost-record.ts';
import type { Rollout } from '../state/view.ts';
import type { ReadyReason } from './ready-reason.ts';

/** Reports a served revision without a record: it keeps running, and a person must decide what to release next. */
export function recordIsLost(view: Rollout): ReadyReason | undefined {
  const pool = lostWanted(view);
  if (!pool) return undefined;
  const { number, version } = pool.lost;
  const name = revisionName(view.owner.name, number);
  const good = view.revisions.filter((revision) => isGood(revision, pool.name)).map(({ data }) => data.input.version);
  const back = good.length > 0 ? `, or go back with a ReleaseRollback to ${[...new Set(good)].join(' or ')}` : '';
  return {
    reason: 'RecordLost',
    message: `pool ${pool.name} serves version ${version ?? '?'} (revision ${number}), and its record is gone: there is no ControllerRevision ${name}. The pool keeps serving it. The record cannot be rebuilt from what runs: release another spec.version${back}`,
  };
}
