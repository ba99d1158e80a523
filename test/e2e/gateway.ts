// Releases behind a real gateway: their route, and clients that ask the gateway from inside the cluster.
import { LABEL } from '../../src/api/meta.ts';
import { HTTP_ROUTES } from '../../src/controller/kinds/routes.ts';
import type { Spec } from '../integration/release-objects.ts';
import { prepareEngine } from '../kind/engine.ts';
import { installGateway, type Gateway } from '../kind/traefik.ts';
import { askAt, type Asker } from './asker.ts';
import { api, e2e, test as base, type World } from './world.ts';

interface Fixtures {
  gateway: Gateway;
}

export const test = base.extend<Fixtures>({
  gateway: [
    // eslint-disable-next-line no-empty-pattern -- vitest requires this form
    async ({}, use) => {
      const cluster = { ...e2e.cluster, engine: await prepareEngine() };
      const gateway = await installGateway({ cluster, kubectl: e2e.kubectl });
      await use(gateway);
      await gateway.remove();
    },
    { scope: 'file' },
  ],
});

/** Weights of pools, or of Services, by name. */
export type Weights = Readonly<Record<string, number>>;

/** The release with a route for a host name of its own, and the weights of its pools. The answers of its pods name their pool. */
export function routed(world: World, { parentRef }: Gateway, spec: Spec, weights: Weights): Spec {
  const { template } = spec;
  const env = [{ name: 'POOL', valueFrom: { fieldRef: { fieldPath: `metadata.labels['${LABEL.pool}']` } } }];
  return {
    ...spec,
    template: {
      ...template,
      spec: { ...template.spec, containers: template.spec.containers.map((container) => ({ ...container, env })) },
    },
    stages: spec.stages.map((stage) => ({
      ...stage,
      pools: stage.pools.map((pool) => ({ ...pool, weight: weights[pool.name] ?? 0 })),
    })),
    // Above Traefik's throttle, and short, because the tests wait until old pods have ended.
    route: { parentRefs: [parentRef], hostnames: [hostOf(world)], settle: '3s' },
  };
}

function hostOf({ namespace }: World): string {
  return `${namespace}.example.com`;
}

/** Starts requests to the release through the gateway; returns when one was answered. `flags` are those of the app's `ask`. */
export function askGateway(world: World, { address }: Gateway, flags: readonly string[] = []): Promise<Asker> {
  return askAt(world, { gateway: address }, [`--host=${hostOf(world)}`, ...flags]);
}

export function readRoute({ namespace }: World) {
  return api.get(HTTP_ROUTES, { namespace, name: 'web' });
}

/** The weights of the Services in the route. */
export async function weightsOf(world: World): Promise<Weights> {
  const backends = (await readRoute(world)).spec?.rules?.[0]?.backendRefs ?? [];
  return Object.fromEntries(backends.map(({ name, weight = 1 }) => [name, weight]));
}

/** What the status says of the traffic of each pool. */
export async function percents(world: World): Promise<Readonly<Record<string, string | undefined>>> {
  const { pools = [] } = await world.status();
  return Object.fromEntries(pools.map(({ name, traffic }) => [name, traffic?.percent]));
}
