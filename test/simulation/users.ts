/** User actions: with kubectl, from Git, by hand. */
import { ANNOTATION, FIELD_MANAGER, LABEL } from '../../src/api/meta.ts';
import { APP_RELEASES, PROMOTIONS, ROLLBACKS, VM_POOLS } from '../../src/controller/kinds/api-kinds.ts';
import { AUTOSCALERS } from '../../src/controller/kinds/autoscalers.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { KIND_ROWS } from '../../src/controller/kinds/kinds.ts';
import { NODES } from '../../src/controller/kinds/nodes.ts';
import type { Owned } from '../../src/controller/kinds/owned.ts';
import { OWNED_ROWS } from '../../src/controller/kinds/owned.ts';
import { PODS } from '../../src/controller/kinds/pods.ts';
import { SERVICES } from '../../src/controller/kinds/services.ts';
import type { VmPoolSpec } from '../../src/api/vm-pool.ts';
import type { Resource } from '../../src/kube/types.ts';
import { statusOf } from '../../src/kube/types.ts';
import type { ApiServer, WriteAs } from './api-server.ts';
import type { Kubelet } from './kubelet.ts';
import type { BudgetSpec } from '../../src/release/record/kube-objects.ts';
import { intOrPercentOf } from '../../src/release/record/quantity.ts';
import type { WorldPod } from './pods.ts';
import { deploymentSpec, isLeaving, isReady, matches, allPods } from './pods.ts';
import type { Registry } from './registry.ts';
import type { SpecDraft } from './specs.ts';
import { deploymentsOf, poolsOf, servedDeployment, servingPods, selectorOf, specOf } from './truth.ts';
import type { World } from './world.ts';
import { NAMESPACE } from './world.ts';

/** Retries of a refused eviction: the interval and the limit. */
const DRAIN_MS = 5000;
const DRAIN_TRIES = 200;

const KUBECTL: WriteAs = { actor: 'user', manager: 'kubectl' };

export interface Users {
  create: (release: string, spec: SpecDraft) => void;
  /** Changes the spec in place, like a commit in Git. */
  edit: (release: string, change: (spec: SpecDraft) => void) => void;
  setVersion: (release: string, version: string) => void;
  rollback: (
    name: string,
    spec: {
      release: string;
      toVersion?: string;
      toRevision?: number;
      pools?: string[];
      force?: boolean;
      reason?: string;
    },
  ) => void;
  promote: (
    name: string,
    spec: { release: string; stage: string; version?: string; revision?: number; skipSoak?: boolean; step?: number },
  ) => void;
  pause: (release: string, reason: string | null) => void;
  eraseStatus: (release: string) => void;
  remove: (kind: OwnedKind | keyof typeof OTHERS, name: string) => void;
  /** Writes the scale subresource, so that the user owns the scale, or nobody if it is 0 or was. */
  scale: (deployment: string, replicas: number) => void;
  /** Like `kubectl rollout restart`. */
  restart: (deployment: string) => void;
  editDeployment: (name: string, spec: object) => void;
  editService: (name: string, spec: object) => void;
  editAutoscaler: (name: string, spec: object) => void;
  createAutoscaler: (name: string, deployment: string) => void;
  /** Null removes a label or annotation. */
  label: (kind: OwnedKind, name: string, labels: Record<string, string | null>) => void;
  annotate: (
    kind: 'AppRelease' | 'Deployment' | 'Service',
    name: string,
    annotations: Record<string, string | null>,
  ) => void;
  /** The objects after a restore from a backup. */
  disown: () => void;
  createService: (name: string, adopt: boolean) => void;
  /** The form of Services of an older operator, which selected only by track. */
  selectByTrackAlone: (service: string) => void;
  /** Creates a user's object under any name, without owned fields. */
  own: (kind: OwnedKind, name: string, labels?: Record<string, string>) => void;
  vmPool: (name: string, spec: VmPoolSpec) => void;
  /** Sets the reported capacity in pods of each VM of a pool. */
  room: (pool: string, pods: number) => void;
  cordon: (node: string, cordoned: boolean) => void;
  node: (name: string, ready: boolean) => void;
  /** Deletes the VMs of a pool with their pods. */
  loseVms: (pool: string) => void;
  /** Like `kubectl drain` of all VMs of a pool: cordon, evict as budgets allow, delete when empty. */
  drain: (pool: string) => void;
  /** Sets the readiness of the first pod behind a pool's Service, whatever its image does. */
  flip: (release: string, pool: string, ready: boolean) => void;
  /** Resets the readiness of all flipped pods. */
  unflip: () => void;
  serving: (release: string, pool: string) => WorldPod[];
}

