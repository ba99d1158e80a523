/** The true state, read from the world and not from the operator: pools, serving revisions, holds, records. */
import type { AppReleaseSpec } from '../../src/api/app-release.ts';
import type { AppReleaseStatus } from '../../src/api/app-release-status.ts';
import { appReleaseSpec } from '../../src/api/app-release.ts';
import type { Condition } from '../../src/api/common.ts';
import { ANNOTATION, LABEL } from '../../src/api/meta.ts';
import { canonicalJson } from '../../src/lib/canonical-json.ts';
import type { ReleaseRollbackStatus, RollbackPoolStatus } from '../../src/api/release-rollback.ts';
import { nextServiceName, serviceName } from '../../src/release/record/names.ts';
import { hasExposure, hasNext } from '../../src/release/record/next-services.ts';
import type { Facts, RevisionData } from '../../src/release/record/recorded-data.ts';
import { complete } from './complete.ts';
import type { WorldPod } from './pods.ts';
import { deploymentSpec, isLeaving, matches, poolOf, allPods, serves } from './pods.ts';
import type { World, WorldObject } from './world.ts';
import { labelOf } from './world.ts';

export interface TruePool {
  name: string;
  stage: string;
  replicas: number;
  /** Whether the pool has an autoscaler. */
  autoscaled: boolean;
  /** The name of the Service; undefined for a release without one. */
  service?: string;
  /** The name of the second Service of a stage with match or exposure. */
  next?: string;
  isExposed: boolean;
}

const parsed = new WeakMap<object, AppReleaseSpec | undefined>();

/** The spec with defaults; undefined if it is invalid. */
export function specOf(release: { spec?: unknown } | undefined): AppReleaseSpec | undefined {
  if (!release?.spec) return undefined;
  if (!parsed.has(release.spec)) parsed.set(release.spec, appReleaseSpec.safeParse(release.spec).data);
  return parsed.get(release.spec);
}

const known = new WeakMap<AppReleaseSpec, TruePool[]>();

export function poolsOf(name: string, spec: AppReleaseSpec | undefined): TruePool[] {
  if (!spec) return [];
  const pools =
    known.get(spec) ??
    spec.stages.flatMap((stage) =>
      stage.pools.map((pool) => ({
        name: pool.name,
        stage: stage.name,
        replicas: pool.replicas,
        autoscaled: pool.autoscaling !== undefined,
        ...(spec.service && { service: serviceName(name, pool) }),
        ...(hasNext(spec, stage) && { next: nextServiceName(serviceName(name, pool)) }),
        isExposed: hasExposure(spec, stage),
      })),
    );
  known.set(spec, pools);
  return pools;
}

export function deploymentsOf(world: World, release: string, pool?: string): WorldObject[] {
  return world
    .list('Deployment')
    .filter((object) => labelOf(object, 'release') === release && (pool === undefined || poolOf(object) === pool));
}

export function selectorOf(service: WorldObject | undefined): Record<string, string> | undefined {
  return (service?.spec as { selector?: Record<string, string> } | undefined)?.selector;
}

export interface Port {
  port: number;
  targetPort?: number | string;
}

/** The default targetPort is the port number. */
export function shownPorts(ports: readonly Port[]): string {
  return ports
    .map(({ port, targetPort = port }) => `${port}→${targetPort}`)
    .toSorted()
    .join();
}

export function portsIn({ spec }: Pick<WorldObject, 'spec'>): Port[] {
  return (spec as { ports?: Port[] }).ports ?? [];
}

/** Pods of one pool that a selector sends traffic to. */
export function servingPods(world: World, pool: string, selector: Record<string, string> | undefined): WorldPod[] {
  return allPods(world).filter((pod) => poolOf(pod) === pool && serves(pod) && matches(pod, selector));
}

/** The Deployment that a pool's Service selects; without a Service the one with the most ready pods. */
export function servedDeployment(world: World, release: string, pool: TruePool): WorldObject | undefined {
  const own = deploymentsOf(world, release, pool.name);
  const service = pool.service === undefined ? undefined : world.get('Service', pool.service);
  // A pool that ran without a Service still does if the name of its first one belongs to somebody else.
  if (pool.service !== undefined && !isForeign(service)) {
    const track = selectorOf(service)?.[LABEL.track];
    return own.find((deployment) => labelOf(deployment, 'track') === track);
  }
  return own.toSorted((a, b) => readyOf(world, b).length - readyOf(world, a).length).at(0);
}

function isForeign(service: WorldObject | undefined): boolean {
  if (!service) return false;
  const { ownerReferences = [], annotations } = service.metadata;
  return ownerReferences.length === 0 && annotations?.[ANNOTATION.adopt] === undefined;
}

export function revisionOf(object: WorldObject | undefined): number | undefined {
  const text = labelOf(object, 'revision');
  return text === undefined ? undefined : Number(text);
}

export function readyOf(world: World, deployment: WorldObject): WorldPod[] {
  return allPods(world).filter((pod) => serves(pod) && labelOf(pod, 'workload') === deployment.metadata.name);
}

/** Whether a pool serves a revision with exactly the wanted pods. */
export function servesWholly(world: World, release: string, pool: TruePool, revision: number): boolean {
  const deployment = servedDeployment(world, release, pool);
  if (!deployment || !runsPodsOf(world, release, deployment, revision)) return false;
  const ready = readyOf(world, deployment).filter((pod) => revisionOf(pod) === revisionOf(deployment)).length;
  return ready >= trueReplicas(pool, deployment);
}

