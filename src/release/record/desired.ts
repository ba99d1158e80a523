/** Builders of the objects of a release, with only the fields that the operator owns. Pure. */
import type { PodTemplate, ServicePort, ServiceTemplate } from '../../api/app-release.ts';
import type { OwnerReference } from '../../api/common.ts';
import { ANNOTATION, API_VERSION, LABEL, withoutOurs } from '../../api/meta.ts';
import { own } from '../../lib/own.ts';
import { joinName, objectName, versionLabel } from './names.ts';
import { shortHash } from '../../lib/canonical-json.ts';
import type { Deployment, DesiredDeployment, DesiredService } from './kube-objects.ts';
import { renderedAs } from './kept-pods.ts';
import type { Revision } from './revision.ts';
import { withWorkloadMetadata } from './workload-metadata.ts';
import type { ForeignScale, Placement, Topology } from './recorded-data.ts';
import { isOfNewerRenderer, renderTemplate } from './renderers.ts';

export interface Owner {
  name: string;
  namespace: string;
  uid: string;
}

export function ownerReference(owner: Owner): OwnerReference {
  return { apiVersion: API_VERSION, kind: 'AppRelease', name: owner.name, uid: owner.uid, controller: true };
}

export type StrategyType = Topology['strategy']['type'];

/** The identity of a Deployment: properties that do not change while the Deployment exists. */
export interface WorkloadIdentity {
  pool: string;
  revision: Revision;
  placement: Placement;
  strategy: StrategyType;
  /** See placementKey. */
  key: string;
  /** The name of an existing Deployment, which does not change. */
  name?: string;
}

/** Additions to a track that make it differ from other tracks of the same Service. */
export interface Distinction {
  /** With RollingUpdate: the track belongs to one revision, because the ports change together with the pods. */
  own?: boolean;
  /** A hash of the pools that share the track. */
  apart?: string;
}

type Runs = Pick<WorkloadIdentity, 'pool' | 'revision' | 'strategy' | 'key'>;

/** The placement key is added only if the placement differs from the placement that the revision was recorded with. */
function suffix(
  { pool, revision: named, strategy, key }: Runs,
  { own: isOwn = false, apart }: Distinction,
): (string | number)[] {
  if (strategy === 'RollingUpdate' && !isOwn) return [];
  const revision = renderedAs(named, pool);
  const placed = own(revision.data.placements, pool) === key ? [] : [key.slice(0, 5)];
  return [revision.number, ...placed, ...(apart === undefined ? [] : [apart])];
}

export function workloadName(release: string, runs: Runs): string {
  return objectName(release, runs.pool, ...suffix(runs, {}));
}

/** The name that earlier operators used, without the hash of `objectName`. */
export function formerWorkloadName(release: string, runs: Runs): string {
  return joinName(release, runs.pool, ...suffix(runs, {}));
}

/** The suffix of a track that belongs to one revision: the revision number and the parts of the distinction. */
const OWN_TRACK = /-(\d+(?:-[0-9a-f]{5}){0,2})$/;

/**
 * The possible names of a Deployment with this track, the shortest first. With RollingUpdate a name depends only on the track:
 * revision, placement and serviceName may change, and two leaders may see the change at different times.
 */
export function workloadNames(release: string, runs: Runs, track: string): string[] {
  const own = OWN_TRACK.exec(track)?.[1];
  const rolling = own === undefined ? [] : [own];
  const parts = runs.strategy === 'RollingUpdate' ? rolling : suffix(runs, {});
  return [parts, [...parts, shortHash(track).slice(0, 5)]].map((ends) => objectName(release, runs.pool, ...ends));
}

/**
 * The track that the Service of a pool selects. Pools behind one Service share the track, so that one write switches all
 * pools.
 */
export function trackName(service: string, runs: Runs, distinction: Distinction = {}): string {
  const parts = suffix(runs, distinction);
  return joinName(service, ...(parts.length > 0 ? parts : ['rolling']));
}

export interface DeploymentOptions {
  owner: Owner;
  identity: WorkloadIdentity;
  track: string;
  /** Undefined: another manager owns the scale. */
  replicas: number | undefined;
  /** The size that another manager set on the Deployment that serves. The Deployment keeps it when it serves. */
  carried?: ForeignScale | undefined;
  topology: Topology;
  /** The Deployment that exists: the write fails if it has changed since then. */
  live?: Pick<Deployment, 'metadata' | 'spec'> | undefined;
}

/** The limits of a rolling update, with the defaults of Kubernetes. */
export function rollingLimits({ strategy: { maxSurge = '25%', maxUnavailable = '25%' } }: Topology) {
  return { maxSurge, maxUnavailable };
}

