/** The observed objects, put in order: pools with their workloads, groups with their Service, holds. Pure. */
import type { ObjectMeta } from '../../api/common.ts';
import type { Pool, Stage } from '../../api/app-release.ts';
import type { RollbackPoolStatus, ReleaseRollback } from '../../api/release-rollback.ts';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import { autoscalerOf } from './autoscaler.ts';
import { ledgerName, serviceName as nameOfService } from '../record/names.ts';
import type { LostRevision } from './lost.ts';
import { lostRevision } from './lost.ts';
import type { Autoscaler, ControllerRevision, Deployment, Pod, Service } from '../record/kube-objects.ts';
import type { Observed } from './observed.ts';
import { readIdentity } from '../record/recorded.ts';
import { isHandedOver, isOurs, ownershipOf, takenMessage } from '../record/ownership.ts';
import type { Owner, StrategyType } from '../record/desired.ts';
import { formerWorkloadName, workloadNames } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import type { LedgerRecord, Placement, Topology } from '../record/recorded-data.ts';
import { parseLedger, parseRevision, placementKeys, placementOf, poolFacts } from '../record/revision.ts';
import type { SpecProblem } from './valid-spec.ts';
import type { Wanted } from './wanted.ts';
import { viewSpec } from './wanted.ts';

/** One Deployment of ours and its pods. */
export interface Workload {
  deployment: Deployment;
  name: string;
  pool: string;
  revision: number;
  track: string;
  strategy: StrategyType;
  placement: Placement;
  key: string;
  /** Pods that are not on their way out. */
  pods: readonly Pod[];
  ready: number;
  /** Those of them that the Deployment counts as its own: a namesake that was just deleted has pods ready for a while. */
  ownReady: number;
}

export interface Hold {
  rollback: ReleaseRollback;
  pool: RollbackPoolStatus;
}

export interface PoolView {
  name: string;
  stage: Stage;
  spec: Pool;
  placement: Placement;
  workloads: readonly Workload[];
  /** Deployments of ours that others scribbled over: all that can be done with them is to remove them. */
  strays: readonly Workload[];
  /** Whether its Service leads to `current`; without a Service it needs none. */
  selected: boolean;
  /** The revision that the pool's Service selects; with no Service, the one of its Deployment. */
  served?: Revision;
  /** It serves, and no record tells what: nothing of the pool is changed but for another version, or a rollback. */
  lost?: LostRevision;
  current?: Workload;
  autoscaler?: Autoscaler;
  hold?: Hold;
  /** The revision that was last let in. */
  entered?: Revision;
}

/** Pools behind one Service, or one pool without a Service: what switches in one write. */
export interface Group {
  serviceName?: string;
  service?: Service;
  /** The Service is somebody else's, who let us take over its selector. */
  adopted: boolean;
  /** The Service's name is somebody else's: why. */
  taken?: string;
  track?: string;
  pools: readonly PoolView[];
}

export interface View {
  now: number;
  observed: Observed;
  owner: Owner;
  revisions: readonly Revision[];
  ledgerObject?: ControllerRevision;
  record: LedgerRecord;
  /** Whether `topology` is the spec's own. */
  valid: boolean;
  topology?: Topology;
  wanted: Wanted;
  /** The wanted revision, or, while the spec's is not recorded, the one that was wanted last. */
  lastWanted?: Revision;
  paused?: string;
  groups: readonly Group[];
  pools: readonly PoolView[];
  workloads: readonly Workload[];
}

/** What is the release's own, whatever others labelled: theirs, and what is of an earlier release of this name, is not. */
function ofThisRelease(observed: Observed): Observed {
  const { metadata: owner } = observed.release;
  function own<T extends { metadata: ObjectMeta }>(objects: readonly T[]): T[] {
    return objects.filter((object) => isOurs(object, owner));
  }
  const services = own(observed.services).filter((service) => !isHandedOver(service, owner));
  const budgets = [...observed.budgets, ...observed.foreignBudgets];
  const pods = observed.pods.filter((pod) => pod.metadata.labels?.[LABEL.pull] === undefined || isOurs(pod, owner));
  return {
    ...observed,
    revisions: own(observed.revisions),
    deployments: own(observed.deployments),
    services,
    foreignServices: [
      ...observed.services.filter((service) => !services.includes(service)),
      ...observed.foreignServices,
    ]
      // One of an earlier release of this name goes with its owner.
      .filter(({ metadata }) => ownershipOf(metadata, owner) !== 'LeftBehind'),
    autoscalers: own(observed.autoscalers),
    budgets: own(budgets),
    foreignBudgets: budgets.filter((budget) => !isOurs(budget, owner)),
    // Of those that run a version the Deployment tells whose they are. The same array stands for the same pods.
    pods: pods.length === observed.pods.length ? observed.pods : pods,
  };
}

