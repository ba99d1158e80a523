/** Pods with the fields that the simulated controllers use. */
import { intOrPercentOf } from '../../src/release/record/quantity.ts';
import type { DeploymentSpec } from '../../src/release/record/kube-objects.ts';
import { LABEL } from '../../src/api/meta.ts';
import type { World, WorldObject } from './world.ts';

export interface PodStatus {
  phase: string;
  startTime?: string;
  conditions: { type: string; status: string; reason?: string; message?: string; lastTransitionTime?: string }[];
  containerStatuses?: {
    name: string;
    ready: boolean;
    restartCount: number;
    imageID?: string;
    state?: { waiting?: { reason: string; message?: string } };
  }[];
}

export interface PodSpec {
  nodeName?: string;
  nodeSelector?: Record<string, string>;
  affinity?: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: { matchFields: { values: string[] }[] }[] };
    };
  };
  containers: { name: string; image: string }[];
}

export type WorldPod = WorldObject & { spec: PodSpec; status: PodStatus };

export const TEMPLATE_HASH = 'pod-template-hash';

export function allPods(world: World): WorldPod[] {
  return world.list('Pod') as WorldPod[];
}

export function isLeaving({ metadata }: WorldObject): boolean {
  return metadata.deletionTimestamp !== undefined;
}

/** Ready and not terminating: a Service sends traffic to the pod. */
export function serves(pod: WorldPod): boolean {
  return !isLeaving(pod) && isReady(pod);
}

export function isReady({ status }: WorldPod): boolean {
  return status.conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True');
}

export function readySince({ status }: WorldPod): number {
  return Date.parse(status.conditions.find(({ type }) => type === 'Ready')?.lastTransitionTime ?? '');
}

export function matches(pod: Pick<WorldObject, 'metadata'>, selector: Record<string, string> | undefined): boolean {
  const entries = Object.entries(selector ?? {});
  return entries.length > 0 && entries.every(([key, value]) => pod.metadata.labels?.[key] === value);
}

export function deploymentSpec(object: WorldObject): DeploymentSpec & { replicas: number } {
  return object.spec as DeploymentSpec & { replicas: number };
}

export function poolOf(object: WorldObject): string {
  return object.metadata.labels?.[LABEL.pool] ?? '';
}

/** Surge and unavailable pods of a rolling update, rounded as in a Deployment. */
export function rollingBounds({ strategy, replicas }: DeploymentSpec & { replicas: number }): [number, number] {
  const { maxSurge = '25%', maxUnavailable = '25%' } = strategy?.rollingUpdate ?? {};
  const surge = intOrPercentOf(maxSurge, replicas);
  const percent = typeof maxUnavailable === 'string' ? /^(\d+)%$/.exec(maxUnavailable)?.[1] : undefined;
  const missing = percent === undefined ? Number(maxUnavailable) : Math.floor((Number(percent) * replicas) / 100);
  return [surge, surge === 0 && missing === 0 ? 1 : missing];
}
