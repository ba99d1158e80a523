// Releases behind a real gateway: their route, and clients that ask the gateway from inside the cluster.
import { isDeepStrictEqual } from 'node:util';
import { afterAll } from 'vitest';
import { LABEL } from '../../src/api/meta.ts';
import { HTTP_ROUTES } from '../../src/controller/kinds/routes.ts';
import type { Spec } from '../integration/release-objects.ts';
import { prepareEngine } from '../kind/engine.ts';
import { installGateway, THROTTLE_MS, type Gateway } from '../kind/traefik.ts';
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

/** The same with a second client, `testers`, whose requests have a header, such as `x-release: next`. */
export function askWithTesters(
  world: World,
  { address }: Gateway,
  header: string,
  flags: readonly string[] = [],
): Promise<Asker> {
  const own = [`--host=${hostOf(world)}`, `--header=testers=${header}`];
  return askAt(world, { gateway: address, testers: address }, [...own, ...flags]);
}

export function readRoute({ namespace }: World) {
  return api.get(HTTP_ROUTES, { namespace, name: 'web' });
}

/** Whether the gateway has accepted the route as it is. */
export async function isAccepted(world: World): Promise<boolean> {
  const { metadata, status } = await readRoute(world);
  const conditions = (status?.parents ?? []).flatMap((parent) => parent.conditions ?? []);
  return (
    conditions.length > 0 &&
    conditions.every((one) => one.status === 'True' && one.observedGeneration === metadata.generation)
  );
}

/** The weights of the Services in the route, for requests without the headers of a stage's match. */
export async function weightsOf(world: World): Promise<Weights> {
  const backends = (await readRoute(world)).spec?.rules?.at(-1)?.backendRefs ?? [];
  return Object.fromEntries(backends.map(({ name, weight = 1 }) => [name, weight]));
}

/** What events say of exposures whose time started again. */
export function restarts({ kubectl }: World): Promise<string> {
  return kubectl('get', 'events', '--field-selector=reason=ExposureRestarted', '--output=jsonpath={.items[*].message}');
}

/** What the status says of the traffic of each pool. */
async function percents(world: World): Promise<Readonly<Record<string, string | undefined>>> {
  const { pools = [] } = await world.status();
  return Object.fromEntries(pools.map(({ name, traffic }) => [name, traffic?.percent]));
}

/** Waits until the gateway has accepted the route of the newest spec, with the weights of all pools. */
export async function isRouted(world: World, version: string, weights: Weights): Promise<void> {
  await world.released(version);
  await hasPercents(world, weights);
  await world.conditionIs('TrafficRouted', 'True', 'Accepted');
}

/** Waits for the shares of the pools in the status. A pool whose first pods are ready gets its share 10 s later. */
export async function hasPercents(world: World, weights: Weights): Promise<void> {
  const whole = wholeOf(weights);
  const expected = Object.fromEntries(
    Object.entries(weights).map(([name, weight]) => [name, `${(100 * weight) / whole}%`]),
  );
  await world.until(`the shares ${JSON.stringify(expected)}`, async () =>
    isDeepStrictEqual(await percents(world), expected),
  );
}

export function wholeOf(weights: Weights): number {
  return Object.values(weights).reduce((sum, weight) => sum + weight, 0);
}

/** The largest distance of a count from what is expected: four standard errors. */
export function tolerance(count: number, share: number): number {
  return 4 * Math.sqrt(count * share * (1 - share));
}

/** Requests that are enough to tell the shares of the tests apart. */
export const ENOUGH = 2_000;

/** For a gateway to follow a change of the route, on a busy machine. */
export const LAG_MS = THROTTLE_MS + 3_000;

/** Returns what notes a measurement of the file; they are printed after its tests. */
export function measurements(title: string): (what: string, ...values: (string | number)[]) => void {
  const measured: string[] = [];
  afterAll(() => {
    console.log([title, ...measured].join('\n'));
  });
  return (what, ...values) => {
    measured.push(`  ${what.padEnd(82)} ${values.map((value) => String(value).padStart(7)).join(' ')}`);
  };
}
