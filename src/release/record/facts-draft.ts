/** Drafts of the facts of revisions: rules change the drafts, and each changed revision gets one write. */
import { ANNOTATION } from '../../api/meta.ts';
import type { Action, Notice } from './actions.ts';
import { targetOf } from './actions.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Revision } from './revision.ts';
import type { Facts } from './recorded-data.ts';

export interface FactsDraft {
  /** The draft of the facts of a revision. Rules change it in place. */
  change(revision: Revision): Facts;
  /** Adds an event that is sent with the write. */
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
          message: `record the facts of revision ${revision.number}`,
          target: targetOf(revision),
          annotations: { [ANNOTATION.facts]: JSON.stringify(facts) },
          ...(index === 0 && notices.length > 0 && { notices }),
        }));
    },
  };
}

/** A revision enters a stage, or leaves it: its exposure begins anew, and its steps need new approvals. */
export function forgetSteps(facts: Facts, stage: { name: string }): void {
  forgetExposure(facts, stage);
  const others = Object.entries(facts.approvals).filter(([key]) => !key.startsWith(`${stage.name}/`));
  facts.approvals = Object.fromEntries(others);
}

/** The exposure of a revision in a stage is over. */
export function forgetExposure(facts: Facts, { name }: { name: string }): void {
  if (!facts.exposures || !(name in facts.exposures)) return;
  const { [name]: _over, ...others } = facts.exposures;
  if (Object.keys(others).length > 0) facts.exposures = others;
  else delete facts.exposures;
}
