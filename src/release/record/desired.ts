/** Pure builders of the objects that a release is made of: only the fields that the operator owns. */
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

/** What identifies a Deployment, and what it is frozen with. */
export interface WorkloadIdentity {
  pool: string;
  revision: Revision;
  placement: Placement;
  strategy: StrategyType;
  /** See placementKey. */
  key: string;
  /** Of one that is there: what runs keeps its name. */
  name?: string;
}

/** How the track of pods that are to be made is told from others of their Service. */
export interface Distinction {
  /** Of one revision also with RollingUpdate, as its ports come with its pods. */
  own?: boolean;
  /** Of the pools that have it. */
  apart?: string;
}

type Runs = Pick<WorkloadIdentity, 'pool' | 'revision' | 'strategy' | 'key'>;

/** Plain where the placement is the one that the revision was recorded with; else it carries the placement's key. */
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

/** As it was before names were told apart by a hash. */
export function formerWorkloadName(release: string, runs: Runs): string {
  return joinName(release, runs.pool, ...suffix(runs, {}));
}

/** What trackName gives the track of one revision: its number, and what it is told apart by. */
const OWN_TRACK = /-(\d+(?:-[0-9a-f]{5}){0,2})$/;

/**
 * What a Deployment with this track may be named, the plainest first. With RollingUpdate nothing but the track counts: that
 * stays, while revision, placement and the Service's name change, and not all leaders see that at once.
 */
export function workloadNames(release: string, runs: Runs, track: string): string[] {
  const own = OWN_TRACK.exec(track)?.[1];
  const rolling = own === undefined ? [] : [own];
  const parts = runs.strategy === 'RollingUpdate' ? rolling : suffix(runs, {});
  return [parts, [...parts, shortHash(track).slice(0, 5)]].map((ends) => objectName(release, runs.pool, ...ends));
}

/** What the Service of a pool selects. Pools behind one Service share the value, so that one write switches all. */
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

/** Renderer 1 of a revision's pod template. It never changes: another output is another renderer. */
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

/** What the pods of a revision have in a pool; placement, and what tells them from those of other revisions, left out. */
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
  /** Undefined leaves the scale to whoever owns it. */
  replicas: number | undefined;
  topology: Topology;
  resourceVersion?: string;
}

/** How many pods a rolling update may have too many, and too few. */
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
        rollingUpdate: {
          ...rollingLimits(topology),
        },
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

/** The release too: whatever a track is named after, the pods of another release are not selected. */
function selectorOf({ owner, track, byTrackAlone = false }: Omit<ServiceOptions, 'template' | 'revision'>) {
  return { [LABEL.track]: track, ...(!byTrackAlone && { [LABEL.release]: owner.name }) };
}

/** As the Service has them: which of them lead to which port of the pods. */
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

/** The little that is owned of a Service that a user let the operator adopt: its selector, and what finds it again. */
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
