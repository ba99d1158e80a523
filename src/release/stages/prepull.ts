/** `prepull`: a version's images come to every VM of a stage's pools before it is entered. Pure. */
import { LABEL } from '../../api/meta.ts';
import { ownOrNew } from '../../lib/own.ts';
import { hasImages } from '../../scheduling/images.ts';
import type { Node } from '../../scheduling/objects.ts';
import type { Action } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import type { FactsDraft } from '../record/facts-draft.ts';
import { poolsToEnter } from './stage-pools.ts';
import type { Pod } from '../record/kube-objects.ts';
import { openVms } from '../state/pool-template.ts';
import { makePull } from './pull-pods.ts';
import type { Revision } from '../record/revision.ts';
import type { PoolFacts } from '../record/recorded-data.ts';
import { deadlineMs, poolFacts } from '../record/revision.ts';
import { isEntered, wantedRevision } from '../state/target.ts';
import type { PoolView, Rollout, View, Wait } from '../state/view.ts';

/** Pods that pull in one pool at a time: a registry serves more than one cluster. */
const MAX_PULLS = 20;

/** Keeps a stage shut until the VMs have the images; no longer than a version may take to get ready. */
export function prepullWait(view: Rollout, pools: readonly PoolView[], revision: Revision): Wait | undefined {
  for (const pool of pools) {
    if (!isPulling(view, pool, revision)) continue;
    const { have, of } = progressOf(view, pool, revision);
    const trouble = pullsOf(view, pool, revision).flatMap(problemOf).at(0);
    const why = trouble === undefined ? '' : `; ${trouble}`;
    const message = `pool ${pool.name}: ${have} of ${of} VMs have the images of revision ${revision.number}${why}`;
    return { reason: 'PullingImages', message, until: givesUpAt(view, pool, revision) };
  }
  return undefined;
}

/** Pods that have done their work, or whose work nobody needs, go. */
export function removePulls(view: View): Action[] {
  const needed = new Set(view.kind === 'Rollout' ? neededPulls(view) : []);
  return view.observed.pods
    .filter(({ metadata }) => metadata.labels?.[LABEL.pull] !== undefined && metadata.deletionTimestamp === undefined)
    .filter((pod) => !needed.has(pod))
    .map((pod): Action => ({ kind: 'DeletePull', message: `remove ${pod.metadata.name}`, target: targetOf(pod) }));
}

function neededPulls(view: Rollout): Pod[] {
  const wanted = wantedRevision(view);
  return wanted ? pullingPools(view, wanted).flatMap((pool) => pullsOf(view, pool, wanted)) : [];
}

/** Makes pods that pull, where they are missing. */
export function startPulls(view: Rollout): Action[] {
  const wanted = wantedRevision(view);
  return wanted ? pullingPools(view, wanted).flatMap((pool) => startPullsIn(view, pool, wanted)) : [];
}

function pullingPools(view: Rollout, revision: Revision): PoolView[] {
  return poolsToPull(view, revision).filter((pool) => isPulling(view, pool, revision));
}

function startPullsIn(view: Rollout, pool: PoolView, revision: Revision): Action[] {
  // Begun when that is recorded: from then on the time counts.
  if (poolFacts(revision, pool.name).pulling === undefined) return [];
  const pods = pullsOf(view, pool, revision);
  const free = MAX_PULLS - pods.filter((pod) => !hasPulled(pod)).length;
  return (
    missingNodes(view, pool, revision)
      .filter(({ metadata }) => !pods.some(({ nodeName }) => nodeName === metadata.name))
      .map((node) => makePull(view, pool, revision, node))
      // Not yet bound, it tells by its name which VM it is for.
      .filter(({ metadata }) => !pods.some((pod) => pod.metadata.name === metadata.name))
      .filter(({ metadata }) => !view.observed.memory.nameConflicts.has(`Pod/${metadata.name}`))
      .slice(0, Math.max(0, free))
      .map((pod) => ({ kind: 'CreatePull', message: `pull revision ${revision.number} in pool ${pool.name}`, pod }))
  );
}

/** Records that a pool's VMs begin to pull, and that all have pulled. */
export function markPulls(view: Rollout, drafts: FactsDraft): void {
  const wanted = wantedRevision(view);
  if (!wanted) return;
  for (const pool of poolsToPull(view, wanted)) {
    const { pulling, pulled } = poolFacts(wanted, pool.name);
    const at = new Date(view.now).toISOString();
    if (pulled !== undefined) continue;
    const { have, of } = progressOf(view, pool, wanted);
    if (of === 0) continue;
    const facts = ownOrNew<PoolFacts>(drafts.change(wanted).pools, pool.name, () => ({}));
    if (have === of) facts.pulled = at;
    else if (pulling === undefined) facts.pulling = at;
    if (have === of && pulling !== undefined) {
      const note = `all ${of} VMs of pool ${pool.name} have the images of revision ${wanted.number}`;
      drafts.notice({ type: 'Normal', reason: 'ImagesPulled', note });
    }
  }
}

function poolsToPull(view: Rollout, revision: Revision): PoolView[] {
  if (view.paused !== undefined) return [];
  return view.topology.stages
    .filter(({ prepull }) => prepull)
    .flatMap((stage) => poolsToEnter(view, stage, revision))
    .filter((pool) => !isEntered(pool, revision));
}

function isPulling(view: Rollout, pool: PoolView, revision: Revision): boolean {
  if (!poolsToPull(view, revision).includes(pool) || poolFacts(revision, pool.name).pulled !== undefined) return false;
  return view.now < givesUpAt(view, pool, revision) && progressOf(view, pool, revision).of > 0;
}

/** A VM that cannot pull keeps nothing out for ever (ms since the epoch). */
function givesUpAt(view: Rollout, pool: PoolView, revision: Revision): number {
  const { pulling } = poolFacts(revision, pool.name);
  const start = pulling === undefined ? view.now : Date.parse(pulling);
  return start + deadlineMs(view.topology);
}

function progressOf(view: Rollout, pool: PoolView, revision: Revision): { have: number; of: number } {
  const of = openVms(view, pool, revision).length;
  return { have: of - missingNodes(view, pool, revision).length, of };
}

function missingNodes(view: Rollout, pool: PoolView, revision: Revision): Node[] {
  const digests = Object.values(revision.data.images).map(({ digest }) => digest);
  const pulled = new Set(
    pullsOf(view, pool, revision)
      .filter(hasPulled)
      .map(({ nodeName }) => nodeName),
  );
  return openVms(view, pool, revision).filter((node) => !hasImages(node, digests) && !pulled.has(node.metadata.name));
}

function pullsOf({ observed }: Rollout, { name }: PoolView, { number }: Revision): Pod[] {
  return observed.pods.filter(
    ({ metadata: { labels = {}, deletionTimestamp } }) =>
      labels[LABEL.pull] === String(number) && labels[LABEL.pool] === name && deletionTimestamp === undefined,
  );
}

/** Every image was there to start a container from. That none of them runs is meant to be so. */
function hasPulled({ containers }: Pod): boolean {
  return containers.length > 0 && containers.every(({ imageID }) => imageID !== undefined);
}

function problemOf({ nodeName, unschedulable, containers }: Pod): string[] {
  if (unschedulable !== undefined) return [unschedulable];
  const waiting = containers.map((container) => container.waiting).find((one) => one?.reason?.includes('Image'));
  return waiting ? [`VM ${nodeName ?? ''}: ${waiting.message ?? waiting.reason ?? ''}`] : [];
}