export function makeDeployment(options: DeploymentOptions): DesiredDeployment {
  const { owner, identity, track, replicas, carried, topology, live } = options;
  const { pool, placement, strategy, key, name = workloadName(owner.name, identity) } = identity;
  const revision = renderedAs(identity.revision, pool);
  const { version } = revision.data.input;
  const labels = {
    [LABEL.managedBy]: 'apprelease',
    [LABEL.release]: owner.name,
    [LABEL.pool]: pool,
    [LABEL.revision]: String(revision.number),
    [LABEL.workload]: name,
    [LABEL.track]: track,
    [LABEL.version]: versionLabel(version),
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name,
      namespace: owner.namespace,
      ...withWorkloadMetadata(topology, {
        labels,
        annotations: {
          [ANNOTATION.version]: version,
          [ANNOTATION.placement]: JSON.stringify({ placement, strategy, key }),
          ...(carried && { [ANNOTATION.scale]: JSON.stringify({ by: carried.by, replicas: carried.replicas }) }),
        },
      }),
      ownerReferences: [ownerReference(owner)],
      ...(live && { resourceVersion: live.metadata.resourceVersion }),
    },
    spec: {
      ...(replicas !== undefined && { replicas }),
      // A paused Deployment starts no pods of another template.
      paused: false,
      minReadySeconds: topology.minReadySeconds,
      progressDeadlineSeconds: Math.max(topology.progressDeadlineSeconds, topology.minReadySeconds + 1),
      revisionHistoryLimit: strategy === 'RollingUpdate' ? 2 : 0,
      strategy: {
        type: 'RollingUpdate',
        rollingUpdate: rollingLimits(topology),
      },
      selector: { matchLabels: { [LABEL.workload]: name } },
      template: keptTemplate(revision, live) ?? renderTemplate(revision, pool, placement, labels),
    },
  };
}

/**
 * The running template, if this operator is older than the one that recorded the revision and cannot render it: so a
 * downgrade of the operator restarts no pods.
 */
function keptTemplate(revision: Revision, live: DeploymentOptions['live']): PodTemplate | undefined {
  const template = live?.spec.template;
  const runs = template?.metadata?.labels?.[LABEL.revision] === String(revision.number);
  return runs && isOfNewerRenderer(revision) ? template : undefined;
}

export interface ServiceOptions {
  owner: Owner;
  name: string;
  pools: readonly string[];
  track: string;
  /** See keepsSelector. */
  byTrackAlone?: boolean;
  /** See keepsLabel. */
  keepsLabel?: boolean;
  revision: Revision;
  template: ServiceTemplate;
  annotations: Record<string, string>;
  resourceVersion?: string;
}

/** The selector has the release too, so that it never selects the pods of another release with the same track. */
function selectorOf({ owner, track, byTrackAlone = false }: Pick<ServiceOptions, 'owner' | 'track' | 'byTrackAlone'>) {
  return { [LABEL.track]: track, ...(!byTrackAlone && { [LABEL.release]: owner.name }) };
}

/** The ports with the default of targetPort, as the API server stores them. */
export function servicePorts(ports: readonly ServicePort[]): ServicePort[] {
  return ports.map((port) => ({ targetPort: port.port, ...port }));
}

export function makeService(options: ServiceOptions): DesiredService {
  const { template, keepsLabel, pools } = options;
  return ownService(options, {
    type: template.type,
    metadata: template.metadata,
    labels: {
      ...(keepsLabel && { [LABEL.managedBy]: 'apprelease' }),
      ...(pools.length === 1 && pools[0] !== undefined && { [LABEL.pool]: pools[0] }),
    },
  });
}

/**
 * The second Service of a pool, `<service>-next`. It has neither the labels nor the annotations of the first, so that nothing
 * that selects Services by them, such as a scrape, finds the same pods twice.
 */
export function makeNextService(
  options: Omit<ServiceOptions, 'pools'> & { metadata: NonNullable<Topology['route']>['nextMetadata'] },
): DesiredService {
  return ownService(options, { type: 'ClusterIP', metadata: options.metadata, labels: { [LABEL.next]: 'true' } });
}

/** What the two Services of a pool do not share. `labels`: the operator's own, besides those of both. */
interface Difference {
  type: ServiceTemplate['type'];
  metadata: ServiceTemplate['metadata'];
  labels: Record<string, string>;
}

function ownService(options: Omit<ServiceOptions, 'pools'>, { type, metadata, labels }: Difference): DesiredService {
  const { owner, name, revision, template } = options;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace: owner.namespace,
      labels: {
        [LABEL.managedBy]: 'apprelease',
        ...withoutOurs(metadata?.labels),
        ...labels,
        [LABEL.release]: owner.name,
      },
      annotations: {
        ...withoutOurs(metadata?.annotations),
        ...options.annotations,
        [ANNOTATION.version]: revision.data.input.version,
        [ANNOTATION.revision]: String(revision.number),
      },
      ownerReferences: [ownerReference(owner)],
      ...(options.resourceVersion && { resourceVersion: options.resourceVersion }),
    },
    spec: {
      type,
      selector: selectorOf(options),
      ports: servicePorts(revision.data.input.ports),
      ...(template.sessionAffinity && { sessionAffinity: template.sessionAffinity }),
      ...(template.trafficDistribution && { trafficDistribution: template.trafficDistribution }),
    },
  };
}

/** The fields that the operator owns of an adopted Service: the selector, the release label and annotations. */
export function makeAdoptedService(options: Omit<ServiceOptions, 'template' | 'revision'>): DesiredService {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: options.name,
      namespace: options.owner.namespace,
      labels: { [LABEL.release]: options.owner.name },
      annotations: options.annotations,
      ...(options.resourceVersion && { resourceVersion: options.resourceVersion }),
    },
    spec: { selector: selectorOf(options) },
  };
}
