/** Scheduler and kubelets: placement of pods, behaviour of images, lost nodes. */
import { LABEL } from '../../src/api/meta.ts';
import type { WorldPod, PodStatus } from './pods.ts';
import { isLeaving, isReady, allPods } from './pods.ts';
import type { World, WorldObject } from './world.ts';

/**
 * How the containers of an image behave. `flapping`: ready, three times not, ready. `fading`: ready, later never again.
 * `missing`: no longer in the registry. `slow`: ready after a minute.
 */
export type Behaviour = 'good' | 'never' | 'crash' | 'missing' | 'flapping' | 'fading' | 'slow';

export interface Kubelet {
  /** By version tag. */
  behaviours: Map<string, Behaviour>;
  /** Capacity of a node in pods, by pool. Absent: unlimited. */
  capacity: Map<string, number>;
  /** False: images that are on no node cannot be pulled. */
  registry: { up: boolean };
  /** Milliseconds until a container is ready. */
  startMs: () => number;
  /** Places pending pods on nodes, and handles new and removed nodes. */
  schedule: () => void;
  /** Starts the pods of a node. */
  run: (pod: string) => void;
  /** Sets the readiness of a pod, whatever its image does. */
  flip: (pod: WorldPod, ready: boolean) => void;
}

interface Running {
  /** RFC 3339 */
  startTime: string;
  ready: boolean;
  restarts: number;
  waiting?: { reason: string; message: string };
}

const RETRY_MS = 10_000;
/** Enough restarts for a crash loop; the history must end. */
const MAX_RESTARTS = 5;
const SLOW_MS = 60_000;

