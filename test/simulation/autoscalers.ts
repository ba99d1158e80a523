/** The HorizontalPodAutoscaler controller. There are no metrics: users set the number of pods that the load needs. */
import { AUTOSCALERS } from '../../src/controller/kinds/autoscalers.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import type { AutoscalerSpec } from '../../src/release/record/kube-objects.ts';
import type { ApiServer } from './api-server.ts';
import { deploymentSpec, poolOf } from './pods.ts';
import type { World, WorldObject } from './world.ts';

export interface AutoscalerController {
  /** Pool → the number of pods that its load needs. */
  loads: Map<string, number>;
  /** One step for one autoscaler. */
  sync: (name: string) => void;
}

export function autoscalerSpec(object: WorldObject): AutoscalerSpec {
  return object.spec as AutoscalerSpec;
}

/** The autoscalers that scale a Deployment. */
export function autoscalersOf(world: World, deployment: string): WorldObject[] {
  return world.list(AUTOSCALERS.kind).filter((object) => autoscalerSpec(object).scaleTargetRef.name === deployment);
}

export function createAutoscalerController(world: World, api: ApiServer): AutoscalerController {
  const loads = new Map<string, number>();

  function sync(name: string): void {
    const autoscaler = world.get(AUTOSCALERS.kind, name);
    if (!autoscaler) return;
    const { scaleTargetRef, minReplicas = 1, maxReplicas } = autoscalerSpec(autoscaler);
    const deployment = world.get('Deployment', scaleTargetRef.name);
    const replicas = deployment && deploymentSpec(deployment).replicas;
    // At zero the autoscaler is off.
    if (!deployment || !replicas) return;
    const load = loads.get(poolOf(autoscaler)) ?? replicas;
    const desiredReplicas = Math.min(maxReplicas, Math.max(minReplicas, load));
    if (desiredReplicas !== replicas) {
      const patch = { type: 'merge' as const, body: { spec: { replicas: desiredReplicas } } };
      api.patch({ ...DEPLOYMENTS, subresource: 'scale' }, scaleTargetRef.name, patch, {
        actor: 'cluster',
        manager: 'kube-controller-manager',
      });
    }
    if ((autoscaler.status as { desiredReplicas?: number } | undefined)?.desiredReplicas !== desiredReplicas)
      world.put('cluster', { ...autoscaler, status: { desiredReplicas } });
  }

  return { loads, sync };
}
