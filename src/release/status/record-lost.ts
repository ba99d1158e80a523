/** What a lost record says about the release. Pure. */
import { revisionName } from '../record/names.ts';
import { isGood } from '../record/revision.ts';
import { lostWanted } from '../state/lost-record.ts';
import type { Rollout } from '../state/view.ts';
import type { ReadyReason } from './ready-reason.ts';

/** What serves stays, though nobody knows any more what it is: a person says what comes next. */
export function recordIsLost(view: Rollout): ReadyReason | undefined {
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