/** The kinds that the operator creates, without pods. */
export type OwnedKind = Exclude<Owned, 'Pod'>;

export const OWNED_KINDS = (Object.keys(OWNED_ROWS) as Owned[]).filter((kind) => kind !== 'Pod');

const OTHERS = { AppRelease: APP_RELEASES, ReleaseRollback: ROLLBACKS, ReleasePromotion: PROMOTIONS, Pod: PODS };

function isOwned(kind: OwnedKind | keyof typeof OTHERS): kind is OwnedKind {
  return !(kind in OTHERS);
}

function resourceOf(kind: OwnedKind): Resource {
  return KIND_ROWS[OWNED_ROWS[kind]].resource;
}

export interface Surroundings {
  world: World;
  api: ApiServer;
  kubelet: Kubelet;
  registry: Registry;
}

export function createUsers({ world, api, kubelet }: Surroundings): Users {
  const flipped: WorldPod[] = [];

  function make(resource: Resource, name: string, spec: object): void {
    const metadata = { name, namespace: NAMESPACE };
    api.create(resource, { apiVersion: resource.apiVersion, kind: resource.kind, metadata, spec }, KUBECTL);
  }

  function merge(resource: Resource, name: string, body: object): void {
    if (world.get(resource.kind, name)) api.patch(resource, name, { type: 'merge', body }, KUBECTL);
  }

  function edit(release: string, change: (spec: SpecDraft) => void): void {
    const spec = structuredClone(world.get('AppRelease', release)?.spec) as SpecDraft | undefined;
    if (!spec) return;
    change(spec);
    if (!isAdmitted(spec)) return;
    api.patch(
      APP_RELEASES,
      release,
      { type: 'json', operations: [{ op: 'add', path: '/spec', value: spec }] },
      KUBECTL,
    );
  }

  function serving(release: string, name: string): WorldPod[] {
    const pool = poolsOf(release, specOf(world.get('AppRelease', release))).find(
      (candidate) => candidate.name === name,
    );
    if (!pool) return [];
    const deployment = servedDeployment(world, release, pool);
    const selector =
      pool.service === undefined
        ? (deployment?.spec as { selector: { matchLabels: Record<string, string> } } | undefined)?.selector.matchLabels
        : selectorOf(world.get('Service', pool.service));
    return servingPods(world, name, selector);
  }

  function nodesOf(pool: string): string[] {
    return world.list('Node').flatMap(({ metadata }) => (metadata.labels?.pool === pool ? [metadata.name] : []));
  }

  function podsOn(nodes: readonly string[]): WorldPod[] {
    return allPods(world).filter(({ spec }) => nodes.includes(spec.nodeName ?? ''));
  }

  function cordon(name: string, cordoned: boolean): void {
    const node = world.get('Node', name);
    const timeAdded = new Date(world.now()).toISOString();
    const taints = [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule', timeAdded }];
    if (node) world.put('cluster', { ...node, spec: cordoned ? { unschedulable: true, taints } : {} });
  }

  function isCordoned(name: string): boolean {
    return (world.get('Node', name)?.spec as { unschedulable?: boolean } | undefined)?.unschedulable === true;
  }

  function loseVms(nodes: readonly string[]): void {
    const lost = podsOn(nodes);
    for (const name of nodes) world.remove('cluster', 'Node', name);
    for (const { metadata } of lost) world.remove('cluster', 'Pod', metadata.name);
  }

  /** Continues only with VMs that are still cordoned, because an uncordon cancels the drain. */
  function drain(vms: readonly string[], tries = DRAIN_TRIES): void {
    const nodes = vms.filter(isCordoned);
    for (const pod of podsOn(nodes)) {
      if (!isLeaving(pod) && mayEvict(world, pod)) api.remove(PODS, pod.metadata.name, {}, KUBECTL);
    }
    if (podsOn(nodes).length === 0) loseVms(nodes);
    else if (tries > 0)
      world.after(DRAIN_MS, () => {
        drain(nodes, tries - 1);
      });
  }

  return {
    create: (release, spec) => {
      make(APP_RELEASES, release, structuredClone(spec));
    },
    edit,
    setVersion: (release, version) => {
      edit(release, (spec) => {
        spec.version = version;
        for (const container of spec.template.spec.containers)
          container.image = container.image.replace(/:[^:]*$/, `:${version}`);
      });
    },
    rollback: (name, spec) => {
      make(ROLLBACKS, name, { force: false, ...spec });
    },
    promote: (name, spec) => {
      make(PROMOTIONS, name, { skipSoak: false, ...spec });
    },
    pause: (release, reason) => {
      merge(APP_RELEASES, release, { metadata: { annotations: { [ANNOTATION.paused]: reason } } });
    },
    eraseStatus: (release) => {
      if (!world.get('AppRelease', release)) return;
      const operations = [{ op: 'add' as const, path: '/status', value: {} }];
      api.patch(statusOf(APP_RELEASES), release, { type: 'json', operations }, KUBECTL);
    },
    remove: (kind, name) => {
      if (world.get(kind, name)) api.remove(isOwned(kind) ? resourceOf(kind) : OTHERS[kind], name, {}, KUBECTL);
    },
    scale: (deployment, replicas) => {
      merge({ ...DEPLOYMENTS, subresource: 'scale' }, deployment, { spec: { replicas } });
    },
    restart: (deployment) => {
      const annotations = { 'kubectl.kubernetes.io/restartedAt': new Date(world.now()).toISOString() };
      merge(DEPLOYMENTS, deployment, { spec: { template: { metadata: { annotations } } } });
    },
    editDeployment: (name, spec) => {
      merge(DEPLOYMENTS, name, { spec });
    },
    editService: (name, spec) => {
      merge(SERVICES, name, { spec });
    },
    editAutoscaler: (name, spec) => {
      merge(AUTOSCALERS, name, { spec });
    },
    createAutoscaler: (name, deployment) => {
      const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: deployment };
      make(AUTOSCALERS, name, { scaleTargetRef, minReplicas: 1, maxReplicas: 2 });
    },
    label: (kind, name, labels) => {
      merge(resourceOf(kind), name, { metadata: { labels } });
    },
    own: (kind, name, labels = {}) => {
      if (world.get(kind, name)) return;
      const resource = resourceOf(kind);
      const metadata = { name, namespace: NAMESPACE, labels };
      api.create(resource, { apiVersion: resource.apiVersion, kind, metadata, ...THEIRS[kind] }, KUBECTL);
    },
    annotate: (kind, name, annotations) => {
      merge(kind === 'AppRelease' ? APP_RELEASES : resourceOf(kind), name, { metadata: { annotations } });
    },
    disown: () => {
      for (const resource of OWNED_KINDS.map(resourceOf))
        for (const { metadata } of world.list(resource.kind))
          merge(resource, metadata.name, { metadata: { ownerReferences: [] } });
    },
    createService: (name, adopt) => {
      const annotations = adopt ? { [ANNOTATION.adopt]: 'true' } : {};
      const metadata = { name, namespace: NAMESPACE, annotations };
      const spec = { selector: { app: 'legacy' }, ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }] };
      api.create(SERVICES, { apiVersion: 'v1', kind: 'Service', metadata, spec }, KUBECTL);
    },
    selectByTrackAlone: (name) => {
      const selector = { [LABEL.track]: selectorOf(world.get('Service', name))?.[LABEL.track] };
      const operations = [{ op: 'replace' as const, path: '/spec/selector', value: selector }];
      api.patch(SERVICES, name, { type: 'json', operations }, { actor: 'user', manager: FIELD_MANAGER });
    },
    vmPool: (name, spec) => {
      const { apiVersion, kind } = VM_POOLS;
      world.put('user', { ...world.get(kind, name), apiVersion, kind, metadata: { name }, spec });
    },
    room: (pool, pods) => {
      kubelet.capacity.set(pool, pods);
      for (const node of world.list('Node')) {
        if (node.metadata.labels?.pool !== pool) continue;
        const allocatable = { pods: String(pods), memory: '64Ti' };
        world.put('cluster', { ...node, status: { ...(node.status as object), allocatable } });
      }
    },
    cordon,
    loseVms: (pool) => {
      loseVms(nodesOf(pool));
    },
    drain: (pool) => {
      const nodes = nodesOf(pool);
      for (const name of nodes) cordon(name, true);
      drain(nodes);
    },
    node: (name, ready) => {
      const node = world.get('Node', name);
      if (!node) return;
      const lastTransitionTime = new Date(world.now()).toISOString();
      const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime }];
      world.put('cluster', { ...node, status: { ...(node.status as object), conditions } });
    },
    flip: (release, pool, ready) => {
      const [pod] = ready
        ? (world.list('Pod') as WorldPod[]).filter(({ metadata }) => metadata.name.includes(`-${pool}-`))
        : serving(release, pool);
      if (pod) kubelet.flip(pod, ready);
      if (pod && !ready) flipped.push(pod);
    },
    unflip: () => {
      for (const pod of flipped) if (world.get('Pod', pod.metadata.name)) kubelet.flip(pod, true);
    },
    serving,
  };
}

