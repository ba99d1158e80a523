/** One HorizontalPodAutoscaler for each pool with autoscaling: it scales the served Deployment. Pure. */
import type { Autoscaling } from '../../api/app-release.ts';
import { LABEL } from '../../api/meta.ts';
import type { Action } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import type { Owner } from '../record/desired.ts';
import { ownerReference } from '../record/desired.ts';
import type { Autoscaler, DesiredAutoscaler } from '../record/kube-objects.ts';
import { runBy } from '../record/kept-pods.ts';
import { objectName } from '../record/names.ts';
import type { Topology } from '../record/recorded-data.ts';
import { withWorkloadMetadata } from '../record/workload-metadata.ts';
import { autoscalerOf } from '../state/autoscaler.ts';
import { desiredHash, objectKey, putRight } from '../state/drift.ts';
import { scaleTo } from '../state/scale.ts';
import type { PoolTarget, PoolView, Rollout, Workload } from '../state/view.ts';
import type { Move } from '../state/pool-move.ts';

export interface AutoscalerOptions {
  owner: Owner;
  /** Default: the name that a new autoscaler gets. */
  name?: string;
  pool: string;
  autoscaling: Autoscaling;
  /** The name of the Deployment to scale. */
  target: string;
  /** The least size because of an exposure. */
  floor?: number;
  topology: Pick<Topology, 'workloadMetadata'>;
}

/**
 * Has no resourceVersion: Kubernetes writes the autoscaler's status every few seconds, and a write to the spec must not
 * conflict with that.
 */
export function makeAutoscaler(options: AutoscalerOptions): DesiredAutoscaler {
  const { owner, pool, name = objectName(owner.name, pool), autoscaling, target, floor = 0, topology } = options;
  const { minReplicas, maxReplicas, metrics, behavior } = autoscaling;
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: {
      name,
      namespace: owner.namespace,
      ...withWorkloadMetadata(topology, {
        labels: { [LABEL.managedBy]: 'apprelease', [LABEL.release]: owner.name, [LABEL.pool]: pool },
      }),
      ownerReferences: [ownerReference(owner)],
    },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: target },
      minReplicas: Math.max(minReplicas, Math.min(floor, maxReplicas)),
      maxReplicas,
      ...(metrics && { metrics }),
      ...(behavior && { behavior }),
    },
  };
}

/** An autoscaler that exists keeps its name. */
export function autoscalerName(owner: Owner, { name, autoscaler }: PoolView): string {
  return autoscaler?.metadata.name ?? objectName(owner.name, name);
}

/** The switch of a group's Service in this plan. */
interface Switch {
  /** The Service switches to the targets. */
  switches: boolean;
  /** The switch goes before all other actions. */
  first: boolean;
}

/** Creates the pools' autoscalers, moves them together with the Service, and removes autoscalers that are not wanted. */
export function reconcileAutoscalers(view: Rollout, moves: readonly Move[], how: Switch): Action[] {
  return moves.flatMap(({ pool, target }) => {
    const { autoscaling } = pool.spec;
    if (!autoscaling) return pool.autoscaler ? handBack(view, pool, target, pool.autoscaler) : [];
    const workload = how.switches ? target.workload : scaledWorkload(pool, target);
    return workload ? reconcileAutoscaler(view, pool, autoscaling, workload, how) : [];
  });
}

/**
 * The served Deployment. In a return it is the target if the served Deployment has to give way: an autoscaler would scale
 * the served Deployment up again and take the room.
 */
function scaledWorkload(pool: PoolView, { mode, workload }: PoolTarget): Workload | undefined {
  const givesWay =
    workload?.pods.some(({ unschedulable }) => unschedulable !== undefined) === true ||
    pool.autoscaler?.spec.scaleTargetRef.name === workload?.name;
  return mode === 'Return' && workload && givesWay ? workload : pool.current;
}

function reconcileAutoscaler(
  view: Rollout,
  pool: PoolView,
  autoscaling: Autoscaling,
  { name, revision }: Workload,
  { first, switches }: Switch,
): Action[] {
  const { memory } = view.observed;
  const autoscaler = makeAutoscaler({
    owner: view.owner,
    name: autoscalerName(view.owner, pool),
    pool: pool.name,
    autoscaling,
    target: name,
    ...(pool.floor !== undefined && { floor: pool.floor }),
    topology: view.topology,
  });
  const object = objectKey(autoscaler);
  if (memory.nameConflicts.has(object) || memory.refused.get(object)?.hash === desiredHash(autoscaler)) return [];
  const write: Action = {
    kind: 'ApplyAutoscaler',
    message: `autoscale revision ${revision} in pool ${pool.name}`,
    desired: autoscaler,
    force: pool.autoscaler !== undefined,
    ...(first && switches && { takesTrafficBack: true as const }),
  };
  if (!pool.autoscaler) return [write];
  const moves = pool.autoscaler.spec.scaleTargetRef.name !== name;
  return putRight(memory, autoscaler, pool.autoscaler, write, moves ? 'AtOnce' : 'AskFirst');
}

/** Takes `replicas` back from the autoscaler, then removes the autoscaler: without it, `replicas` looks scaled by hand. */
function handBack(view: Rollout, pool: PoolView, target: PoolTarget, autoscaler: Autoscaler): Action[] {
  const scaled = pool.workloads.flatMap((workload) => {
    const revision = runBy(view.revisions, workload).at(-1);
    return revision && workload.deployment.replicasOwner !== undefined ? [{ workload, revision }] : [];
  });
  if (scaled.length === 0) return [remove(autoscaler, `pool ${pool.name} no longer has autoscaling`)];
  return scaled.map(({ workload, revision }) => {
    const stays = workload === pool.current || workload === target.workload;
    const replicas = stays ? pool.spec.replicas : (workload.deployment.spec.replicas ?? 0);
    return scaleTo(
      view,
      workload,
      revision,
      replicas,
      `take the replicas of ${workload.name} back from the autoscaler: ${replicas} pods`,
    );
  });
}

/** The autoscaler of a pool that left the spec is removed after the Deployments of that pool. */
export function collectAutoscalers(view: Rollout): Action[] {
  if (!view.spec) return [];
  const pools = new Set([...view.pools.map(({ name }) => name), ...view.workloads.map(({ pool }) => pool)]);
  const kept = new Set([...pools].map((pool) => autoscalerOf(view.observed, pool)));
  return view.observed.autoscalers
    .filter((autoscaler) => !kept.has(autoscaler) && autoscaler.metadata.deletionTimestamp === undefined)
    .map((autoscaler) => remove(autoscaler, 'no pool uses it any more'));
}

function remove(autoscaler: Autoscaler, why: string): Action {
  const { name } = autoscaler.metadata;
  return { kind: 'DeleteAutoscaler', message: `remove autoscaler ${name}: ${why}`, target: targetOf(autoscaler) };
}
