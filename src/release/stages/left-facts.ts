/** Forgets what is known of pools and stages that left the spec: users may rename them again and again. Pure. */
import type { Facts, PoolFacts } from '../record/recorded-data.ts';
import type { Rollout } from '../state/view.ts';

/** Marks of failure stay, because they keep the revision out; of more than these, the oldest go. */
const MAX_MARKS = 32;

/**
 * Changes the facts in place, where they are written anyway. A pool of the recorded spec may still be followed by another one, and
 * one with Deployments drains.
 */
export function forgetLeft({ topology, record, workloads }: Rollout, facts: Facts): void {
  const { stages: before = [] } = record.topology ?? {};
  const stages = [...topology.stages, ...before];
  const pools = new Set([
    ...stages.flatMap((stage) => stage.pools.map(({ name }) => name)),
    ...workloads.map(({ pool }) => pool),
  ]);
  const left = Object.entries(facts.pools).filter(([name]) => !pools.has(name));
  const marked = left.filter(([, own]) => markedAt(own) > 0).toSorted(([, a], [, b]) => markedAt(b) - markedAt(a));
  const kept = new Set(marked.slice(0, MAX_MARKS).map(([name]) => name));
  for (const [name] of left) if (!kept.has(name)) Reflect.deleteProperty(facts.pools, name);
  const names = new Set(stages.map(({ name }) => name));
  for (const name of Object.keys(facts.approvals)) if (!names.has(name)) Reflect.deleteProperty(facts.approvals, name);
}

/** When the revision was last marked bad in a pool (ms since the epoch); 0 if it was not. */
function markedAt({ failed, rolledBack }: PoolFacts): number {
  return Math.max(0, ...[failed, rolledBack].flatMap((mark) => (mark ? [Math.max(1, Date.parse(mark.at) || 0)] : [])));
}
