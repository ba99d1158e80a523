/** How many pods the Deployments of a pool have: as the spec, the autoscaler or another manager says. Pure. */
import type { Autoscaling } from '../../api/app-release.ts';
import { ANNOTATION } from '../../api/meta.ts';
import { intOrPercentOf } from '../record/quantity.ts';
import { isRunBy } from '../record/kept-pods.ts';
import type { ForeignScale } from '../record/recorded-data.ts';
import { readScale } from '../record/recorded.ts';
import type { Revision } from '../record/revision.ts';
import { keptSizeMessage, sizeFor } from './kept-size.ts';
import type { PoolScale, PoolState, PoolTarget, PoolView, Rollout, Workload } from './view.ts';

/**
 * The size that another manager set on the served Deployment. An autoscaler is turned off by 0; all other sizes of an
 * autoscaled pool are its own.
 */
export function foreignScale(pool: Omit<PoolState, 'scaled'>, revisions: readonly Revision[]): PoolScale | undefined {
  const { current } = pool;
  const scale = (current && scaleOn(current)) ?? leftScale(pool, revisions);
  return scale && isForeign(pool, scale) ? scale : undefined;
}

/** A size that the spec has too is handed back: it stays the spec's when the spec changes. */
function isForeign({ spec, recordedReplicas }: Sized, { replicas }: ForeignScale): boolean {
  return spec.autoscaling ? replicas === 0 : replicas !== spec.replicas && replicas !== recordedReplicas;
}

type Sized = Pick<PoolState, 'spec' | 'recordedReplicas'>;

/** Whether the operator has yet to write the size of the spec to a Deployment whose size was handed back to the spec. */
export function isHandedBack({ spec, current, scaled, recordedReplicas }: PoolState): boolean {
  if (spec.autoscaling || scaled || !current || recordedReplicas === spec.replicas) return false;
  return scaleOn(current)?.replicas === recordedReplicas;
}

/** Says what sets the size of a pool instead of the spec, and the way out. */
export function scaleMessage(pool: PoolState): string | undefined {
  const { spec, scaled } = pool;
  if (!scaled) return keptSizeMessage(pool);
  const found = `${scaled.replicas} by ${scaled.by}`;
  if (spec.autoscaling)
    return `${found}, so the autoscaler is off; scale to ${spec.autoscaling.minReplicas} or more to turn it on`;
  return `${found}; spec.replicas ${spec.replicas} is not used; scale to ${spec.replicas} to hand it back`;
}

/** The size that another manager set on a Deployment, or on the one that served before it. */
function scaleOn(workload: Workload): PoolScale | undefined {
  const { spec, metadata, replicasOwner } = workload.deployment;
  if (replicasOwner !== undefined) return { by: replicasOwner, replicas: spec.replicas ?? 0, on: workload };
  const carried = readScale(metadata.annotations?.[ANNOTATION.scale]);
  return carried && { ...carried, on: workload };
}

/** The size on the Deployment that a rollback has left, until it is carried to the Deployment that serves now. */
function leftScale(
  { hold, served, current, workloads }: Omit<PoolState, 'scaled'>,
  revisions: readonly Revision[],
): PoolScale | undefined {
  const { from, to, completedAt } = hold?.pool ?? {};
  if (!current || completedAt !== undefined || from === to || served?.number !== to) return undefined;
  const left = revisions.find(({ number }) => number === from);
  return workloads.flatMap((workload) => (left && isRunBy(left, workload) ? (scaleOn(workload) ?? []) : [])).at(0);
}

/** Whether the Deployment that serves has the size that another manager set. */
export function isCarried({ scaled, current }: PoolState): boolean {
  return scaled === undefined || scaled.on === current;
}

/** Without a served Deployment, the size that another manager set on the target counts. */
function scaleOf(pool: PoolState, workload: Workload | undefined): PoolScale | undefined {
  if (pool.current || !workload) return pool.scaled;
  const scale = scaleOn(workload);
  return scale && isForeign(pool, scale) ? scale : undefined;
}

/** Whether the autoscaler of the pool scales the workload or is about to. Then nobody else scales it. */
export function isAutoscaled({ spec, current, autoscaler }: PoolView, workload: Workload): boolean {
  if (!spec.autoscaling) return false;
  return workload === current || autoscaler?.spec.scaleTargetRef.name === workload.name;
}

/** The first size of an autoscaled pool: the last size that its autoscaler found, if known. */
function startReplicas({ spec, autoscaler }: PoolState, { minReplicas, maxReplicas }: Autoscaling): number {
  const last = autoscaler?.desiredReplicas ?? 0;
  return Math.min(maxReplicas, Math.max(minReplicas, last > 0 ? last : spec.replicas));
}

/** The live size, unless it is 0: see foreignScale. */
function autoscaledReplicas(pool: PoolState, autoscaling: Autoscaling, workload: Workload | undefined): number {
  const live = workload?.deployment.spec.replicas ?? 0;
  return live === 0 ? startReplicas(pool, autoscaling) : live;
}

/** The size of a Deployment of an autoscaled pool that the autoscaler does not scale. */
function besideAutoscaled(pool: PoolState, replicas: number): number {
  return Math.max(replicas, Math.min(pool.floor ?? 0, pool.spec.autoscaling?.maxReplicas ?? 0));
}

interface Scale {
  /** Undefined: another manager owns the scale. */
  replicas: number | undefined;
  carried?: ForeignScale;
}

/** The scale of the Deployment of a target. */
export function targetScale(pool: PoolView, { workload, mode, revision }: PoolTarget): Scale {
  const { autoscaling } = pool.spec;
  const scale = scaleOf(pool, workload);
  const owned = workload?.deployment.replicasOwner !== undefined;
  if (scale)
    return owned && scale.on === workload ? { replicas: undefined } : { replicas: scale.replicas, carried: scale };
  if (!autoscaling) return { replicas: sizeFor(pool, workload, revision) };
  // The live size needs no write. A write from stale data fails, because it has a resourceVersion.
  if (workload && isAutoscaled(pool, workload))
    return { replicas: owned ? undefined : autoscaledReplicas(pool, autoscaling, workload) };
  const wanted = besideAutoscaled(pool, wantedReplicas(pool, workload));
  // The serving Deployment may have been scaled down to make room. The target of a rollback is not scaled down with it.
  return { replicas: mode === 'Return' ? Math.max(wanted, workload?.deployment.spec.replicas ?? 0) : wanted };
}

/** The number of pods that a workload should have. Absent workload: a new Deployment of `revision`. */
export function wantedReplicas(pool: PoolState, workload: Workload | undefined, revision?: Revision): number {
  const { spec, current } = pool;
  const scale = scaleOf(pool, workload);
  if (scale) return scale.replicas;
  return spec.autoscaling
    ? autoscaledReplicas(pool, spec.autoscaling, current ?? workload)
    : sizeFor(pool, workload, revision);
}

export function standbyReplicas(view: Rollout, pool: PoolView): number {
  const { replicas } = pool;
  return Math.min(replicas, intOrPercentOf(view.topology.rollback.warmReplicas, replicas));
}