/** The live scale if the operator does not own it, or the scale of somebody else on the Deployment that served before. */
export function trueReplicas(pool: TruePool, deployment: WorldObject | undefined): number {
  if (!deployment) return pool.replicas;
  const { replicas } = deploymentSpec(deployment);
  const owners = (deployment.metadata.managedFields ?? []).filter(({ fieldsV1 }) => {
    const fields = fieldsV1 as { 'f:spec'?: Record<string, unknown> } | undefined;
    return fields?.['f:spec']?.['f:replicas'] !== undefined;
  });
  const foreign = owners.every(({ manager }) => manager !== 'apprelease');
  if (foreign || pool.autoscaled) return replicas;
  const carried = deployment.metadata.annotations?.[ANNOTATION.scale];
  return carried === undefined ? pool.replicas : (JSON.parse(carried) as { replicas: number }).replicas;
}

export function factsOf(revision: Pick<WorldObject, 'metadata'> | undefined): Facts | undefined {
  const text = revision?.metadata.annotations?.[ANNOTATION.facts];
  return text === undefined ? undefined : (JSON.parse(text) as Facts);
}

/** The records of a release, oldest first, without the ledger. */
export function revisionsOf(world: World, release: string): (WorldObject & { revision: number; data: RevisionData })[] {
  return (
    world
      .list('ControllerRevision')
      .filter((object) => labelOf(object, 'release') === release && Number(object.revision) > 0)
      // Somebody else may create an object of that name.
      .filter(({ data }) => (data as Partial<RevisionData> | undefined)?.input !== undefined)
      .toSorted((a, b) => Number(a.revision) - Number(b.revision)) as (WorldObject & {
      revision: number;
      data: RevisionData;
    })[]
  );
}

export function recordOf(world: World, release: string, number: number) {
  return revisionsOf(world, release).find(({ revision }) => revision === number);
}

/** The number that the pods of a revision have in a pool: an older one if it keeps the pods of that revision. */
export function podsNumber(facts: Facts | undefined, revision: number, pool: string): number {
  return facts?.pools[pool]?.podsOf?.revision ?? revision;
}

/** Whether a Deployment runs the pods of a revision. */
export function runsPodsOf(world: World, release: string, deployment: WorldObject, revision: number): boolean {
  const number = podsNumber(factsOf(recordOf(world, release, revision)), revision, poolOf(deployment));
  return revisionOf(deployment) === number;
}

/** The size that a pool keeps because a version that does not serve came with a larger one. */
export function keptReplicas(world: World, release: string, pool: TruePool): number | undefined {
  const records = revisionsOf(world, release).filter((record) => {
    const { sized } = factsOf(record)?.pools[pool.name] ?? {};
    return sized?.to === pool.replicas && !servesWholly(world, release, pool, record.revision);
  });
  return factsOf(records.at(-1))?.pools[pool.name]?.sized?.from;
}

/** What the pods of a revision are made of in a pool, as the API server stores it; undefined if there is no record. */
export function podContent(world: World, release: string, revision: number, pool: string): string | undefined {
  const data = recordOf(world, release, revision)?.data;
  if (!data) return undefined;
  const { template, pools } = structuredClone(data.input);
  const difference = pools[pool];
  for (const content of difference?.spec?.containers ? [template, difference] : [template])
    complete('Deployment', { metadata: { name: '' }, spec: { template: content } } as unknown as WorldObject);
  const { labels, annotations } = (template.metadata ?? {}) as { labels?: object; annotations?: object };
  // The renderer's default, which a record that was rebuilt from a Deployment has.
  const containers = template.spec.containers.map((one) => ({ imagePullPolicy: 'IfNotPresent', ...one }));
  const metadata = { labels: { ...labels }, annotations: { ...annotations } };
  return canonicalJson([{ metadata, spec: { ...template.spec, containers } }, difference, data.images]);
}

export function versionOf(world: World, release: string, number: number | undefined): string {
  return revisionsOf(world, release).find(({ revision }) => revision === number)?.data.input.version ?? '?';
}

export function servedVersion(world: World, release: string, pool: string): string | undefined {
  const found = poolsOf(release, specOf(world.get('AppRelease', release))).find(({ name }) => name === pool);
  const deployment = found && servedDeployment(world, release, found);
  return deployment?.metadata.annotations?.[ANNOTATION.version];
}

export function rollbackStatus(object: WorldObject | undefined): ReleaseRollbackStatus | undefined {
  return object?.status as ReleaseRollbackStatus | undefined;
}

export interface TrueHold {
  rollback: WorldObject;
  pool: RollbackPoolStatus;
}

/** The last accepted rollback that holds a pool. */
export function holdOf(
  rollbacks: readonly { spec?: unknown; status?: unknown }[],
  release: WorldObject | undefined,
  pool: string,
): TrueHold | undefined {
  const holds = (rollbacks as WorldObject[]).flatMap((rollback) => {
    const status = rollbackStatus(rollback);
    if ((rollback.spec as { release: string }).release !== release?.metadata.name) return [];
    if (status?.acceptedAt === undefined || status.endedAt !== undefined) return [];
    if (status.releaseUID !== release.metadata.uid) return [];
    const own = status.pools?.find(({ name, supersededBy }) => name === pool && supersededBy === undefined);
    return own ? [{ rollback, pool: own, sequence: status.sequence ?? 0 }] : [];
  });
  return holds.toSorted((a, b) => a.sequence - b.sequence).at(-1);
}

export function conditionOf(object: WorldObject | undefined, type: string): Condition | undefined {
  const status = object?.status as AppReleaseStatus | undefined;
  return status?.conditions?.find((condition) => condition.type === type);
}

export function isPaused(release: { metadata: WorldObject['metadata']; spec?: unknown }): boolean {
  return release.metadata.annotations?.[ANNOTATION.paused] !== undefined || specOf(release)?.paused === true;
}

export function endingPods(world: World): WorldPod[] {
  return allPods(world).filter(isLeaving);
}