/** `problem`: what a rule threw when all this was viewed before. */
export function view(seen: Observed, now: number, problem?: SpecProblem): View {
  const observed = ofThisRelease(seen);
  const { release } = observed;
  const revisions = observed.revisions
    .flatMap((object) => parseRevision(object) ?? [])
    .sort((a, b) => a.number - b.number);
  const ledgerObject = observed.revisions.find(({ metadata }) => metadata.name === ledgerName(release.metadata.name));
  const record = parseLedger(ledgerObject);
  const { spec, topology, wanted } = viewSpec(observed, revisions, record, problem);
  const pods = Map.groupBy(observed.pods, ({ metadata }) => metadata.labels?.[LABEL.workload]);
  const found = observed.deployments.flatMap((deployment) => {
    const recorded = readIdentity(deployment.metadata.annotations?.[ANNOTATION.placement]);
    const identity = recorded ?? identityByName(deployment, release.metadata.name, topology, revisions);
    return viewWorkload(deployment, identity ?? SCRIBBLED, pods.get(deployment.metadata.name) ?? []) ?? [];
  });
  const workloads = found.filter(({ key }) => key !== SCRIBBLED.key);
  const groups = topology ? viewGroups(observed, topology, revisions, found) : [];
  const lastWanted = wanted.state === 'Recorded' ? wanted.revision : previouslyWanted(revisions, record);
  const paused =
    release.metadata.annotations?.[ANNOTATION.paused] ?? (spec?.paused ? 'spec.paused is true' : undefined);
  return {
    now,
    observed,
    owner: release.metadata,
    revisions,
    ...(ledgerObject && { ledgerObject }),
    record,
    valid: spec !== undefined,
    ...(topology && { topology }),
    wanted,
    ...(lastWanted && { lastWanted }),
    ...(paused !== undefined && { paused }),
    groups,
    pools: groups.flatMap(({ pools }) => pools),
    workloads,
  };
}

function previouslyWanted(revisions: readonly Revision[], { wanted }: LedgerRecord): Revision | undefined {
  const newest = revisions.at(-1);
  return wanted && wanted.newest === newest?.number
    ? revisions.find(({ number }) => number === wanted.revision)
    : newest;
}

function viewWorkload(deployment: Deployment, identity: Identity, pods: readonly Pod[]): Workload | undefined {
  const { labels = {}, name, deletionTimestamp } = deployment.metadata;
  const pool = labels[LABEL.pool];
  if (pool === undefined || deletionTimestamp !== undefined) return undefined;
  const own = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const ready = own.filter((pod) => pod.ready).length;
  return {
    deployment,
    name,
    pool,
    revision: Number(labels[LABEL.revision]),
    // Its pods have that of the template, whatever somebody made of the Deployment's own label.
    track: deployment.spec.template.metadata?.labels?.[LABEL.track] ?? labels[LABEL.track] ?? '',
    ...identity,
    pods: own,
    ready,
    ownReady: Math.min(ready, deployment.status?.readyReplicas ?? 0),
  };
}

type Identity = Pick<Workload, 'placement' | 'strategy' | 'key'>;

const STRATEGIES: readonly StrategyType[] = ['BlueGreen', 'RollingUpdate'];
const SCRIBBLED: Identity = { placement: { nodeSelector: {}, tolerations: [] }, strategy: 'BlueGreen', key: '' };

/** Its name follows from it, so that it is found again where the pool is placed as it was. */
function identityByName(
  { metadata: { name, labels } }: Deployment,
  release: string,
  topology: Topology | undefined,
  revisions: readonly Revision[],
): Identity | undefined {
  const pool = topology?.stages
    .flatMap(({ pools }) => pools)
    .find((candidate) => candidate.name === labels?.[LABEL.pool]);
  const revision = revisions.find(({ number }) => String(number) === labels?.[LABEL.revision]);
  if (!topology || !pool || !revision) return undefined;
  return STRATEGIES.map((strategy) => ({
    placement: placementOf(pool),
    strategy,
    key: placementKeys(topology, release, strategy).get(pool.name) ?? '',
  })).find((identity) => {
    const runs = { pool: pool.name, revision, ...identity };
    return [...workloadNames(release, runs, labels?.[LABEL.track] ?? ''), formerWorkloadName(release, runs)].includes(
      name,
    );
  });
}

function viewGroups(
  observed: Observed,
  topology: Topology,
  revisions: readonly Revision[],
  workloads: readonly Workload[],
): Group[] {
  const release = observed.release.metadata;
  const members = topology.stages.flatMap((stage) => stage.pools.map((pool) => ({ stage, pool })));
  const byService = Map.groupBy(members, ({ pool }) =>
    topology.service ? nameOfService(release.name, pool) : `/${pool.name}`,
  );
  const tracks = new Set(observed.pods.map(({ metadata }) => metadata.labels?.[LABEL.track]));
  const sources = { observed, revisions, workloads, tracks };
  return [...byService].map(([name, group]) => {
    const own = observed.services.find(({ metadata }) => metadata.name === name);
    const foreign = observed.foreignServices.find(({ metadata }) => metadata.name === name);
    const service = own ?? foreign;
    const adopted = own === undefined && foreign !== undefined && isHandedOver(foreign, release);
    const taken = foreign
      ? takenMessage('Service', foreign.metadata, release.name)
      : observed.memory.nameConflicts.get(`Service/${name}`);
    const track = service?.spec.selector?.[LABEL.track];
    return {
      ...(topology.service && { serviceName: name }),
      ...(service && (service === own || adopted) && { service }),
      ...(track !== undefined && { track }),
      adopted,
      ...(!own && !adopted && taken !== undefined && { taken }),
      pools: group.map(({ stage, pool }) =>
        viewPool({ ...sources, stage, pool, serviceName: topology.service && name, service, track }),
      ),
    };
  });
}

