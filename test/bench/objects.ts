// What the benchmark creates: releases and their rollbacks, and the plain Deployments beside them.
import type { AppRelease } from '../../src/api/app-release.ts';
import type { ReleasePromotion } from '../../src/api/release-promotion.ts';
import type { ReleaseRollback } from '../../src/api/release-rollback.ts';
import { API_VERSION, LABEL, VERSION } from '../../src/api/meta.ts';
import type { KubeObject, Named, Resource } from '../../src/kube/types.ts';
import type { NodeGroup } from '../cluster/types.ts';

/** The namespace of everything that is measured. */
export const NAMESPACE = 'bench';

const POOLS = ['pool-a', 'pool-b', 'pool-c', 'pool-d', 'pool-e'] as const;
const POOL_LABEL = 'bench.apprelease.dev/pool';

/** 20 simulated VMs with room for every pod of the largest part. */
export const nodeGroups: readonly NodeGroup[] = POOLS.map((name) => ({
  name,
  count: 4,
  labels: { [POOL_LABEL]: name },
  capacity: { cpu: '256', memory: '1Ti', pods: '1000' },
}));

/** `v1` or `v2`; each has an image of its own. */
export type Version = 'v1' | 'v2';

const images: Record<Version, string> = {
  v1: `registry.example/app:1@sha256:${'1'.repeat(64)}`,
  v2: `registry.example/app:2@sha256:${'2'.repeat(64)}`,
};

function kindOf<T extends KubeObject>(apiVersion: string, kind: string, plural: string): Resource<T> {
  return { apiVersion, kind, plural, namespaced: true };
}

type Sent<T> = Named<KubeObject & T>;

export const RELEASES = kindOf<KubeObject & Pick<AppRelease, 'status'>>(API_VERSION, 'AppRelease', 'appreleases');
export const ROLLBACKS = kindOf<KubeObject & Pick<ReleaseRollback, 'status'>>(
  API_VERSION,
  'ReleaseRollback',
  'releaserollbacks',
);
export const PROMOTIONS = kindOf<KubeObject & Pick<ReleasePromotion, 'status'>>(
  API_VERSION,
  'ReleasePromotion',
  'releasepromotions',
);
export const DEPLOYMENTS = kindOf<
  KubeObject & {
    spec?: { replicas?: number; template?: { spec?: { containers?: { image?: string }[] } } };
    status?: { observedGeneration?: number; updatedReplicas?: number; availableReplicas?: number; replicas?: number };
  }
>('apps/v1', 'Deployment', 'deployments');
export const SERVICES = kindOf<KubeObject & { spec?: { selector?: Record<string, string> } }>(
  'v1',
  'Service',
  'services',
);
export const SLICES = kindOf<
  KubeObject & { endpoints?: { conditions?: { ready?: boolean }; targetRef?: { name?: string } }[] }
>('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices');
export const PODS = kindOf<KubeObject>('v1', 'Pod', 'pods');

const ports = [{ port: 80, targetPort: 8080 }];

function podSpec(version: Version) {
  return { containers: [{ name: 'app', image: images[version], ports: [{ containerPort: 8080 }] }] };
}

function poolOf(index: number): string {
  return POOLS[index % POOLS.length] ?? POOLS[0];
}

function release(name: string, version: Version, pools: readonly string[], replicas: number) {
  return {
    apiVersion: API_VERSION,
    kind: 'AppRelease',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      version,
      template: { spec: podSpec(version) },
      stages: [
        {
          name: 'production',
          pools: pools.map((pool) => ({ name: pool, replicas, nodeSelector: { [POOL_LABEL]: pool } })),
        },
      ],
      service: { ports },
    },
  };
}

/** As narrowRelease, without a Service, so updated in place: beyond a thousand Services this API server takes seconds to create one. */
export function servicelessRelease(name: string, index: number) {
  const { spec, ...object } = narrowRelease(name, 'v1', index);
  const { service: _service, ...left } = spec;
  return { ...object, spec: { ...left, strategy: { type: 'RollingUpdate' } } };
}

/** One release over all five pools. */
export function wideRelease(name: string, version: Version) {
  return release(name, version, POOLS, 2);
}

/** One release in one pool, with two replicas. */
export function narrowRelease(name: string, version: Version, index: number) {
  return release(name, version, [poolOf(index)], 2);
}

/** Back to `version` everywhere. */
export function rollback(name: string, releaseName: string, version: Version): Sent<object> {
  return {
    apiVersion: API_VERSION,
    kind: 'ReleaseRollback',
    metadata: { name, namespace: NAMESPACE },
    spec: { release: releaseName, toVersion: version, reason: 'benchmark' },
  } as Sent<object>;
}

/** Lets a version in again that was rolled back from. */
export function retry(name: string, releaseName: string, version: Version): Sent<object> {
  return {
    apiVersion: API_VERSION,
    kind: 'ReleasePromotion',
    metadata: { name, namespace: NAMESPACE },
    spec: { release: releaseName, version, stage: 'production', reason: 'benchmark' },
  } as Sent<object>;
}

/** See bareCrd. */
export const BARE_GROUP = 'bare.bench.apprelease.dev';
export type BareRollback = KubeObject & Pick<ReleaseRollback, 'status'>;
export const BARE_ROLLBACKS = kindOf<BareRollback>(`${BARE_GROUP}/${VERSION}`, 'ReleaseRollback', 'releaserollbacks');

export function bareRollback(name: string): Sent<object> {
  return { ...rollback(name, name, 'v1'), apiVersion: BARE_ROLLBACKS.apiVersion };
}

/** A Service that no operator knows, before pods of a release. */
export function bareService(name: string, track: string): Sent<object> {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: NAMESPACE },
    spec: { selector: { [LABEL.track]: track }, ports },
  } as Sent<object>;
}

/** What a release of one pool is compared with. */
export function plainDeployment(name: string, version: Version, index: number): Sent<object> {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name, plain: 'true' } },
        spec: { ...podSpec(version), nodeSelector: { [POOL_LABEL]: poolOf(index) } },
      },
    },
  } as Sent<object>;
}

/** The Service of a plain Deployment; `narrow` selects the same pods by one label more. */
export function plainService(name: string, narrow = false): Sent<object> {
  const selector = { app: name, ...(narrow && { plain: 'true' }) };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: NAMESPACE },
    spec: { selector, ports },
  } as Sent<object>;
}

/** The same image in a merge patch: what the switch of a plain Deployment is. */
export function imagePatch(version: Version): object {
  return { spec: { template: { spec: podSpec(version) } } };
}

/** Which version a Deployment's status speaks of, once all of its pods run it. */
export function rolledOut(deployment: {
  metadata?: KubeObject['metadata'];
  spec?: { replicas?: number; template?: { spec?: { containers?: { image?: string }[] } } };
  status?: { observedGeneration?: number; updatedReplicas?: number; availableReplicas?: number; replicas?: number };
}): Version | undefined {
  const { metadata, spec, status } = deployment;
  const wanted = spec?.replicas ?? 1;
  const done =
    status?.observedGeneration === metadata?.generation &&
    status?.updatedReplicas === wanted &&
    status.availableReplicas === wanted &&
    status.replicas === wanted;
  const image = spec?.template?.spec?.containers?.[0]?.image;
  return done ? (['v1', 'v2'] as const).find((version) => images[version] === image) : undefined;
}
