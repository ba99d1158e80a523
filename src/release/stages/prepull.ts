/** `prepull`: every VM of a stage pulls the images of a version before the version enters the stage. Pure. */
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
import { keptFrom } from './keeping.ts';
import { makePull } from './pull-pods.ts';
import type { Revision } from '../record/revision.ts';
import type { PoolFacts } from '../record/recorded-data.ts';
import { deadlineMs, poolFacts } from '../record/revision.ts';
import { isEntered, wantedRevision } from '../state/target.ts';
import type { PoolView, Rollout, View, Wait } from '../state/view.ts';

/** Concurrent pulls per pool, to limit the load on the registry. */
const MAX_PULLS = 20;

/** The wait until all VMs have the images, at most for progressDeadlineSeconds. */
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

/** Deletes pull pods that are not needed any more. */
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

/** Creates missing pull pods. */
export function startPulls(view: Rollout): Action[] {
  const wanted = wantedRevision(view);
  return wanted ? pullingPools(view, wanted).flatMap((pool) => startPullsIn(view, pool, wanted)) : [];
}

function pullingPools(view: Rollout, revision: Revision): PoolView[] {
  return poolsToPull(view, revision).filter((pool) => isPulling(view, pool, revision));
}

function startPullsIn(view: Rollout, pool: PoolView, revision: Revision): Action[] {
  // The pull starts after its start time is recorded, because the deadline counts from there.
  if (poolFacts(revision, pool.name).pulling === undefined) return [];
  const pods = pullsOf(view, pool, revision);
  const free = MAX_PULLS - pods.filter((pod) => !hasPulled(pod)).length;
  return (
    missingNodes(view, pool, revision)
      .filter(({ metadata }) => !pods.some(({ nodeName }) => nodeName === metadata.name))
      .map((node) => makePull(view, pool, revision, node))
      // A pod that is not bound yet is found by its name, which depends on the VM.
      .filter(({ metadata }) => !pods.some((pod) => pod.metadata.name === metadata.name))
      .filter(({ metadata }) => !view.observed.memory.nameConflicts.has(`Pod/${metadata.name}`))
      .slice(0, Math.max(0, free))
      .map((pod) => ({
        kind: 'CreatePull',
        message: `pull the images of revision ${revision.number} in pool ${pool.name}`,
        pod,
      }))
  );
}

/** Records when the VMs of a pool begin to pull, and when all VMs have pulled. */
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
    .filter((pool) => !isEntered(pool, revision) && !keptFrom(pool, revision));
}

function isPulling(view: Rollout, pool: PoolView, revision: Revision): boolean {
  if (!poolsToPull(view, revision).includes(pool) || poolFacts(revision, pool.name).pulled !== undefined) return false;
  return view.now < givesUpAt(view, pool, revision) && progressOf(view, pool, revision).of > 0;
}

/** The deadline of a pull (ms since the epoch), so that a VM that cannot pull does not block the stage for ever. */
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

/** Whether every container has an image ID, so that its image is on the VM. The containers themselves fail on purpose. */
function hasPulled({ containers }: Pod): boolean {
  return containers.length > 0 && containers.every(({ imageID }) => imageID !== undefined);
}

function problemOf({ nodeName, unschedulable, containers }: Pod): string[] {
  if (unschedulable !== undefined) return [unschedulable];
  const waiting = containers.map((container) => container.waiting).find((one) => one?.reason?.includes('Image'));
  return waiting ? [`VM ${nodeName ?? ''}: ${waiting.message ?? waiting.reason ?? ''}`] : [];
}
