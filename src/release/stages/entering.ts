/** Records which pools a revision enters, stage by stage. Pure. */
import { ownOrNew } from '../../lib/own.ts';
import type { FactsDraft } from '../record/facts-draft.ts';
import { forgetSteps } from '../record/facts-draft.ts';
import { keptPods } from '../record/kept-pods.ts';
import type { Revision } from '../record/revision.ts';
import type { Facts, PoolFacts } from '../record/recorded-data.ts';
import { poolFacts } from '../record/revision.ts';
import { hasFailed, heldRevision, isEntered, isRevert, wantedKey, wantedRevision } from '../state/target.ts';
import type { PoolView, Rollout } from '../state/view.ts';
import { approvalFor } from './approvals.ts';
import { isDeployment } from './deployment.ts';
import { roomUnknown, capacityWait } from './capacity.ts';
import { keptFrom, staysAsItIs } from './keeping.ts';
import { forgetLeft } from './left-facts.ts';
import { poolsToEnter, stagePools } from './stage-pools.ts';

/**
 * Returns the entered pools. A revert enters at once, an added pool gets the revision of its stage, and the rest pass the
 * gates.
 */
export function enterStages(view: Rollout, drafts: FactsDraft): ReadonlySet<PoolView> {
  const wanted = wantedRevision(view);
  const entered = new Set<PoolView>();
  if (!wanted) return entered;
  function letIn(pool: PoolView, revision: Revision): void {
    entered.add(pool);
    enter(view, drafts, pool, revision);
  }
  for (const pool of view.pools) {
    if (!pool.hold && !isEntered(pool, wanted) && entersAtOnce(view, pool, wanted)) letIn(pool, wanted);
  }
  for (const stage of view.topology.stages) {
    const waiting = poolsToEnter(view, stage, wanted).filter((pool) => !entersAtOnce(view, pool, wanted));
    if (waiting.length === 0) continue;
    const added = waiting.filter((pool) => !pool.served && !pool.lost && !pool.entered);
    const mates = stagePools(view, stage).filter((pool) => !waiting.includes(pool));
    const wait = view.gate(stage);
    if (!wait) {
      const approval = approvalFor(view, stage, wanted);
      for (const pool of waiting) letIn(pool, wanted);
      const note = roomUnknown(view, waiting, wanted);
      if (note !== undefined) drafts.notice({ type: 'Warning', reason: 'RoomNotCounted', note });
      if (approval) drafts.change(wanted).approvals[stage.name] = approval;
    } else if (capacityWait(view, added, wanted)) {
      continue;
    } else if (mates.some(({ entered }) => entered === wanted)) {
      for (const pool of added) letIn(pool, wanted);
    } else {
      const [revision] = stagePools(view, stage).flatMap((pool) => stayingRevision(view, pool) ?? []);
      for (const pool of revision ? added : []) letIn(pool, revision ?? wanted);
    }
  }
  return entered;
}

function entersAtOnce(view: Rollout, pool: PoolView, revision: Revision): boolean {
  return isRevert(view, pool, revision) || staysAsItIs(view, pool, revision);
}

/** The revision that a pool keeps: the target of its rollback, or the served revision, unless it is being rolled back. */
function stayingRevision(view: Rollout, pool: PoolView): Revision | undefined {
  const { name, hold, served } = pool;
  if (!served || hold) return served && heldRevision(view, pool);
  return poolFacts(served, name).rolledBack ? undefined : served;
}

function isNew({ revisions }: Rollout, { name }: PoolView): boolean {
  return revisions.every((revision) => poolFacts(revision, name).entered === undefined);
}

/** The last entry has the latest time, also if the clock of the process that wrote the one before was ahead. */
export function entryTime({ revisions, now }: Rollout, { name }: PoolView): string {
  const entries = revisions.map((revision) => Date.parse(poolFacts(revision, name).entered?.at ?? '') || 0);
  return new Date(Math.max(now, ...entries.map((at) => at + 1))).toISOString();
}

/** Records that a revision enters a pool. */
export function enter(view: Rollout, drafts: FactsDraft, pool: PoolView, revision: Revision): void {
  const facts: Facts = drafts.change(revision);
  forgetLeft(view, facts);
  const own = ownOrNew<PoolFacts>(facts.pools, pool.name, () => ({}));
  const isFirst = stagePools(view, pool.stage).every(({ entered }) => entered !== revision);
  if (isFirst) forgetSteps(facts, pool.stage);
  const at = new Date(view.now).toISOString();
  const kept = keptFrom(pool, revision);
  if (hasFailed(revision, pool.name) && own.failed && (facts.attempt ?? 1) <= own.failed.attempt) {
    facts.attempt = own.failed.attempt + 1;
  }
  const isDeployed = isDeployment(view, facts, pool, revision);
  own.entered = { at: entryTime(view, pool), attempt: facts.attempt ?? 1, key: wantedKey(pool) };
  own.clock = { start: at };
  // The pool proves the revision that it begins with itself.
  if (own.follows !== undefined && isNew(view, pool)) delete own.good;
  delete own.healthySince;
  delete own.placed;
  delete own.gaveBack;
  delete own.podsOf;
  if (kept) Object.assign(own, keptFacts(own, kept, revision, pool.name));
  drafts.notice({
    type: 'Normal',
    reason: 'PoolEntered',
    note: `revision ${revision.number} (${revision.data.input.version}) enters pool ${pool.name} of stage ${pool.stage.name}${kept ? ', whose pods stay as they are' : ''}`,
    ...(isDeployed && { data: { revision: revision.number, delivery: 'Deployed' as const } }),
  });
}

/** What is known of the kept pods counts for the revision that takes them: where they run, since when they are healthy, good. */
function keptFacts(own: PoolFacts, kept: Revision, revision: Revision, pool: string): PoolFacts {
  const { entered, placed, clock, healthySince, good, pulling, pulled } = poolFacts(kept, pool);
  const podsOf = keptPods(kept, pool);
  return {
    ...(own.entered && { entered: { ...own.entered, key: entered?.key ?? own.entered.key } }),
    ...(placed && { placed }),
    ...(healthySince === undefined ? clock && { clock } : { healthySince, clock: undefined }),
    ...(good !== undefined && { good: own.good ?? good }),
    ...(pulling !== undefined && { pulling }),
    ...(pulled !== undefined && { pulled }),
    ...(podsOf.revision !== revision.number && { podsOf }),
  };
}
