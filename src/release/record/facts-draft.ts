/** The facts that a pass wants to record: rules change drafts, and one write for each revision comes of it. */
import { ANNOTATION } from '../../api/meta.ts';
import type { Action, Notice } from './actions.ts';
import { targetOf } from './actions.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Revision } from './revision.ts';
import type { Facts } from './recorded-data.ts';

export interface FactsDraft {
  /** The draft of a revision's facts, to be changed in place. */
  change(revision: Revision): Facts;
  /** An event to go with the write. */
  notice(notice: Notice): void;
  actions(): Action[];
}

export function draftFacts(): FactsDraft {
  const drafts = new Map<Revision, Facts>();
  const notices: Notice[] = [];
  return {
    change(revision) {
      const draft = drafts.get(revision) ?? structuredClone(revision.facts);
      drafts.set(revision, draft);
      return draft;
    },
    notice(notice) {
      notices.push(notice);
    },
    actions() {
      return [...drafts]
        .filter(([revision, facts]) => canonicalJson(facts) !== canonicalJson(revision.facts))
        .map(([revision, facts], index) => ({
          kind: 'AnnotateRevision',
          message: `record what became of revision ${revision.number}`,
          target: targetOf(revision),
          annotations: { [ANNOTATION.facts]: JSON.stringify(facts) },
          ...(index === 0 && notices.length > 0 && { notices }),
        }));
    },
  };
}
