/**
 * Lets a pool take the place of one that leaves: it may return to what that pool had good, and the pools of a stage whose pools
 * were all renamed take the revision that runs there, without gates. Pure.
 */
import type { Stage } from '../../api/app-release.ts';
import type { Action } from '../record/actions.ts';
import { draftFacts } from '../record/facts-draft.ts';
import { serviceName } from '../record/names.ts';
import type { Topology } from '../record/recorded-data.ts';
import type { Revision } from '../record/revision.ts';
import type { Rollout, View } from '../state/view.ts';
import { findServed, seeTraffic } from '../traffic/served.ts';
import { enter } from './entering.ts';
import { followFormer, formerStages, poolNames } from './former-pools.ts';
import { stagePools } from './stage-pools.ts';

/**
 * Stored before the ledger records the new topology, because only the recorded one tells which pools the stage had. A stage
 * that keeps a pool gives its revision to the others: see enterStages.
 */
export function enterRenamed(view: View): Action[] {
  const before = view.record.topology;
  if (view.kind === 'Unknown' || !view.spec || !before) return [];
  const drafts = draftFacts();
  followFormer(view, before, drafts);
  for (const [stage, former] of renamedStages(view.topology, before)) {
    const revision = runningIn(view, before, former);
    const pools = stagePools(view, stage).filter(({ entered }) => !entered);
    for (const pool of revision ? pools : []) enter(view, drafts, pool, revision as Revision);
  }
  return drafts.actions();
}

/** The stages without any pool of before, each with the stage that it continues. */
function renamedStages(now: Topology, before: Topology): (readonly [Stage, Stage])[] {
  const known = poolNames(before.stages);
  return formerStages(now, before).filter(([stage]) => stage.pools.every(({ name }) => !known.has(name)));
}

/** The oldest revision that serves in the pools of a stage that left the spec. */
function runningIn(view: Rollout, before: Topology, stage: Stage): Revision | undefined {
  const { observed, owner, revisions } = view;
  const kept = new Set(view.pools.map(({ name }) => name));
  const tracks = new Set<string | undefined>();
  return stage.pools
    .filter(({ name }) => !kept.has(name))
    .flatMap((pool) => {
      const workloads = view.workloads.filter((workload) => workload.pool === pool.name);
      const seen = seeTraffic(observed, before.service && serviceName(owner.name, pool));
      const { current, served } = findServed({ observed, seen, pool: pool.name, revisions, workloads, tracks });
      return current && current.ready > 0 && served ? [served] : [];
    })
    .toSorted((a, b) => a.number - b.number)
    .at(0);
}
