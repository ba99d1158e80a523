/** Builders of the objects of a release, with only the fields that the operator owns. Pure. */
import type { Container, PodTemplate, PoolTemplate, ServicePort, ServiceTemplate } from '../../api/app-release.ts';
import type { OwnerReference } from '../../api/common.ts';
import { ANNOTATION, API_VERSION, GROUP, LABEL } from '../../api/meta.ts';
import { own } from '../../lib/own.ts';
import { joinName, objectName, versionLabel } from './names.ts';
import { shortHash } from '../../lib/canonical-json.ts';
import type { DesiredDeployment, DesiredService } from './kube-objects.ts';
import type { Revision } from './revision.ts';
import type { PinnedImage, Placement, Topology } from './recorded-data.ts';

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
  { pool, revision, strategy, key }: Runs,
  { own: isOwn = false, apart }: Distinction,
): (string | number)[] {
  if (strategy === 'RollingUpdate' && !isOwn) return [];
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

function pinned(image: string, images: Record<string, PinnedImage>): string {
  return own(images, image)?.image ?? image;
}

function withoutOurs(map: Record<string, string> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => !key.startsWith(`${GROUP}/`)));
}

function renderContainer(container: Container, images: Record<string, PinnedImage>, difference: Difference): Container {
  const env = difference?.env ?? [];
  const replaced = new Set(env.map(({ name }) => name));
  const own = (container.env ?? []).filter(({ name }) => !replaced.has(name));
  return {
    imagePullPolicy: 'IfNotPresent',
    ...container,
    image: pinned(container.image, images),
    ...(env.length > 0 && { env: [...own, ...env] }),
    ...(difference?.envFrom && { envFrom: difference.envFrom }),
    ...(difference?.resources && { resources: difference.resources }),
  };
}

type Difference = NonNullable<NonNullable<PoolTemplate['spec']>['containers']>[number] | undefined;

/** Renderer 1 of the pod template of a revision. It must not change: a different output needs a new renderer. */
function renderTemplate1(
  revision: Revision,
  pool: string,
  placement: Placement,
  labels: Record<string, string>,
): PodTemplate {
  const { template, pools, version } = revision.data.input;
  const { images } = revision.data;
  const difference = own(pools, pool);
  const { spec } = template;
  function render(container: Container): Container {
    const own = difference?.spec?.containers?.find(({ name }) => name === container.name);
    return renderContainer(container, images, own);
  }
  return {
    metadata: {
      labels: { ...withoutOurs(template.metadata?.labels), ...withoutOurs(difference?.metadata?.labels), ...labels },
      annotations: {
        ...withoutOurs(template.metadata?.annotations),
        ...withoutOurs(difference?.metadata?.annotations),
        [ANNOTATION.version]: version,
      },
    },
    spec: {
      ...spec,
      containers: spec.containers.map(render),
      ...(spec.initContainers && { initContainers: spec.initContainers.map(render) }),
      ...(spec.volumes && {
        volumes: spec.volumes.map((volume) =>
          volume.image?.reference === undefined
            ? volume
            : {
                ...volume,
                image: {
                  pullPolicy: 'IfNotPresent',
                  ...volume.image,
                  reference: pinned(volume.image.reference, images),
                },
              },
        ),
      }),
      ...(difference?.spec?.serviceAccountName && { serviceAccountName: difference.spec.serviceAccountName }),
      nodeSelector: { ...spec.nodeSelector, ...placement.nodeSelector },
      tolerations: [...(spec.tolerations ?? []), ...placement.tolerations],
    },
  };
}

/** The pod template of a revision in a pool, without the placement and without the labels that identify the revision. */
export function renderPods(revision: Revision, pool: string): PodTemplate {
  const render = RENDERERS[revision.data.renderer] ?? renderTemplate1;
  const { metadata, spec } = render(revision, pool, { nodeSelector: {}, tolerations: [] }, {});
  return { metadata: { ...metadata, annotations: withoutOurs(metadata?.annotations) }, spec };
}

const RENDERERS: Record<number, typeof renderTemplate1> = { 1: renderTemplate1 };

export interface DeploymentOptions {
  owner: Owner;
  identity: WorkloadIdentity;
  track: string;
  /** Undefined: another manager owns the scale. */
  replicas: number | undefined;
  topology: Topology;
  resourceVersion?: string;
}

/** The limits of a rolling update, with the defaults of Kubernetes. */
export function rollingLimits({ strategy: { maxSurge = '25%', maxUnavailable = '25%' } }: Topology) {
  return { maxSurge, maxUnavailable };
}

export function makeDeployment(options: DeploymentOptions): DesiredDeployment {
  const { owner, identity, track, replicas, topology } = options;
  const { pool, revision, placement, strategy, key, name = workloadName(owner.name, identity) } = identity;
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
  const render = RENDERERS[revision.data.renderer] ?? renderTemplate1;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name,
      namespace: owner.namespace,
      labels,
      annotations: {
        [ANNOTATION.version]: version,
        [ANNOTATION.placement]: JSON.stringify({ placement, strategy, key }),
      },
      ownerReferences: [ownerReference(owner)],
      ...(options.resourceVersion && { resourceVersion: options.resourceVersion }),
    },
    spec: {
      ...(replicas !== undefined && { replicas }),
      minReadySeconds: topology.minReadySeconds,
      progressDeadlineSeconds: Math.max(topology.progressDeadlineSeconds, topology.minReadySeconds + 1),
      revisionHistoryLimit: strategy === 'RollingUpdate' ? 2 : 0,
      strategy: {
        type: 'RollingUpdate',
        rollingUpdate: rollingLimits(topology),
      },
      selector: { matchLabels: { [LABEL.workload]: name } },
      template: render(revision, pool, placement, labels),
    },
  };
}

export interface ServiceOptions {
  owner: Owner;
  name: string;
  pools: readonly string[];
  track: string;
  /** See keepsSelector. */
  byTrackAlone?: boolean;
  revision: Revision;
  template: ServiceTemplate;
  annotations: Record<string, string>;
  resourceVersion?: string;
}

/** The selector has the release too, so that it never selects the pods of another release with the same track. */
function selectorOf({ owner, track, byTrackAlone = false }: Omit<ServiceOptions, 'template' | 'revision'>) {
  return { [LABEL.track]: track, ...(!byTrackAlone && { [LABEL.release]: owner.name }) };
}

/** The ports with the default of targetPort, as the API server stores them. */
export function servicePorts(ports: readonly ServicePort[]): ServicePort[] {
  return ports.map((port) => ({ targetPort: port.port, ...port }));
}

export function makeService(options: ServiceOptions): DesiredService {
  const { owner, name, revision, template } = options;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace: owner.namespace,
      labels: {
        ...withoutOurs(template.metadata?.labels),
        [LABEL.managedBy]: 'apprelease',
        [LABEL.release]: owner.name,
        ...(options.pools.length === 1 && options.pools[0] !== undefined && { [LABEL.pool]: options.pools[0] }),
      },
      annotations: {
        ...withoutOurs(template.metadata?.annotations),
        ...options.annotations,
        [ANNOTATION.version]: revision.data.input.version,
        [ANNOTATION.revision]: String(revision.number),
      },
      ownerReferences: [ownerReference(owner)],
      ...(options.resourceVersion && { resourceVersion: options.resourceVersion }),
    },
    spec: {
      type: template.type,
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