/** Whether all budgets of a pod allow its eviction; a pod that is not ready can always be evicted. */
function mayEvict(world: World, pod: WorldPod): boolean {
  if (!isReady(pod)) return true;
  return world.list('PodDisruptionBudget').every(({ spec }) => {
    const { maxUnavailable = 0, selector } = spec as BudgetSpec;
    if (!matches(pod, selector?.matchLabels)) return true;
    const pods = allPods(world).filter((other) => matches(other, selector?.matchLabels));
    const expected = deploymentsOf(world, pod.metadata.labels?.[LABEL.release] ?? '')
      .filter(({ metadata }) => metadata.name === pod.metadata.labels?.[LABEL.workload])
      .reduce((sum, deployment) => sum + deploymentSpec(deployment).replicas, 0);
    const healthy = pods.filter((other) => isReady(other) && !isLeaving(other)).length;
    return healthy - 1 >= expected - intOrPercentOf(maxUnavailable, expected);
  });
}
/** A minimal object of a kind, so that an apply causes no conflict. */
const THEIRS: Record<OwnedKind, object> = {
  Deployment: {
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: 'theirs' } },
      template: {
        metadata: { labels: { app: 'theirs' } },
        spec: { containers: [{ name: 'theirs', image: 'theirs' }] },
      },
    },
  },
  Service: { spec: { ports: [{ port: 443, protocol: 'TCP', targetPort: 6443 }] } },
  HorizontalPodAutoscaler: {
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'theirs' }, maxReplicas: 1 },
  },
  PodDisruptionBudget: { spec: {} },
  HTTPRoute: { spec: {} },
  GRPCRoute: { spec: {} },
  ControllerRevision: { revision: 1, data: {} },
};

/** Whether the schema and rules of the CRD accept the spec. */
function isAdmitted(spec: SpecDraft): boolean {
  const parsed = specOf({ spec });
  return parsed !== undefined && (parsed.strategy.type === 'RollingUpdate' || parsed.service !== undefined);
}

/** Nodes of a pool, all ready. */
export function addNodes(world: World, pool: string, count: number): void {
  for (let number = 1; number <= count; number += 1) {
    world.put('cluster', {
      apiVersion: NODES.apiVersion,
      kind: NODES.kind,
      metadata: { name: `${pool}-${number}`, labels: { pool } },
      spec: {},
      status: { conditions: [{ type: 'Ready', status: 'True' }], allocatable: { pods: '110', memory: '64Ti' } },
    });
  }
}
