/** Lets the pools of a stage whose pools were all renamed take the revision that runs there, without gates. Pure. */
import type { Stage } from '../../api/app-release.ts';
import type { Action } from '../record/actions.ts';
import { draftFacts } from '../record/facts-draft.ts';
import { serviceName } from '../record/names.ts';
import type { Topology } from '../record/recorded-data.ts';
import type { Revision } from '../record/revision.ts';
import type { Rollout, View } from '../state/view.ts';
import { findServed, seeTraffic } from '../traffic/served.ts';
import { enter } from './entering.ts';
import { stagePools } from './stage-pools.ts';

/**
 * Stored before the ledger records the new topology, because only the recorded one tells which pools the stage had. A stage
 * that keeps a pool gives its revision to the others: see enterStages.
 */
export function enterRenamed(view: View): Action[] {
  const before = view.record.topology;
  if (view.kind === 'Unknown' || !view.spec || !before) return [];
  const drafts = draftFacts();
  for (const [stage, former] of renamedStages(view.topology, before)) {
    const revision = runningIn(view, before, former);
    const pools = stagePools(view, stage).filter(({ entered }) => !entered);
    for (const pool of revision ? pools : []) enter(view, drafts, pool, revision as Revision);
  }
  return drafts.actions();
}

/** The stages without any pool of before, each with the stage that it continues: of the same name, or renamed in its place. */
function renamedStages(now: Topology, before: Topology): (readonly [Stage, Stage])[] {
  const known = new Set(poolNames(before.stages));
  return now.stages.flatMap((stage, place) => {
    if (poolNames([stage]).some((name) => known.has(name))) return [];
    const former = stageNamed(before, stage.name) ?? before.stages[place];
    const isFormer = former && (former.name === stage.name || !stageNamed(now, former.name));
    return isFormer ? [[stage, former] as const] : [];
  });
}

function stageNamed({ stages }: Topology, name: string): Stage | undefined {
  return stages.find((stage) => stage.name === name);
}

function poolNames(stages: readonly Stage[]): string[] {
  return stages.flatMap(({ pools }) => pools.map(({ name }) => name));
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
