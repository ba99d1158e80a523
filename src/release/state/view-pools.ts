/** Derives the state of the pools and their Services from the observed objects. Pure. */
import type { Pool, Stage } from '../../api/app-release.ts';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import { autoscalerOf } from './autoscaler.ts';
import { serviceName as nameOfService } from '../record/names.ts';
import { lostRevision } from './lost.ts';
import type { Service } from '../record/kube-objects.ts';
import type { Observed } from './observed.ts';
import { isHandedOver, takenMessage } from '../record/ownership.ts';
import type { Revision } from '../record/revision.ts';
import type { Topology } from '../record/recorded-data.ts';
import { placementOf, poolFacts } from '../record/revision.ts';
import type { Group, Hold, PoolState, Workload } from './view.ts';
import { inForce } from './view.ts';
import { isScribbled } from './view-workloads.ts';

export type GroupState = Omit<Group, 'pools'> & { pools: readonly PoolState[] };

export function viewGroups(
  observed: Observed,
  topology: Topology,
  revisions: readonly Revision[],
  workloads: readonly Workload[],
): GroupState[] {
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
  /** The tracks of all observed pods. */
  tracks: ReadonlySet<string | undefined>;
  /** The name of the pool's Service; undefined for a release without Services. */
  serviceName: string | undefined;
  service: Service | undefined;
  track: string | undefined;
}

function viewPool(sources: PoolSources): PoolState {
  const { observed, stage, pool, revisions, workloads, serviceName, service, track } = sources;
  const all = workloads.filter((workload) => workload.pool === pool.name);
  const own = all.filter((workload) => !isScribbled(workload));
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
  // A Service without pods serves no revision, so none can be lost.
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

/**
 * The workload that a former Service of the pool still selects, so that a pool with a renamed Service continues to serve.
 */
function formerly(own: readonly Workload[], { services }: Observed): Workload | undefined {
  const tracks = new Set(services.map(({ spec }) => spec.selector?.[LABEL.track]));
  return own.find(({ track }) => tracks.has(track));
}

/** The current workload of a pool if no Service of the release selects one. */
function unselected(
  own: readonly Workload[],
  track: string | undefined,
  noted: number,
  hasServed: (workload: Workload) => boolean,
): Workload | undefined {
  // The annotation of the Service names the last served revision, even if somebody changed the selector.
  const last = own.find(({ revision }) => revision === noted);
  if (last || track !== undefined) return last;
  // A workload that has served is preferred to a new one, which may have ready pods too.
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

/** The last accepted rollback that holds this pool. */
function holdOf(observed: Observed, pool: string): Hold | undefined {
  const holds = observed.rollbacks
    .filter((rollback) => inForce(rollback, observed.release.metadata.uid))
    .flatMap((rollback) => {
      const own = rollback.status?.pools?.find(({ name, supersededBy }) => name === pool && supersededBy === undefined);
      return own ? [{ rollback, pool: own }] : [];
    });
  // Two leaders may have given the same sequence. The name decides, so that both pick the same rollback.
  return holds
    .sort(
      (a, b) =>
        (a.rollback.status?.sequence ?? 0) - (b.rollback.status?.sequence ?? 0) ||
        (a.rollback.metadata.name < b.rollback.metadata.name ? -1 : 1),
    )
    .at(-1);
}
