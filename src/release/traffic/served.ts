/** Finds where the traffic of a group goes, and which revision each of its pools serves. Pure. */
import type { Service } from '../record/kube-objects.ts';
import { isHandedOver, nextTakenMessage, takenMessage } from '../record/ownership.ts';
import { runBy } from '../record/kept-pods.ts';
import type { Revision } from '../record/revision.ts';
import { hasServedIn } from '../record/revision.ts';
import { lostRevision } from '../state/lost.ts';
import type { Observed } from '../state/observed.ts';
import type { PoolState, Workload } from '../state/view.ts';
import type { NextTraffic, Traffic } from './service.ts';
import { isNext, notedRevision, selectedTrack } from './service.ts';

export interface SeenTraffic {
  traffic: Traffic;
  /** The Service with the name, also if it belongs to somebody else. */
  named?: Service;
}

/** `serviceName`: undefined for a release without Services. */
export function seeTraffic(observed: Observed, serviceName: string | undefined): SeenTraffic {
  if (serviceName === undefined) return { traffic: { adopted: false } };
  const release = observed.release.metadata;
  const own = observed.services.find(({ metadata }) => metadata.name === serviceName);
  const foreign = observed.foreignServices.find(({ metadata }) => metadata.name === serviceName);
  const named = own ?? foreign;
  const adopted = own === undefined && foreign !== undefined && isHandedOver(foreign, release);
  const taken = foreign
    ? takenMessage('Service', foreign.metadata, release.name)
    : observed.memory.nameConflicts.get(`Service/${serviceName}`);
  const track = named && selectedTrack(named);
  return {
    traffic: {
      serviceName,
      ...(named && (named === own || adopted) && { service: named }),
      adopted,
      ...(!own && !adopted && taken !== undefined && { taken }),
      ...(track !== undefined && { track }),
    },
    ...(named && { named }),
  };
}

export function seeNext(observed: Observed, serviceName: string): NextTraffic {
  const service = observed.services.find(({ metadata }) => metadata.name === serviceName);
  const foreign = observed.foreignServices.find(({ metadata }) => metadata.name === serviceName);
  const isTaken = foreign !== undefined || observed.memory.nameConflicts.has(`Service/${serviceName}`);
  const track = service && selectedTrack(service);
  return {
    serviceName,
    ...(service && { service }),
    ...(!service && isTaken && { taken: nextTakenMessage({ name: serviceName }) }),
    ...(track !== undefined && { track }),
  };
}

export interface ServedSources {
  observed: Observed;
  seen: SeenTraffic;
  pool: string;
  revisions: readonly Revision[];
  /** The Deployments of the pool. */
  workloads: readonly Workload[];
  /** The tracks of all observed pods. */
  tracks: ReadonlySet<string | undefined>;
  /** The revision that entered the pool last. */
  entered?: Revision | undefined;
  /** The number of the revision that a rollback holds the pool to. */
  held?: number | undefined;
}

/** What the pool serves: the Deployment that the traffic goes to, and its revision, which may have no record. */
export function findServed({
  observed,
  seen: { traffic, named },
  pool,
  revisions,
  workloads,
  tracks,
  entered,
  held,
}: ServedSources): Pick<PoolState, 'selected' | 'served' | 'lost' | 'current'> {
  const { serviceName, track } = traffic;
  const noted = named ? notedRevision(named) : Number.NaN;
  const selected = workloads.find((workload) => workload.track === track);
  const leadsElsewhere = track !== undefined && tracks.has(track);
  function hasServed(workload: Workload): boolean {
    return runBy(revisions, workload).some((revision) => hasServedIn(revision, pool));
  }
  function isNoted(workload: Workload): boolean {
    return [workload.revision, ...runBy(revisions, workload).map(({ number }) => number)].includes(noted);
  }
  /** Of several revisions with the same pods, the Service names the served one; without a Service, the facts do. */
  function servedBy(workload: Workload): Revision | undefined {
    const run = runBy(revisions, workload);
    const named = [noted, held, entered?.number, workload.revision];
    return named.flatMap((number) => run.find((revision) => revision.number === number) ?? []).at(0) ?? run.at(-1);
  }
  const current =
    selected ??
    formerlySelected(workloads, observed) ??
    (leadsElsewhere ? undefined : unselected(workloads, track, isNoted, hasServed));
  const served = current ? servedBy(current) : revisions.find(({ number }) => number === noted);
  // A Service without pods serves no revision, so none can be lost.
  const lost =
    served || (!current && !leadsElsewhere) ? undefined : lostRevision(revisions, current?.deployment, named);
  return {
    selected: serviceName === undefined || (current !== undefined && current === selected),
    ...(served && { served }),
    ...(lost && { lost }),
    ...(current && { current }),
  };
}

/**
 * The workload that a former Service of the pool still selects, so that a pool with a renamed Service continues to serve.
 */
function formerlySelected(workloads: readonly Workload[], { services }: Observed): Workload | undefined {
  const tracks = new Set(services.filter((service) => !isNext(service)).map(selectedTrack));
  return workloads.find(({ track }) => tracks.has(track));
}

/** The current workload of a pool if no Service of the release selects one. */
function unselected(
  workloads: readonly Workload[],
  track: string | undefined,
  isNoted: (workload: Workload) => boolean,
  hasServed: (workload: Workload) => boolean,
): Workload | undefined {
  // The annotation of the Service names the last served revision, even if somebody changed the selector.
  const last = workloads.find(isNoted);
  if (last || track !== undefined) return last;
  // A workload that has served is preferred to a new one, which may have ready pods too.
  return workloads
    .toSorted(
      (a, b) =>
        Number(b.ready > 0) - Number(a.ready > 0) ||
        Number(hasServed(b)) - Number(hasServed(a)) ||
        b.revision - a.revision,
    )
    .at(0);
}
