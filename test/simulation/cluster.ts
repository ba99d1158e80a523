/** The controllers of Kubernetes. Each has a set of objects to process; the simulation chooses the next one. */
import { ROUTE_KINDS } from '../../src/api/route.ts';
import { OWNED_ROWS } from '../../src/controller/kinds/owned.ts';
import { createDeploymentController } from './deployments.ts';
import type { ApiServer } from './api-server.ts';
import { endPod, isOrphan } from './api-server.ts';
import { autoscalersOf, createAutoscalerController } from './autoscalers.ts';
import { answerRoute } from './gateway.ts';
import type { Kubelet } from './kubelet.ts';
import { createKubelet } from './kubelet.ts';
import { isLeaving, isReady, matches, allPods } from './pods.ts';
import type { World, WorldObject, Write } from './world.ts';

export interface Cluster {
  kubelet: Kubelet;
  /** Sets the number of pods that the load of a pool needs. */
  load: (pool: string, pods: number) => void;
  /** The controllers with work, each with its next step. */
  runnable: () => { name: string; step: () => void }[];
}

/** The kinds whose objects the garbage collector removes. */
const COLLECTED = [...Object.keys(OWNED_ROWS), 'EndpointSlice', 'ReleaseRollback', 'ReleasePromotion'];

export function createCluster(world: World, api: ApiServer, startMs: () => number): Cluster {
  const deployments = new Set<string>();
  const services = new Set<string>();
  const autoscalers = new Set<string>();
  /** Kind and name of routes that changed. */
  const routes = new Map<string, [kind: string, name: string]>();
  const starting = new Set<string>();
  const duties = { scheduling: false, collecting: false };
  const kubelet = createKubelet(world, startMs);
  const scaler = createAutoscalerController(world, api);
  const controller = createDeploymentController(world, (name) => deployments.add(name));

  world.onWrite(({ kind, object, after, before }: Write) => {
    if (kind === 'Deployment') {
      deployments.add(object.metadata.name);
      for (const { metadata } of autoscalersOf(world, object.metadata.name)) autoscalers.add(metadata.name);
    }
    if (kind === 'HorizontalPodAutoscaler') autoscalers.add(object.metadata.name);
    if (kind === 'Service') services.add(object.metadata.name);
    if (ROUTE_KINDS.some((route) => route === kind) && after)
      routes.set(`${kind}/${object.metadata.name}`, [kind, object.metadata.name]);
    if (kind === 'Node') duties.scheduling = true;
    if (!after || (!before && isOrphan(world, after))) duties.collecting = true;
    if (kind === 'Pod') {
      for (const { name } of object.metadata.ownerReferences ?? []) deployments.add(name);
      for (const service of world.list('Service')) {
        if (matches(object, selectorOf(service))) services.add(service.metadata.name);
      }
      const spec = object.spec as { nodeName?: string };
      if (after && spec.nodeName !== undefined && (before?.spec as typeof spec | undefined)?.nodeName === undefined) {
        starting.add(object.metadata.name);
      }
      if ((after && spec.nodeName === undefined && !before) || !after) duties.scheduling = true;
    }
  });

  function take(names: Set<string>): string {
    const [name = ''] = names;
    names.delete(name);
    return name;
  }

  function collect(): void {
    duties.collecting = false;
    for (const kind of COLLECTED) {
      for (const object of world.list(kind)) {
        if (!isOrphan(world, object)) continue;
        if (kind === 'Pod') endPod(world, `cluster for ${object.metadata.ownerReferences?.[0]?.name ?? ''}`, object);
        else world.remove('cluster', kind, object.metadata.name);
      }
    }
  }

  function runnable(): { name: string; step: () => void }[] {
    const steps: { name: string; step: () => void }[] = [];
    if (deployments.size > 0)
      steps.push({
        name: 'deployments',
        step: () => {
          controller.sync(take(deployments));
        },
      });
    if (autoscalers.size > 0)
      steps.push({
        name: 'autoscalers',
        step: () => {
          scaler.sync(take(autoscalers));
        },
      });
    if (duties.scheduling) {
      steps.push({
        name: 'scheduler',
        step: () => {
          duties.scheduling = false;
          kubelet.schedule();
        },
      });
    }
    if (starting.size > 0)
      steps.push({
        name: 'kubelet',
        step: () => {
          kubelet.run(take(starting));
        },
      });
    if (services.size > 0)
      steps.push({
        name: 'endpoints',
        step: () => {
          publish(world, take(services));
        },
      });
    const [route] = routes;
    if (route)
      steps.push({
        name: 'gateway',
        step: () => {
          routes.delete(route[0]);
          answerRoute(world, ...route[1]);
        },
      });
    if (duties.collecting) steps.push({ name: 'collector', step: collect });
    return steps;
  }

  function load(pool: string, pods: number): void {
    scaler.loads.set(pool, pods);
    for (const { metadata } of world.list('HorizontalPodAutoscaler')) autoscalers.add(metadata.name);
  }

  return { kubelet, load, runnable };
}

function selectorOf({ spec }: WorldObject): Record<string, string> | undefined {
  return (spec as { selector?: Record<string, string> }).selector;
}

/** Updates the EndpointSlice of a Service. */
function publish(world: World, name: string): void {
  const service = world.get('Service', name);
  if (!service) return;
  const endpoints = allPods(world)
    .filter((pod) => matches(pod, selectorOf(service)) && pod.spec.nodeName !== undefined)
    .map((pod) => ({
      conditions: { ready: isReady(pod) && !isLeaving(pod), serving: isReady(pod), terminating: isLeaving(pod) },
      targetRef: { kind: 'Pod', name: pod.metadata.name },
    }));
  const slice = world.get('EndpointSlice', `${name}-slice`);
  const labels = { ...service.metadata.labels, 'kubernetes.io/service-name': name };
  const next = { endpoints, labels };
  if (slice && JSON.stringify(next) === JSON.stringify({ endpoints: slice.endpoints, labels: slice.metadata.labels }))
    return;
  world.put('cluster', {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-slice`,
      labels,
      ownerReferences: [{ apiVersion: 'v1', kind: 'Service', name, uid: service.metadata.uid, controller: true }],
    },
    endpoints,
  });
}
