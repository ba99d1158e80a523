// The demo's view of the cluster: copies from watches of the API server, independent of the operator.
import { KubeConfig } from '@kubernetes/client-node';
import { findCondition } from '../../src/api/conditions.ts';
import { LABEL } from '../../src/api/meta.ts';
import type { AppRelease } from '../../src/api/app-release.ts';
import type { ReleasePromotion } from '../../src/api/release-promotion.ts';
import type { ReleaseRollback } from '../../src/api/release-rollback.ts';
import {
  APP_RELEASES,
  toCachedPromotion,
  toCachedRelease,
  toCachedRollback,
  PROMOTIONS,
  ROLLBACKS,
} from '../../src/controller/kinds/api-kinds.ts';
import { ENDPOINT_SLICES, toCachedSlice } from '../../src/controller/kinds/endpoint-slices.ts';
import { toCachedPod, PODS } from '../../src/controller/kinds/pods.ts';
import { toCachedService, SERVICES } from '../../src/controller/kinds/services.ts';
import { createClient } from '../../src/kube/client.ts';
import { createReflector } from '../../src/kube/reflector.ts';
import type { Stored } from '../../src/kube/store.ts';
import type { KubeObject, Live, Resource } from '../../src/kube/types.ts';
import type { EndpointSlice, Pod, Service } from '../../src/release/record/kube-objects.ts';

/** The current objects of one namespace. */
export interface World {
  readonly release: () => AppRelease | undefined;
  readonly services: () => readonly Service[];
  readonly pods: () => readonly Pod[];
  readonly slices: () => readonly EndpointSlice[];
  readonly rollbacks: () => readonly ReleaseRollback[];
  readonly promotions: () => readonly ReleasePromotion[];
  /** Called after each change. */
  readonly onChange: (listener: () => void) => void;
  /**
   * Waits until the condition holds, and checks it at each change.
   * @returns performance.now() of the change that made it hold
   * @throws Error with the missing result, after the timeout or when `signal` aborts
   */
  readonly until: (what: string, condition: (world: World) => boolean, timeoutSeconds?: number) => Promise<number>;
  readonly stop: () => Promise<void>;
}

export interface Watched {
  readonly namespace: string;
  readonly name: string;
  readonly signal: AbortSignal;
  /** The default timeout. */
  readonly patienceSeconds: number;
}

/** Watches the AppRelease of this name and everything that belongs to releases in its namespace. */
export async function watchWorld(
  kubeconfigPath: string,
  { namespace, name, signal, patienceSeconds }: Watched,
): Promise<World> {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(kubeconfigPath);
  const client = createClient(kubeConfig, { userAgent: 'demo' });
  const listeners = new Set<() => void>();
  const stops: (() => Promise<void>)[] = [];
  const syncs: Promise<void>[] = [];

  function follow<T extends KubeObject, S extends Stored>(
    resource: Resource<T>,
    transform: (object: Live<T>) => S,
    labelSelector?: string,
  ): () => readonly S[] {
    const selection = { namespace, ...(labelSelector !== undefined && { labelSelector }) };
    const reflector = createReflector({ client, resource, transform, ...selection });
    reflector.onChange(() => {
      for (const listener of listeners) listener();
    });
    reflector.start();
    syncs.push(reflector.synced);
    stops.push(reflector.stop);
    return reflector.store.list;
  }

  const releases = follow(APP_RELEASES, toCachedRelease);
  const world: World = {
    release: () => releases().find(({ metadata }) => metadata.name === name),
    services: follow(SERVICES, toCachedService, LABEL.release),
    pods: follow(PODS, toCachedPod, LABEL.release),
    slices: follow(ENDPOINT_SLICES, toCachedSlice),
    rollbacks: follow(ROLLBACKS, toCachedRollback),
    promotions: follow(PROMOTIONS, toCachedPromotion),
    onChange: (listener) => void listeners.add(listener),
    until: (what, condition, timeoutSeconds = patienceSeconds) =>
      new Promise((resolve, reject) => {
        const end = () => {
          listeners.delete(check);
          clearTimeout(timer);
          signal.removeEventListener('abort', abort);
        };
        const check = () => {
          if (!condition(world)) return;
          end();
          resolve(performance.now());
        };
        const fail = (problem: string) => {
          end();
          reject(new Error(`${problem}: ${what}\n${describe(world.release())}`));
        };
        const abort = () => {
          fail('interrupted');
        };
        const timer = setTimeout(fail, timeoutSeconds * 1000, `not within ${timeoutSeconds} s`);
        signal.addEventListener('abort', abort);
        listeners.add(check);
        check();
      }),
    stop: async () => {
      await Promise.all(stops.map((stop) => stop()));
      await client.close();
    },
  };
  await Promise.all(syncs);
  return world;
}

/** The state of the release, in one sentence. */
export function stateOf(release: AppRelease | undefined): string {
  const ready = findCondition(release?.status?.conditions, 'Ready');
  if (ready === undefined) return 'The operator has not seen the release yet';
  return `${ready.reason}: ${ready.message}`;
}

function describe(release: AppRelease | undefined): string {
  const lines = (release?.status?.conditions ?? []).map(
    ({ type, status, reason, message }) => `  ${type}=${status} ${reason}: ${message}`,
  );
  return ['Conditions of the release:', ...lines].join('\n');
}

/** Whether the newest spec serves in every pool. */
export function isReleased(version: string) {
  return ({ release }: World): boolean => {
    const { metadata, status } = release() ?? {};
    const ready = findCondition(status?.conditions, 'Ready');
    return status?.version === version && ready?.status === 'True' && ready.observedGeneration === metadata?.generation;
  };
}

/** Whether the Services of these pools select pods of this version, and only those. */
export function servicesSelect(version: string, pools: readonly string[]) {
  return (world: World): boolean =>
    pools.every((pool) => {
      const service = serviceOf(world, pool);
      const track = service?.spec.selector?.[LABEL.track];
      const selected = world.pods().filter(({ metadata }) => metadata.labels?.[LABEL.track] === track);
      return track !== undefined && selected.length > 0 && selected.every((pod) => versionOf(world, pod) === version);
    });
}

/** Whether the EndpointSlices of these pools' Services name ready pods of this version, and no pod of another. */
export function slicesShow(version: string, pools: readonly string[]) {
  return (world: World): boolean =>
    pools.every((pool) => {
      const name = serviceOf(world, pool)?.metadata.name;
      const endpoints = world.slices().flatMap(({ service, endpoints }) => (service === name ? endpoints : []));
      const pods = new Map(world.pods().map((candidate) => [candidate.metadata.name, candidate]));
      return (
        endpoints.some(({ ready }) => ready) &&
        endpoints.every((endpoint) => versionOf(world, pods.get(endpoint.pod ?? '')) === version)
      );
    });
}

function serviceOf(world: World, pool: string): Service | undefined {
  const name = world.release()?.status?.pools?.find((candidate) => candidate.name === pool)?.service;
  return world.services().find(({ metadata }) => metadata.name === name);
}

/** The version of the revision that a pod belongs to. */
export function versionOf(world: World, pod: Pod | undefined): string | undefined {
  const number = Number(pod?.metadata.labels?.[LABEL.revision]);
  return world.release()?.status?.history?.find(({ revision }) => revision === number)?.version;
}
