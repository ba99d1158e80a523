/**
 * A revision may keep the pods of another one in a pool, because an edit changed nothing for them: its fact `podsOf` says so.
 * The Deployment and its pods then keep the number of that revision, and the content is the same. Pure.
 */
import { keptBy } from '../../lib/once.ts';
import { own } from '../../lib/own.ts';
import type { Revision } from './revision.ts';
import { poolFacts } from './revision.ts';

/** The number that the pods of a revision have in a pool. */
export function podsNumber(revision: Revision, pool: string): number {
  return poolFacts(revision, pool).podsOf?.revision ?? revision.number;
}

/** Whether a Deployment, by its pool and the number in its labels, runs the pods of a revision. */
export function isRunBy(revision: Revision, workload: { revision: number; pool: string }): boolean {
  return podsNumber(revision, workload.pool) === workload.revision;
}

/** The revision under the number and the names that its pods have in a pool. */
export function renderedAs(revision: Revision, pool: string): Revision {
  const { podsOf } = poolFacts(revision, pool);
  if (!podsOf) return revision;
  return renamed([revision], pool, () => {
    const { number, key } = { number: podsOf.revision, ...podsOf };
    const placements = { ...revision.data.placements, [pool]: key };
    return { ...revision, number, data: { ...revision.data, placements } };
  });
}

/** The same object for the same revision, which caches need. */
const renamed = keptBy<Revision>();

/** What `podsOf` is recorded as for a revision that keeps the pods of another one. */
export function keptPods(kept: Revision, pool: string): { revision: number; key: string } {
  const { number, data } = renderedAs(kept, pool);
  return { revision: number, key: own(data.placements, pool) ?? '' };
}

/** The recorded revisions whose pods a Deployment runs, the newest last. */
export function runBy(
  revisions: readonly Revision[],
  workload: { revision: number; pool: string },
): readonly Revision[] {
  return revisions.filter((revision) => isRunBy(revision, workload));
}
