/** Notes the sizes that were edited together with the wanted revision, with that revision. Pure. */
import { ownOrNew } from '../../lib/own.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Action } from '../record/actions.ts';
import type { FactsDraft } from '../record/facts-draft.ts';
import { draftFacts } from '../record/facts-draft.ts';
import type { Facts, PoolFacts } from '../record/recorded-data.ts';
import { poolFacts } from '../record/revision.ts';
import { sizedIn, sizedWith } from '../state/kept-size.ts';
import { wantedRevision } from '../state/target.ts';
import type { Rollout, View } from '../state/view.ts';
import { previouslyWanted } from '../state/wanted.ts';

/** The first facts of a new revision: the sizes that the pools keep, as it is not recorded. */
export function sizesOfNew(view: Rollout): Facts['pools'] {
  return Object.fromEntries(
    view.pools.flatMap(({ name, spec, keptSize }) =>
      keptSize ? [[name, { sized: { from: keptSize.size, to: spec.replicas } }] as const] : [],
    ),
  );
}

/** For a recorded revision that is wanted again. Stored before the ledger records the new spec, which tells what was edited. */
export function noteEditedSizes(view: View): Action[] {
  if (view.kind === 'Unknown' || !view.spec) return [];
  const wanted = wantedRevision(view);
  const before = previouslyWanted(view.revisions, view.record);
  if (!wanted || before === wanted) return [];
  const drafts = draftFacts();
  for (const pool of view.pools) {
    const sized = sizedWith(pool, before, wanted);
    if (canonicalJson(sized) === canonicalJson(poolFacts(wanted, pool.name).sized)) continue;
    const own = ownOrNew<PoolFacts>(drafts.change(wanted).pools, pool.name, () => ({}));
    if (sized) own.sized = sized;
    else delete own.sized;
  }
  return drafts.actions();
}

/** Forgets sizes once the revision serves, and those that a later edit changed alone. */
export function forgetEditedSizes(view: Rollout, drafts: FactsDraft): void {
  const wanted = wantedRevision(view);
  if (!wanted || !view.spec) return;
  for (const pool of view.pools) {
    const noted = poolFacts(wanted, pool.name).sized;
    if (!noted || sizedIn(pool, wanted, pool.spec.replicas)) continue;
    delete drafts.change(wanted).pools[pool.name]?.sized;
  }
}
