/** No conflicts over a scale, and at the end every autoscaler is on the serving Deployment. */
import { AUTOSCALERS } from '../../src/controller/kinds/autoscalers.ts';
import { autoscalerSpec, autoscalersOf } from './autoscalers.ts';
import type { Judge, WriteRule } from './invariants.ts';
import { isOperator, keyOf } from './invariants.ts';
import { deploymentSpec, poolOf } from './pods.ts';
import type { TruePool } from './truth.ts';
import { holdOf, poolsOf, servedDeployment, specOf } from './truth.ts';
import type { World, WorldObject } from './world.ts';
import { labelOf } from './world.ts';

export function createAutoscalingRules({ world, knows, alone }: Judge): WriteRule[] {
  function isAutoscaled(actor: string, release: string, pool: string): boolean {
    const specs = [specOf(world.get('AppRelease', release)), specOf(knows(actor)?.release.get(keyOf(release)))];
    return specs.every((spec) => poolsOf(release, spec).find(({ name }) => name === pool)?.autoscaled ?? false);
  }

  /** In a return the old pods make room; otherwise only the autoscaler scales the serving Deployment. */
  const leavesTheScaleAlone: WriteRule = ({ actor, kind, before, after }) => {
    if (!alone || !isOperator(actor) || kind !== 'Deployment' || !before || !after) return undefined;
    const [was, is] = [deploymentSpec(before).replicas, deploymentSpec(after).replicas];
    const [release, pool] = [labelOf(after, 'release') ?? '', poolOf(after)];
    const { name } = after.metadata;
    if (was === is || was === 0 || autoscalersOf(world, name).length === 0) return undefined;
    const served = poolsOf(release, specOf(world.get('AppRelease', release)))
      .filter((candidate) => candidate.name === pool)
      .some((candidate) => servedDeployment(world, release, candidate)?.metadata.name === name);
    if (!served || !isAutoscaled(actor, release, pool)) return undefined;
    if (holdOf(world.list('ReleaseRollback'), world.get('AppRelease', release), pool)) return undefined;
    return `scales ${name} ${was} → ${is}, which an autoscaler has`;
  };

  return [leavesTheScaleAlone];
}

/** The fault of a pool's autoscaler in the end state. */
export function checkAutoscaler(world: World, release: WorldObject, pool: TruePool): string | undefined {
  const { name } = release.metadata;
  const autoscaler = world
    .list(AUTOSCALERS.kind)
    .find((object) => labelOf(object, 'release') === name && poolOf(object) === pool.name);
  if (!pool.autoscaled)
    return autoscaler && labelOf(autoscaler, 'release') === name ? 'its autoscaler is left' : undefined;
  const wanted = specOf(release)
    ?.stages.flatMap(({ pools }) => pools)
    .find((candidate) => candidate.name === pool.name)?.autoscaling;
  const served = servedDeployment(world, name, pool);
  if (!served) return undefined;
  if (!autoscaler) return 'it has no autoscaler';
  const { scaleTargetRef, minReplicas, maxReplicas } = autoscalerSpec(autoscaler);
  if (scaleTargetRef.name !== served.metadata.name)
    return `its autoscaler scales ${scaleTargetRef.name}, and ${served.metadata.name} is served`;
  return minReplicas === wanted?.minReplicas && maxReplicas === wanted?.maxReplicas
    ? undefined
    : `its autoscaler keeps ${minReplicas ?? '?'} to ${maxReplicas} pods`;
}
