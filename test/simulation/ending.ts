/** The rules for the end state, whatever happened before. */
import type { AppReleaseSpec } from '../../src/api/app-release.ts';
import type { AppReleaseStatus } from '../../src/api/app-release-status.ts';
import { ANNOTATION } from '../../src/api/meta.ts';
import type { VmPoolSpec } from '../../src/api/vm-pool.ts';
import { canonicalJson } from '../../src/lib/canonical-json.ts';
import { readIdentity } from '../../src/release/record/recorded.ts';
import { placementOf } from '../../src/release/record/revision.ts';
import { checkAutoscaler } from './autoscaling-rules.ts';
import type { Scenario } from './scenario.ts';
import type { Scene } from './simulation.ts';
import { deploymentSpec } from './pods.ts';
import { checkRoute } from './route-rules.ts';
import {
  conditionOf,
  deploymentsOf,
  holdOf,
  servesWholly,
  poolsOf,
  revisionOf,
  runsPodsOf,
  servedDeployment,
  servedVersion,
  specOf,
  keptReplicas,
  trueReplicas,
} from './truth.ts';
import type { World, WorldObject } from './world.ts';
import { labelOf } from './world.ts';

/** Reasons of a running operation. None may remain in the end state without faults. */
const TRANSITIONAL = new Set([
  'Progressing',
  'Exposing',
  'StageBefore',
  'Soaking',
  'RecordingRevision',
  'ResolvingDigests',
  'ApiServerError',
]);

export function checkEnd(scene: Scene, scenario: Scenario, isLoose: boolean): string | undefined {
  const { world } = scene;
  for (const release of world.list('AppRelease')) {
    const problem = checkRelease(world, release, scenario);
    if (problem !== undefined) return `at the end: ${release.metadata.name}: ${problem}`;
  }
  const strays = world
    .list('Deployment')
    .filter((object) => labelOf(object, 'workload') && !world.get('AppRelease', labelOf(object, 'release') ?? ''));
  if (strays[0]) return `at the end: ${strays[0].metadata.name} outlives its release`;
  if (isLoose) return undefined;
  const problem = checkExpectation(scene, scenario);
  return problem === undefined ? undefined : `at the end: ${problem}`;
}

function checkExpectation(scene: Scene, { expect }: Scenario): string | undefined {
  const { world } = scene;
  for (const [name, version] of Object.entries(expect.serves ?? {})) {
    const [release = '', pool = ''] = name.includes('/') ? name.split('/') : ['web', name];
    const served = servedVersion(world, release, pool);
    if (served !== version) return `pool ${name} serves ${served ?? 'nothing'}, not ${version}`;
  }
  for (const [name, wanted] of Object.entries(expect.conditions ?? {})) {
    const [release = '', type = ''] = name.includes('/') ? name.split('/') : ['web', name];
    const condition = conditionOf(world.get('AppRelease', release), type);
    const [status, reason] = wanted.split('/');
    if (condition?.status !== status || (reason !== undefined && condition?.reason !== reason))
      return `${name} is ${condition?.status ?? 'absent'}/${condition?.reason ?? ''} (${condition?.message ?? ''}), not ${wanted}`;
  }
  return expect.also?.(scene);
}

function checkRelease(world: World, release: WorldObject, { expect }: Scenario): string | undefined {
  const { name } = release.metadata;
  const status = release.status as AppReleaseStatus | undefined;
  const spec = placed(world, specOf(release));
  const pools = poolsOf(name, spec);
  if (!spec || !status?.conditions) return undefined;
  const ready = conditionOf(release, 'Ready');
  const available = conditionOf(release, 'Available');
  const stalled = isStuck(release);
  if (status.observedGeneration !== release.metadata.generation) return 'its status speaks of an older generation';
  if (ready && TRANSITIONAL.has(ready.reason)) return `nothing moves, though it is ${ready.reason}: ${ready.message}`;
  // The topology is the last valid one, which is not in the spec.
  if (conditionOf(release, 'Stalled')?.reason === 'InvalidPort') return undefined;
  const arrived = pools.every(
    (pool) =>
      status.revision !== undefined &&
      servesWholly(world, name, pool, status.revision) &&
      isPlaced(spec, pool.name, servedDeployment(world, name, pool)),
  );
  if (ready?.status === 'True' && !arrived) return 'Ready is True, but not every pool serves the wanted revision';
  if (ready?.status === 'False' && arrived && ready.reason !== 'RolledBack' && !stalled)
    return `Ready is False (${ready.reason}: ${ready.message}), but every pool serves the wanted revision`;
  const dark = pools.filter((pool) => {
    const served = servedDeployment(world, name, pool);
    return trueReplicas(pool, served) > 0 && !hasReady(world, served);
  });
  if ((available?.status === 'True') !== (dark.length === 0))
    return `Available is ${available?.status ?? 'absent'}, but pools without a ready pod: ${dark.map((pool) => pool.name).join(', ') || 'none'}`;
  if (conditionOf(release, 'Placed')?.status === 'True') {
    const elsewhere = pools.find((pool) => !isOnItsVms(spec, pool.name, servedDeployment(world, name, pool)));
    if (elsewhere) return `pool ${elsewhere.name} serves from other VMs than the spec names, though Placed is True`;
  }
  const routing = checkRoute(world, release);
  if (routing !== undefined) return routing;
  for (const pool of pools) {
    const problem = checkPool(world, release, pool, expect.leftovers ?? false);
    if (problem !== undefined) return `pool ${pool.name}: ${problem}`;
  }
  const left = deploymentsOf(world, name).filter(
    ({ metadata, ...object }) =>
      // A label alone does not make an object belong to a release.
      (metadata.ownerReferences ?? []).length > 0 &&
      !pools.some((pool) => pool.name === labelOf({ metadata, ...object }, 'pool')),
  );
  const isHeld = world.list('ReleaseRollback').length > 0 || ready?.status !== 'True';
  return left[0] && !isHeld ? `${left[0].metadata.name} is of a pool that left` : undefined;
}

