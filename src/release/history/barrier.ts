/** Keeps the barrier of a recorded revision as spec.rollback.barrier says: it is a mark, not a part of the revision. Pure. */
import type { Action } from '../record/actions.ts';
import { draftFacts } from '../record/facts-draft.ts';
import { hasBarrier } from '../record/revision.ts';
import { wantedRevision } from '../state/target.ts';
import { previouslyWanted } from '../state/wanted.ts';
import type { View } from '../state/view.ts';

/**
 * Only an edit of the field removes the mark: a revision that is wanted again, with a spec that never spoke of it, keeps its
 * barrier. Stored before the ledger records the new spec, which tells what was edited.
 */
export function markBarrier(view: View): Action[] {
  if (view.kind === 'Unknown' || !view.spec) return [];
  const wanted = wantedRevision(view);
  const { record, revisions } = view;
  const { barrier } = view.spec.rollback;
  if (!wanted || hasBarrier(wanted) === barrier) return [];
  const wasEdited = record.topology !== undefined && record.topology.rollback.barrier !== barrier;
  if (!barrier && !(wasEdited && previouslyWanted(revisions, record) === wanted)) return [];
  const drafts = draftFacts();
  drafts.change(wanted).barrier = barrier;
  return drafts.actions();
}
