/** The Deployment controller, without ReplicaSets: a hash of the template on the pods replaces them. */
import { shortHash } from '../../src/lib/canonical-json.ts';
import { endPod } from './api-server.ts';
import type { WorldPod } from './pods.ts';
import {
  deploymentSpec,
  isLeaving,
  isReady,
  allPods,
  readySince,
  rollingBounds,
  serves,
  TEMPLATE_HASH,
} from './pods.ts';
import type { World, WorldObject } from './world.ts';

export interface DeploymentController {
  /** One step for one Deployment. */
  sync: (name: string) => void;
}

interface Parts {
  deployment: WorldObject;
  hash: string;
  current: WorldPod[];
  old: WorldPod[];
}

export function createDeploymentController(world: World, wake: (name: string) => void): DeploymentController {
  let pods = 0;
  const hashes = new WeakMap<object, string>();

  function hashOf(deployment: WorldObject): string {
    const { template } = deploymentSpec(deployment);
    const known = hashes.get(template) ?? shortHash(template);
    hashes.set(template, known);
    return known;
  }

  function sync(name: string): void {
    const deployment = world.get('Deployment', name);
    if (!deployment) return;
    const hash = hashOf(deployment);
    const own = allPods(world).filter(
      (pod) => !isLeaving(pod) && pod.metadata.ownerReferences?.[0]?.uid === deployment.metadata.uid,
    );
    const parts = {
      deployment,
      hash,
      current: own.filter((pod) => pod.metadata.labels?.[TEMPLATE_HASH] === hash),
      old: own.filter((pod) => pod.metadata.labels?.[TEMPLATE_HASH] !== hash),
    };
    if (deploymentSpec(deployment).paused !== true) scale(parts);
    report(deployment);
  }

  function scale({ deployment, hash, current, old }: Parts): void {
    const spec = deploymentSpec(deployment);
    const { replicas } = spec;
    const [surge, missing] = old.length > 0 ? rollingBounds(spec) : [0, 0];
    const room = replicas + surge - current.length - old.length;
    for (let count = Math.min(replicas - current.length, room); count > 0; count -= 1) start(deployment, hash);
    if (current.length > replicas) end(deployment, current, current.length - replicas);
    if (old.length === 0) return;
    const needed = replicas - missing;
    const kept = Math.min(current.length, replicas);
    const lame = current.filter((pod) => !isAvailable(spec, pod)).length;
    const unready = old.filter((pod) => !isAvailable(spec, pod));
    const mayClean = Math.max(0, kept + old.length - needed - lame);
    const cleaned = unready.slice(0, mayClean);
    for (const pod of cleaned) endPod(world, 'cluster', pod);
    const left = old.filter((pod) => !cleaned.includes(pod));
    const available = [...current, ...left].filter((pod) => isAvailable(spec, pod)).length;
    end(
      deployment,
      left.filter((pod) => isAvailable(spec, pod)),
      Math.max(0, available - needed),
    );
  }

  function start(deployment: WorldObject, hash: string): void {
    const { template } = deploymentSpec(deployment);
    const { name, uid } = deployment.metadata;
    pods += 1;
    world.put('cluster', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `${name}-${hash.slice(0, 4)}-${pods}`,
        labels: { ...template.metadata?.labels, [TEMPLATE_HASH]: hash },
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name, uid, controller: true }],
      },
      spec: template.spec,
      status: { phase: 'Pending', conditions: [] },
    });
  }

  /** Pods that are not ready go first, then the newest. */
  function end(deployment: WorldObject, pods: WorldPod[], count: number): void {
    const order = pods.toSorted((a, b) => Number(isReady(a)) - Number(isReady(b)) || rank(b) - rank(a));
    for (const pod of order.slice(0, count)) endPod(world, `cluster for ${deployment.metadata.name}`, pod);
  }

  function report(seen: WorldObject): void {
    const deployment = world.get('Deployment', seen.metadata.name);
    if (!deployment) return;
    const spec = deploymentSpec(deployment);
    const own = allPods(world).filter(
      (pod) => !isLeaving(pod) && pod.metadata.ownerReferences?.[0]?.uid === deployment.metadata.uid,
    );
    const hash = hashOf(deployment);
    const counts = {
      observedGeneration: deployment.metadata.generation,
      replicas: own.length,
      updatedReplicas: own.filter((pod) => pod.metadata.labels?.[TEMPLATE_HASH] === hash).length,
      readyReplicas: own.filter(serves).length,
      availableReplicas: own.filter((pod) => isAvailable(spec, pod)).length,
    };
    const before = deployment.status as (typeof counts & { conditions: { lastUpdateTime: string }[] }) | undefined;
    const moved =
      counts.updatedReplicas > (before?.updatedReplicas ?? 0) || counts.readyReplicas > (before?.readyReplicas ?? 0);
    const lastUpdateTime = moved || !before ? world.timestamp() : (before.conditions[0]?.lastUpdateTime ?? '');
    const conditions = [{ type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated', lastUpdateTime }];
    const status = { ...counts, conditions };
    if (JSON.stringify(status) !== JSON.stringify(before)) world.put('cluster', { ...deployment, status });
    for (const pod of own) {
      const due = readySince(pod) + (spec.minReadySeconds ?? 0) * 1000 - world.now();
      if (isReady(pod) && due > 0)
        world.after(due, () => {
          wake(seen.metadata.name);
        });
    }
  }

  function isAvailable({ minReadySeconds = 0 }: { minReadySeconds?: number }, pod: WorldPod): boolean {
    return serves(pod) && readySince(pod) + minReadySeconds * 1000 <= world.now();
  }

  return { sync };
}

/** The number at the end of a pod's name; newer pods have higher numbers. */
function rank({ metadata }: WorldPod): number {
  return Number(metadata.name.split('-').at(-1));
}
