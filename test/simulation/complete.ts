/** The stored form of objects: the API server sets defaults, drops empty fields and rewrites values. */
import { KINDS } from '../../src/api/kinds.ts';
import type { OwnedKind } from './users.ts';
import type { WorldObject } from './world.ts';

type Tree = Record<string, unknown>;

interface Deployment {
  replicas?: number;
  minReadySeconds?: number;
  paused?: boolean;
  revisionHistoryLimit?: number;
  template: { metadata?: Tree; spec: Tree & { containers: Tree[]; initContainers?: Tree[] } };
}

const OUR_KINDS = new Set(KINDS.map(({ kind }) => kind));

/** What the API server does to an object of each kind that the operator creates. In place. */
const COMPLETE: Record<OwnedKind, (object: WorldObject) => void> = {
  Deployment: (object) => {
    completeDeployment(object.spec as Deployment);
  },
  Service: completeService,
  HorizontalPodAutoscaler: (object) => {
    const target = { type: 'Utilization', averageUtilization: 80 };
    (object.spec as Tree).metrics ??= [{ type: 'Resource', resource: { name: 'cpu', target } }];
  },
  PodDisruptionBudget: storeAsSent,
  HTTPRoute: completeRoute,
  GRPCRoute: completeRoute,
  ControllerRevision: storeAsSent,
};

/** In place. */
export function complete(kind: string, object: WorldObject): void {
  if (OUR_KINDS.has(kind)) object.status ??= { observedGeneration: -1 };
  if (Object.hasOwn(COMPLETE, kind)) COMPLETE[kind as OwnedKind](object);
}

function storeAsSent(): void {
  // No defaults.
}

/** https://gateway-api.sigs.k8s.io/reference/spec: the defaults of references. */
function completeRoute({ spec }: WorldObject): void {
  const { parentRefs = [], rules = [] } = spec as { parentRefs?: Tree[]; rules?: (Tree & { backendRefs?: Tree[] })[] };
  for (const ref of parentRefs) Object.assign(ref, { group: 'gateway.networking.k8s.io', kind: 'Gateway', ...ref });
  for (const { backendRefs = [] } of rules)
    for (const ref of backendRefs) Object.assign(ref, { group: '', kind: 'Service', weight: 1, ...ref });
}

function completeService(object: WorldObject): void {
  const spec = object.spec as Tree & { ports?: Tree[] };
  spec.clusterIP ??= '10.0.0.1';
  spec.sessionAffinity ??= 'None';
  spec.type ??= 'ClusterIP';
  spec.internalTrafficPolicy ??= 'Cluster';
  spec.ports = spec.ports?.map((port) => ({ protocol: 'TCP', targetPort: port.port, ...port }));
}

function completeDeployment(spec: Deployment): void {
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  // Zeros that the type omits; a replicas or revisionHistoryLimit of 0 stays.
  if (spec.minReadySeconds === 0) delete spec.minReadySeconds;
  if (spec.paused === false) delete spec.paused;
  const pod = spec.template.spec;
  drop(pod, isNothing);
  pod.restartPolicy ??= 'Always';
  pod.dnsPolicy ??= 'ClusterFirst';
  pod.terminationGracePeriodSeconds ??= 30;
  for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
    drop(container, (value) => value === null || (Array.isArray(value) && value.length === 0));
    container.terminationMessagePath ??= '/dev/termination-log';
    container.resources = quantities(container.resources ?? {});
  }
}

function drop(tree: Tree, isDropped: (value: unknown) => boolean): void {
  for (const [key, value] of Object.entries(tree)) if (isDropped(value)) Reflect.deleteProperty(tree, key);
}

function isNothing(value: unknown): boolean {
  return value === null || (typeof value === 'object' && Object.keys(value).length === 0);
}

/** Canonical quantities: "1000m" becomes "1". */
function quantities(resources: unknown): unknown {
  if (typeof resources === 'string') return resources.replace(/^(\d+)000m$/, '$1').replace(/^1024Mi$/, '1Gi');
  if (resources === null || typeof resources !== 'object') return resources;
  return Object.fromEntries(Object.entries(resources).map(([key, value]) => [key, quantities(value)]));
}
