/** Builders for unit tests of the planner. */
import type { AppRelease, AppReleaseSpec } from '../api/app-release.ts';
import { appReleaseSpec } from '../api/app-release.ts';
import type { ObjectMeta } from '../api/common.ts';
import { ANNOTATION, LABEL } from '../api/meta.ts';
import type { ControllerRevision, Deployment, Pod, Service } from './record/kube-objects.ts';
import { own } from '../lib/own.ts';
import type { DigestLookup, LookUpDigest, Observed } from './state/observed.ts';
import { NEVER_DRAINED } from './traffic/drained-since.ts';
import type { Rollout } from './state/view.ts';
import { view } from './view.ts';
import { RENDERER } from './record/renderers.ts';
import type { Revision } from './record/revision.ts';
import type { Facts, RevisionData } from './record/recorded-data.ts';
import { placementKeys, revisionInput, topologyOf, wantedVersion } from './record/revision.ts';

export const NOW = Date.parse('2026-01-01T12:00:00Z');
/** The time `minutes` before NOW. */
export function ago(minutes: number): string {
  return new Date(NOW - minutes * 60_000).toISOString();
}

export const DIGEST = `sha256:${'a'.repeat(64)}`;

let versions = 0;

export function meta(name: string, more: Partial<ObjectMeta> = {}): ObjectMeta {
  versions += 1;
  return {
    name,
    namespace: 'shop',
    uid: `uid-${name}`,
    resourceVersion: String(versions),
    creationTimestamp: '2026-01-01T11:00:00Z',
    ...more,
  };
}

/** A canary pool, then a production pool; BlueGreen behind a Service. */
export function spec(more: Record<string, unknown> = {}): AppReleaseSpec {
  return appReleaseSpec.parse({
    version: '1.0.0',
    template: {
      spec: { containers: [{ name: 'main', image: 'web:1.0.0', ports: [{ name: 'http', containerPort: 80 }] }] },
    },
    service: { ports: [{ port: 80, targetPort: 'http' }] },
    stages: [
      { name: 'canary', soak: '1m', pools: [{ name: 'a', replicas: 1, nodeSelector: { pool: 'a' } }] },
      { name: 'production', pools: [{ name: 'b', replicas: 2, nodeSelector: { pool: 'b' } }] },
    ],
    ...more,
  });
}

export function release(wanted = spec(), more: Partial<ObjectMeta> = {}): AppRelease {
  return { metadata: meta('web', { generation: 1, ...more }), spec: wanted };
}

function revisionData(from: AppReleaseSpec): RevisionData {
  const input = revisionInput(from, wantedVersion(from) ?? '');
  const image = from.template.spec.containers[0]?.image ?? '';
  return {
    renderer: RENDERER,
    input,
    images: { [image]: { image: `${image}@${DIGEST}`, digest: DIGEST } },
    placements: Object.fromEntries(placementKeys(topologyOf(from), 'web', from.strategy.type)),
  };
}

export function revision(number: number, from = spec(), facts: Facts = { pools: {}, approvals: {} }): Revision {
  const { name, uid, resourceVersion, creationTimestamp } = meta(`web-${number}`);
  return { name, number, uid, resourceVersion, createdAt: creationTimestamp, data: revisionData(from), facts };
}

export function controllerRevision({ name, number, data, facts }: Revision): ControllerRevision {
  return {
    metadata: meta(name, {
      labels: { [LABEL.release]: 'web', [LABEL.managedBy]: 'apprelease' },
      annotations: { [ANNOTATION.facts]: JSON.stringify(facts) },
    }),
    revision: number,
    data,
  };
}

/** A ledger with these annotations. */
export function ledgerWith(annotations: Record<string, string>): ControllerRevision {
  const labels = { [LABEL.release]: 'web', [LABEL.managedBy]: 'apprelease' };
  return { metadata: meta('web-ledger', { labels, annotations }), revision: 0, data: {} };
}

/** The live Deployment of a desired one, with all its pods available. */
export function live(desired: { metadata: object; spec: object }, ready: number): Deployment {
  const { metadata, spec: body } = structuredClone(desired) as { metadata: ObjectMeta; spec: Deployment['spec'] };
  return {
    metadata: meta(metadata.name, { ...metadata, generation: 1 }),
    spec: body,
    status: {
      observedGeneration: 1,
      replicas: ready,
      updatedReplicas: ready,
      readyReplicas: ready,
      availableReplicas: ready,
    },
  };
}

export function podsFor({ metadata, spec: { template } }: Deployment, count: number, more: Partial<Pod> = {}): Pod[] {
  const labels = template.metadata?.labels ?? {};
  return Array.from({ length: count }, (_, index) => ({
    metadata: meta(`${metadata.name}-${index}`, { labels }),
    ready: true,
    nodeName: 'node',
    startedAt: meta('').creationTimestamp,
    containers: [{ name: 'main', ready: true, restartCount: 0, imageID: `web@${DIGEST}` }],
    ...more,
  }));
}

export function liveService(desired: { metadata: object; spec: object }): Service {
  const { metadata, spec: body } = structuredClone(desired) as { metadata: ObjectMeta; spec: Service['spec'] };
  return { metadata: meta(metadata.name, metadata), spec: body };
}

/** A look-up that knows these digests; all others are pending. */
export function knowing(digests: Readonly<Record<string, DigestLookup>>): LookUpDigest {
  return (image) => own(digests, image) ?? { state: 'pending' };
}

/** The view of a release that has or had a valid spec. */
export function rollout(seen: Observed): Rollout {
  const viewed = view(seen, NOW);
  if (viewed.kind === 'Unknown') throw new Error(`the spec was never valid: ${viewed.wanted.message}`);
  return viewed;
}

export function observed(more: Partial<Observed> = {}): Observed {
  return {
    release: release(),
    revisions: [],
    deployments: [],
    services: [],
    isSelectedByOthers: () => false,
    autoscalers: [],
    slices: [],
    pods: [],
    nodes: [],
    budgets: [],
    httpRoutes: [],
    grpcRoutes: [],
    routeAbsence: () => undefined,
    otherRoutes: [],
    foreignBudgets: [],
    vmPools: [],
    vms: [],
    rollbacks: [],
    promotions: [],
    lookUpDigest: () => ({ state: 'pending' }),
    findMoved: () => undefined,
    foreignServices: [],
    memory: {
      dryRuns: new Map(),
      nameConflicts: new Map(),
      lost: new Set(),
      terminating: false,
      overQuota: new Set(),
      refused: new Map(),
      stored: new Map(),
      contested: new Map(),
      paced: new Set(),
      drained: NEVER_DRAINED,
      covered: new Map(),
    },
    ...more,
  };
}