/** Whether the release is stalled for another reason than a hold, which every pool must follow. */
function isStuck(release: WorldObject): boolean {
  const stalled = conditionOf(release, 'Stalled');
  return stalled?.status === 'True' && stalled.reason !== 'RolledBack';
}

/** The pools with the VMs of their VMPools. */
function placed(world: World, spec: AppReleaseSpec | undefined): AppReleaseSpec | undefined {
  const stages = spec?.stages.map((stage) => ({
    ...stage,
    pools: stage.pools.map((pool) => ({
      ...(world.get('VMPool', pool.name)?.spec as VmPoolSpec | undefined),
      ...pool,
    })),
  }));
  return spec && { ...spec, stages: stages ?? [] };
}

/** Whether a Deployment has the strategy and the placement of the spec. */
function isPlaced(
  spec: AppReleaseSpec,
  pool: string,
  deployment: WorldObject | undefined,
  strategy: AppReleaseSpec['strategy']['type'] = spec.strategy.type,
): boolean {
  const wanted = spec.stages.flatMap(({ pools }) => pools).find(({ name }) => name === pool);
  const has = readIdentity(deployment?.metadata.annotations?.[ANNOTATION.placement]);
  return (
    wanted !== undefined &&
    has?.strategy === strategy &&
    canonicalJson(has.placement) === canonicalJson(placementOf(wanted))
  );
}

/** Whether the serving Deployment has the placement of the spec, with any strategy. */
function isOnItsVms(...[spec, pool, deployment]: Parameters<typeof isPlaced>): boolean {
  return deployment === undefined || STRATEGIES.some((strategy) => isPlaced(spec, pool, deployment, strategy));
}

const STRATEGIES = ['BlueGreen', 'RollingUpdate'] as const;

function checkPool(
  world: World,
  release: WorldObject,
  pool: ReturnType<typeof poolsOf>[number],
  leftovers: boolean,
): string | undefined {
  const { name } = release.metadata;
  const own = deploymentsOf(world, name, pool.name);
  const served = servedDeployment(world, name, pool);
  const hold = holdOf(world.list('ReleaseRollback'), release, pool.name);
  const stalled = isStuck(release);
  if (!stalled && hold?.pool.to !== undefined && served && !runsPodsOf(world, name, served, hold.pool.to))
    return `held at revision ${hold.pool.to}, but serves ${revisionOf(served) ?? '?'}`;
  const paused = conditionOf(release, 'Paused')?.status === 'True';
  if (!leftovers && !stalled && !paused && own.length > 1)
    return `Deployments are left: ${own.map(({ metadata }) => metadata.name).join(', ')}`;
  const size = Math.min(trueReplicas(pool, served), keptReplicas(world, name, pool) ?? Infinity);
  if (!stalled && !paused && served && deploymentSpec(served).replicas < size)
    return `${served.metadata.name} has ${deploymentSpec(served).replicas} of ${pool.replicas} replicas`;
  return stalled ? undefined : checkAutoscaler(world, release, pool);
}

function hasReady(world: World, deployment: WorldObject | undefined): boolean {
  const { readyReplicas = 0 } = (deployment?.status ?? {}) as { readyReplicas?: number };
  return (
    deployment !== undefined && readyReplicas > 0 && world.get('Deployment', deployment.metadata.name) !== undefined
  );
}