interface PoolSources {
  observed: Observed;
  stage: Stage;
  pool: Pool;
  revisions: readonly Revision[];
  workloads: readonly Workload[];
  /** Of all pods that there are. */
  tracks: ReadonlySet<string | undefined>;
  /** What it should be named; undefined for a release without. */
  serviceName: string | undefined;
  service: Service | undefined;
  track: string | undefined;
}

function viewPool(sources: PoolSources): PoolView {
  const { observed, stage, pool, revisions, workloads, serviceName, service, track } = sources;
  const all = workloads.filter((workload) => workload.pool === pool.name);
  const own = all.filter(({ key }) => key !== SCRIBBLED.key);
  const noted = Number(service?.metadata.annotations?.[ANNOTATION.revision] ?? Number.NaN);
  const selected = own.find((workload) => workload.track === track);
  const leadsElsewhere = track !== undefined && sources.tracks.has(track);
  function hasServed({ revision }: Workload): boolean {
    const recorded = revisions.find(({ number }) => number === revision);
    const { healthySince, good } = recorded ? poolFacts(recorded, pool.name) : {};
    return healthySince !== undefined || good !== undefined;
  }
  const current =
    selected ?? formerly(own, observed) ?? (leadsElsewhere ? undefined : unselected(own, track, noted, hasServed));
  const servedNumber = current?.revision ?? noted;
  const served = revisions.find(({ number }) => number === servedNumber);
  // Where no pod is behind the Service, nothing serves that could be lost.
  const lost =
    served || (!current && !leadsElsewhere) ? undefined : lostRevision(revisions, current?.deployment, service);
  const hold = holdOf(observed, pool.name);
  const autoscaler = autoscalerOf(observed, pool.name);
  const entered = revisions
    .filter((revision) => poolFacts(revision, pool.name).entered)
    .toSorted((a, b) => enteredAt(a, pool.name) - enteredAt(b, pool.name) || a.number - b.number)
    .at(-1);
  return {
    name: pool.name,
    stage,
    spec: pool,
    placement: placementOf(pool),
    workloads: own,
    strays: all.filter((workload) => !own.includes(workload)),
    selected: serviceName === undefined || (current !== undefined && current === selected),
    ...(served && { served }),
    ...(lost && { lost }),
    ...(current && { current }),
    ...(autoscaler && { autoscaler }),
    ...(hold && { hold }),
    ...(entered && { entered }),
  };
}

/** What a Service of ours that the pool had before still leads to: a pool whose Service is renamed serves on. */
function formerly(own: readonly Workload[], { services }: Observed): Workload | undefined {
  const tracks = new Set(services.map(({ spec }) => spec.selector?.[LABEL.track]));
  return own.find(({ track }) => tracks.has(track));
}

/** What a pool runs though no selector of ours leads to it. */
function unselected(
  own: readonly Workload[],
  track: string | undefined,
  noted: number,
  hasServed: (workload: Workload) => boolean,
): Workload | undefined {
  // A Service whose selector somebody changed still says what it served.
  const last = own.find(({ revision }) => revision === noted);
  if (last || track !== undefined) return last;
  // One that is on its way has not served yet, though it may have a ready pod.
  return own
    .toSorted(
      (a, b) =>
        Number(b.ready > 0) - Number(a.ready > 0) ||
        Number(hasServed(b)) - Number(hasServed(a)) ||
        b.revision - a.revision,
    )
    .at(0);
}

function enteredAt(revision: Revision, pool: string): number {
  return Date.parse(poolFacts(revision, pool).entered?.at ?? '');
}

/** Whether a rollback was accepted for this release and keeps at least one pool. */
export function inForce(rollback: ReleaseRollback, releaseUID: string): boolean {
  const { status } = rollback;
  return (
    status?.acceptedAt !== undefined &&
    status.releaseUID === releaseUID &&
    status.endedAt === undefined &&
    (status.pools ?? []).some(({ supersededBy }) => supersededBy === undefined)
  );
}

/** The last accepted rollback that keeps this pool. */
function holdOf(observed: Observed, pool: string): Hold | undefined {
  const holds = observed.rollbacks
    .filter((rollback) => inForce(rollback, observed.release.metadata.uid))
    .flatMap((rollback) => {
      const own = rollback.status?.pools?.find(({ name, supersededBy }) => name === pool && supersededBy === undefined);
      return own ? [{ rollback, pool: own }] : [];
    });
  // By name where two leaders gave the same place: both must take the same one for the last.
  return holds
    .sort(
      (a, b) =>
        (a.rollback.status?.sequence ?? 0) - (b.rollback.status?.sequence ?? 0) ||
        (a.rollback.metadata.name < b.rollback.metadata.name ? -1 : 1),
    )
    .at(-1);
}
