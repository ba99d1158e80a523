/** Which pool takes the place of a pool that leaves the spec, and what it may return to: what that pool had good. Pure. */
import type { Pool, Stage } from '../../api/app-release.ts';
import type { FactsDraft } from '../record/facts-draft.ts';
import { serviceName } from '../record/names.ts';
import type { PoolFacts, Topology } from '../record/recorded-data.ts';
import type { Revision } from '../record/revision.ts';
import { isBadIn, poolFacts } from '../record/revision.ts';
import type { Rollout } from '../state/view.ts';
import { forgetLeft } from './left-facts.ts';

/** Each stage with the stage of before that it continues: of the same name, or renamed in its place. */
export function formerStages(now: Topology, before: Topology): (readonly [Stage, Stage])[] {
  return now.stages.flatMap((stage, place) => {
    const former = stageNamed(before, stage.name) ?? before.stages[place];
    const isFormer = former && (former.name === stage.name || !stageNamed(now, former.name));
    return isFormer ? [[stage, former] as const] : [];
  });
}

function stageNamed({ stages }: Topology, name: string): Stage | undefined {
  return stages.find((stage) => stage.name === name);
}

export function poolNames(stages: readonly Stage[]): Set<string> {
  return new Set(stages.flatMap(({ pools }) => pools.map(({ name }) => name)));
}

/**
 * Records, for each pool that takes the place of another one, the revisions of that pool. Facts of the pool's own count more.
 * Without them a rollback could not return the pool, and its pods would lack the template of the pool before.
 */
export function followFormer(view: Rollout, before: Topology, drafts: FactsDraft): void {
  for (const [pool, former] of successions(view, before)) {
    for (const revision of view.revisions) {
      const facts = followed(revision, pool, former);
      if (!facts) continue;
      const draft = drafts.change(revision);
      forgetLeft(view, draft);
      draft.pools[pool] = facts;
    }
  }
}

/** Pool → the pool that left and whose place it takes. */
function successions({ topology, owner }: Rollout, before: Topology): (readonly [string, string])[] {
  const [known, kept] = [poolNames(before.stages), poolNames(topology.stages)];
  function serviceOf({ service }: Topology, pool: Pool): string | undefined {
    return service && serviceName(owner.name, pool);
  }
  return formerStages(topology, before).flatMap(([stage, former]) => {
    const left = former.pools.filter(({ name }) => !kept.has(name));
    return stage.pools.flatMap((pool, place) => {
      const service = serviceOf(topology, pool);
      const sharing = left.find((one) => service !== undefined && serviceOf(before, one) === service);
      const inPlace = left.find(({ name }) => name === former.pools[place]?.name);
      // A pool that stays takes the place of one behind the same Service only.
      const of = sharing ?? (known.has(pool.name) ? undefined : (inPlace ?? left[0]));
      return of ? [[pool.name, of.name] as const] : [];
    });
  });
}

function followed(revision: Revision, pool: string, former: string): PoolFacts | undefined {
  if (Object.keys(poolFacts(revision, pool)).length > 0) return undefined;
  const { entered, good, healthySince, follows } = poolFacts(revision, former);
  if (!entered && good === undefined && follows === undefined) return undefined;
  const ran = [good, healthySince].flatMap((at) => at ?? []).toSorted((a, b) => Date.parse(a) - Date.parse(b));
  return {
    follows: Object.hasOwn(revision.data.input.pools, former) ? former : (follows ?? former),
    // When it last ran, which the target of a rollback depends on.
    ...(good !== undefined && !isBadIn(revision, former) && { good: ran.at(-1) ?? good }),
  };
}