export function createKubelet(world: World, startMs: () => number): Kubelet {
  const running = new Map<string, Running>();
  const pulled = new Set<string>();
  const kubelet: Kubelet = {
    behaviours: new Map(),
    capacity: new Map(),
    registry: { up: true },
    startMs,
    schedule,
    run,
    flip,
  };

  function schedule(): void {
    const pods = allPods(world);
    const load = Map.groupBy(pods, ({ spec }) => spec.nodeName ?? '');
    for (const pod of pods) {
      if (pod.spec.nodeName !== undefined || isLeaving(pod)) continue;
      const node = world
        .list('Node')
        .filter((candidate) => fits(pod, candidate, load.get(candidate.metadata.name)?.length ?? 0))
        .toSorted((a, b) => (load.get(a.metadata.name)?.length ?? 0) - (load.get(b.metadata.name)?.length ?? 0))
        .at(0);
      if (node) {
        const placed = { ...pod, spec: { ...pod.spec, nodeName: node.metadata.name } };
        load.set(node.metadata.name, [...(load.get(node.metadata.name) ?? []), placed]);
        world.put('cluster', { ...placed, status: { phase: 'Pending', conditions: [] } });
      } else {
        const message = '0 nodes are available: too many pods';
        const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }];
        report(pod, { phase: 'Pending', conditions });
      }
    }
    for (const pod of allPods(world)) if (running.has(pod.metadata.uid)) show(pod.metadata.name);
  }

  function fits(pod: WorldPod, node: WorldObject, load: number): boolean {
    const labels = node.metadata.labels ?? {};
    const selected = Object.entries(pod.spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value);
    const cordoned = (node.spec as { unschedulable?: boolean }).unschedulable ?? false;
    return (
      selected &&
      isMeantFor(pod, node) &&
      isNodeReady(node) &&
      !cordoned &&
      load < (kubelet.capacity.get(labels.pool ?? '') ?? Infinity)
    );
  }

  function run(name: string): void {
    const pod = world.get('Pod', name) as WorldPod | undefined;
    if (!pod?.spec.nodeName || running.has(pod.metadata.uid)) return;
    const startTime = new Date(world.now()).toISOString();
    running.set(pod.metadata.uid, { startTime, ready: false, restarts: 0 });
    show(name);
    pull(pod);
  }

  function pull(pod: WorldPod): void {
    const image = imageOf(pod);
    const node = pod.spec.nodeName ?? '';
    const missing = behaviourOf(pod) === 'missing';
    if (!missing && (pulled.has(`${node} ${image}`) || kubelet.registry.up)) {
      pulled.add(`${node} ${image}`);
      noteImage(node, image);
      begin(pod);
      return;
    }
    const why = missing ? `${image}: manifest unknown: not found` : `${image}: 503 Service Unavailable`;
    change(pod, { ready: false, waiting: { reason: 'ImagePullBackOff', message: why } });
    later(pod, RETRY_MS, () => {
      pull(pod);
    });
  }

  /** The image in the form of the node's status. */
  function noteImage(name: string, image: string): void {
    const node = world.get('Node', name);
    const { images = [], ...status } = (node?.status ?? {}) as { images?: { names: string[] }[] };
    if (!node || images.some(({ names }) => names.includes(image))) return;
    world.put('cluster', { ...node, status: { ...status, images: [...images, { names: [image] }] } });
  }

  function begin(pod: WorldPod): void {
    if (pod.metadata.labels?.[LABEL.pull] !== undefined) {
      later(pod, kubelet.startMs(), () => {
        running.delete(pod.metadata.uid);
        report(pod, ended(pod));
      });
      return;
    }
    later(pod, behaviourOf(pod) === 'slow' ? SLOW_MS : kubelet.startMs(), () => {
      started(pod);
    });
  }

  function started(pod: WorldPod): void {
    switch (behaviourOf(pod)) {
      case 'never':
        change(pod, { ready: false });
        later(pod, RETRY_MS, () => {
          started(pod);
        });
        break;
      case 'crash':
        crash(pod);
        break;
      case 'flapping':
        change(pod, { ready: true });
        for (const turn of [1, 2, 3]) {
          later(pod, turn * 14_000 - 7000, () => {
            change(pod, { ready: false });
          });
          later(pod, turn * 14_000, () => {
            change(pod, { ready: true });
          });
        }
        break;
      case 'fading':
        change(pod, { ready: true });
        fade(pod);
        break;
      default:
        change(pod, { ready: true });
    }
  }

  function fade(pod: WorldPod): void {
    later(pod, 2 * RETRY_MS, () => {
      change(pod, { ready: behaviourOf(pod) !== 'fading' });
      fade(pod);
    });
  }

  function crash(pod: WorldPod): void {
    if (behaviourOf(pod) !== 'crash') {
      started(pod);
      return;
    }
    const restarts = Math.min(MAX_RESTARTS, (running.get(pod.metadata.uid)?.restarts ?? 0) + 1);
    change(pod, { ready: false, restarts, waiting: { reason: 'CrashLoopBackOff', message: 'back-off restarting' } });
    later(pod, RETRY_MS, () => {
      crash(pod);
    });
  }

  /** Does nothing if the pod is gone. */
  function later(pod: WorldPod, ms: number, then: () => void): void {
    world.after(ms, () => {
      if (world.get('Pod', pod.metadata.name)?.metadata.uid === pod.metadata.uid) then();
    });
  }

  function change({ metadata }: WorldPod, next: Partial<Running> & { ready: boolean }): void {
    const before = running.get(metadata.uid);
    if (!before) return;
    const { startTime, restarts } = before;
    running.set(metadata.uid, { startTime, restarts, ...next });
    show(metadata.name);
  }

  function flip(pod: WorldPod, ready: boolean): void {
    if (running.has(pod.metadata.uid)) change(pod, { ready });
  }

  function show(name: string): void {
    const pod = world.get('Pod', name) as WorldPod | undefined;
    const state = pod && running.get(pod.metadata.uid);
    if (!pod || !state) return;
    const node = world.get('Node', pod.spec.nodeName ?? '');
    const ready = state.ready && node !== undefined && isNodeReady(node);
    const before = pod.status.conditions.find(({ type }) => type === 'Ready');
    const status = ready ? 'True' : 'False';
    const lastTransitionTime =
      before?.status === status ? before.lastTransitionTime : new Date(world.now()).toISOString();
    const { startTime, waiting, restarts } = state;
    report(pod, {
      startTime,
      phase: waiting ? 'Pending' : 'Running',
      conditions: [{ type: 'Ready', status, ...(lastTransitionTime !== undefined && { lastTransitionTime }) }],
      containerStatuses: pod.spec.containers.map(({ name: container, image }) => ({
        name: container,
        ready,
        restartCount: restarts,
        ...(!waiting && { imageID: image }),
        ...(waiting && { state: { waiting } }),
      })),
    });
  }

  function report(pod: WorldPod, status: PodStatus): void {
    if (JSON.stringify(pod.status) !== JSON.stringify(status)) world.put('cluster', { ...pod, status });
  }

  function behaviourOf(pod: WorldPod): Behaviour {
    return kubelet.behaviours.get(tagOf(imageOf(pod))) ?? 'good';
  }

  return kubelet;
}

/** The status of a pull pod: pulled, and unable to start. */
function ended({ spec }: WorldPod): PodStatus {
  const containerStatuses = spec.containers.map(({ name, image }) => ({
    name,
    ready: false,
    restartCount: 0,
    imageID: image,
  }));
  return { phase: 'Failed', conditions: [{ type: 'Ready', status: 'False' }], containerStatuses };
}

/** The node of a required affinity by name. */
function isMeantFor({ spec }: WorldPod, { metadata }: WorldObject): boolean {
  const terms = spec.affinity?.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms;
  return terms?.some(({ matchFields }) => matchFields.every(({ values }) => values.includes(metadata.name))) ?? true;
}

function imageOf({ spec }: WorldPod): string {
  return spec.containers[0]?.image ?? '';
}

function tagOf(image: string): string {
  return /:([^:@]+)@/.exec(image)?.[1] ?? '';
}

function isNodeReady({ status }: WorldObject): boolean {
  const { conditions } = status as PodStatus;
  return isReady({ status: { phase: '', conditions } } as WorldPod);
}
