// The AppRelease of the end-to-end tests: three stages, a pool of VMs each.
import { pool, type PoolSpec, type Spec } from '../integration/release-objects.ts';
import type { World } from './world.ts';

export const POOLS = ['canary-vms', 'prod-a', 'prod-b'] as const;

/** The pools' Services, by pool. */
export const SERVICE_NAMES: Readonly<Record<(typeof POOLS)[number], string>> = {
  'canary-vms': 'web-canary-vms',
  'prod-a': 'web-prod-a',
  'prod-b': 'web-prod-b',
};

/** A release of an image of the app. */
export function webOf(image: string, version: string, changes: Partial<Spec> = {}): Spec {
  return {
    version,
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        // The tests wait for the end of every pod, and drains end before it begins.
        terminationGracePeriodSeconds: 5,
        containers: [
          {
            name: 'web',
            image,
            ports: [{ name: 'http', containerPort: 8080 }],
            readinessProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 1 },
          },
        ],
      },
    },
    stages: [
      { name: 'canary', soak: '2s', pools: [pool('canary-vms', 1)] },
      { name: 'first', soak: '1s', pools: [pool('prod-a', 2)] },
      { name: 'second', pools: [pool('prod-b', 2)] },
    ],
    service: { ports: [{ port: 80, targetPort: 'http' }] },
    rollback: { warmFor: '5m', drain: '3s' },
    progressDeadlineSeconds: 60,
    ...changes,
  };
}

export async function web(world: World, version: string, changes: Partial<Spec> = {}): Promise<Spec> {
  return webOf(await world.image(version), version, changes);
}

/** The same with pods that may be evicted: they serve until they get no traffic any more. */
export async function evictable(world: World, version: string, changes: Partial<Spec> = {}): Promise<Spec> {
  const spec = await web(world, version, changes);
  spec.template.spec['terminationGracePeriodSeconds'] = 10;
  const [container] = spec.template.spec.containers;
  if (container) container['lifecycle'] = { preStop: { sleep: { seconds: 5 } } };
  return spec;
}

/** Changes for a release with one stage and one pool. */
export function onePool(own: PoolSpec = pool('prod-a', 2)): Pick<Spec, 'stages'> {
  return { stages: [{ name: 'production', pools: [own] }] };
}

/** Names of the Deployments, separated by spaces. */
export function deploymentsOf(world: World): Promise<string> {
  return world.kubectl('get', 'deployments', '--output=jsonpath={.items[*].metadata.name}');
}
