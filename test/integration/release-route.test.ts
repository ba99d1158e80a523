// A release with a route, on a real API server with the CRDs of the Gateway API; the test answers as a Gateway would.
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { parse } from 'yaml';
import { findCondition } from '../../src/api/conditions.ts';
import { ANNOTATION, API_VERSION } from '../../src/api/meta.ts';
import { APP_RELEASES, VM_POOLS } from '../../src/controller/kinds/api-kinds.ts';
import { GRPC_ROUTES, HTTP_ROUTES } from '../../src/controller/kinds/routes.ts';
import { installGatewayApi, removeGatewayApi } from '../cluster/gateway-api.ts';
import { answer, GATEWAY, ROUTE } from './answering.ts';
import type { World } from './harness.ts';
import { admin, cluster, test } from './harness.ts';
import { commandsOf, createRun, readPage } from './page.ts';
import type { PoolSpec, Spec } from './release-objects.ts';
import { pool, release } from './release-objects.ts';

// The control plane serves other files after this one.
afterAll(() => removeGatewayApi(cluster.kubectl));

/** Two pools of one stage behind a route. */
function routed(
  image: string,
  route: NonNullable<Spec['route']> = ROUTE,
  of: [a: Partial<PoolSpec>, b: Partial<PoolSpec>] = [{}, {}],
) {
  const [a, b] = of;
  const pools = [pool('prod-a', 1, a), pool('prod-b', 1, b)];
  return release(image, { route, stages: [{ name: 'production', pools }] });
}

function routeIs({ namespace, until }: World, expected: object, name = 'web') {
  return until(async () => {
    const route = await admin.get(HTTP_ROUTES, { namespace, name });
    expect(route).toMatchObject(expected);
    return route;
  });
}

/** The spec with these weights in its first rule. */
function weights(first: number, second: number): object {
  const backendRefs = [
    { name: 'web-prod-a', port: 80, weight: first },
    { name: 'web-prod-b', port: 80, weight: second },
  ];
  return { spec: { rules: [{ backendRefs }] } };
}

function routeWrites({ operator }: World, from = 0): string[] {
  return operator.writes.slice(from).flatMap(({ verb, resource }) => (resource === 'httproutes' ? [verb] : []));
}

test('a cluster without the Gateway API gets the release, and the route once the CRDs are there', async ({ world }) => {
  await world.apply(routed(await world.image('1.0')));
  const { message } = await world.stalled('GatewayAPIMissing');
  expect(message).toContain('install the CRDs of the Gateway API');
  await world.poolIs('prod-a', { revision: 1, readyReplicas: 1 });
  await world.poolIs('prod-b', { revision: 1, readyReplicas: 1 });
  expect(await world.condition('Available')).toMatchObject({ status: 'True' });
  // A rollback of such a release is answered too.
  await world.apply(routed(await world.image('2.0')));
  await world.poolIs('prod-a', { revision: 2 });
  await world.poolIs('prod-b', { revision: 2 });
  await world.rollback('back');
  await world.rollbackIs('back', 'Complete', 'True');
  await installGatewayApi(cluster.kubectl);
  await routeIs(world, weights(1, 1));
  await world.conditionIs('TrafficRouted', { status: 'False', reason: 'WaitingForGateway' });
}, 120_000);

describe.concurrent('a route', () => {
  beforeAll(() => installGatewayApi(cluster.kubectl));

  test('has the weights of the spec, and the condition of its Gateway', async ({ world }) => {
    await world.apply(routed(await world.image('1.0'), ROUTE, [{ weight: 5 }, { weight: 95 }]));
    await world.released('1.0');
    await routeIs(world, weights(5, 95));
    await world.conditionIs('TrafficRouted', { status: 'False', reason: 'WaitingForGateway' });
    await answer(world, 'web', { reason: 'NotAllowedByListeners', message: 'no listener allows it' });
    const refused = await world.conditionIs('TrafficRouted', { status: 'False', reason: 'NotAccepted' });
    expect(refused.message).toContain(
      'Gateway gateways/public says Accepted=False (NotAllowedByListeners): no listener allows it',
    );
    await answer(world);
    await world.conditionIs('TrafficRouted', { status: 'True', reason: 'Accepted' });
    await world.poolIs('prod-a', { traffic: { percent: '5%', weight: 5 } });
    // A change of the spec is a change of the route, which the Gateway has to accept again.
    await world.apply(routed(await world.image('1.0'), ROUTE, [{ weight: 50 }, { weight: 50 }]));
    await routeIs(world, weights(50, 50));
    await world.conditionIs('TrafficRouted', { status: 'False', reason: 'WaitingForGateway' });
  });

  test('is not written by versions, rollbacks, or a restart of the operator', async ({ world }) => {
    await world.apply(routed(await world.image('1.0')));
    await world.released('1.0');
    await routeIs(world, weights(1, 1));
    const { length } = world.operator.writes;
    await world.apply(routed(await world.image('2.0')));
    await world.released('2.0');
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    await world.operator.restart();
    await world.apply(routed(await world.image('3.0')));
    await world.released('3.0');
    expect(routeWrites(world, length)).toEqual([]);
  });

  test('leads past a pool without a ready pod, and back after 10 s', async ({ world }) => {
    await world.apply(routed(await world.image('1.0'), ROUTE, [{ weight: 20 }, { weight: 80 }]));
    await world.released('1.0');
    await routeIs(world, weights(20, 80));
    await world.behave(1, 'unready', 'prod-a');
    await routeIs(world, weights(0, 80));
    await world.poolIs('prod-a', {
      traffic: { percent: '0%', weight: 0, message: expect.stringContaining('no pod is ready') as string },
    });
    await world.behave(1, 'ready', 'prod-a');
    await world.poolIs('prod-a', {
      readyReplicas: 1,
      traffic: { message: expect.stringContaining('less than 10 s') as string },
    });
    await routeIs(world, weights(20, 80));
  });

  test('of fields that the API server does not know is refused with the path, and the release goes on', async ({
    world,
  }) => {
    await world.apply(routed(await world.image('1.0')));
    await world.released('1.0');
    await routeIs(world, weights(1, 1));
    const rules = [{ sessionPersistence: { sessionName: 'shop' } }];
    await world.apply(routed(await world.image('2.0'), { ...ROUTE, rules }));
    const { message } = await world.stalled('RouteRejected');
    expect(message).toContain('spec.rules[0].sessionPersistence');
    await world.poolIs('prod-a', { revision: 2 });
    await routeIs(world, weights(1, 1));
    await world.apply(routed(await world.image('2.0'), { ...ROUTE, rules: [{ timeouts: { request: '5s' } }] }));
    await world.released('2.0');
    await routeIs(world, { spec: { rules: [{ timeouts: { request: '5s' } }] } });
  });

  test('that somebody edits or deletes is put back', async ({ world }) => {
    await world.apply(routed(await world.image('1.0'), ROUTE, [{ weight: 5 }, { weight: 95 }]));
    await world.released('1.0');
    await routeIs(world, weights(5, 95));
    await world.merge(HTTP_ROUTES, 'web', { spec: { hostnames: ['other.example.com'] } });
    await routeIs(world, { spec: { hostnames: ['shop.example.com'] } });
    await world.merge(HTTP_ROUTES, 'web', { ...weights(100, 0) });
    await routeIs(world, weights(5, 95));
    await world.remove(HTTP_ROUTES, 'web');
    await routeIs(world, weights(5, 95));
  });

  test('of somebody else is left alone', async ({ world }) => {
    const theirs = {
      apiVersion: HTTP_ROUTES.apiVersion,
      kind: 'HTTPRoute',
      metadata: { name: 'web' },
      spec: { hostnames: ['theirs.example.com'] },
    };
    await world.applyAs('git', HTTP_ROUTES, theirs);
    const before = await routeIs(world, {});
    await world.apply(routed(await world.image('1.0')));
    const { message } = await world.stalled('NameTaken');
    expect(message).toContain(
      'HTTPRoute web belongs to somebody else: remove it, or give the route another name in spec.route.name',
    );
    await world.poolIs('prod-a', { revision: 1, readyReplicas: 1 });
    expect((await routeIs(world, {})).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    await world.apply(routed(await world.image('1.0'), { ...ROUTE, name: 'shop' }));
    await world.released('1.0');
    await routeIs(world, weights(1, 1), 'shop');
  });

  test('stays under its former name until the new one is accepted', async ({ world }) => {
    await world.apply(routed(await world.image('1.0')));
    await world.released('1.0');
    await routeIs(world, weights(1, 1));
    await world.apply(routed(await world.image('1.0'), { ...ROUTE, name: 'shop', settle: '2s' }));
    await routeIs(world, weights(1, 1), 'shop');
    await world.until(async () => {
      expect((await world.condition('TrafficRouted')).message).toContain(
        'HTTPRoute shop: Gateway gateways/public has not answered',
      );
    });
    await routeIs(world, weights(1, 1));
    await answer(world, 'shop');
    await world.until(async () => {
      expect((await world.list(HTTP_ROUTES)).map(({ metadata }) => metadata.name)).toEqual(['shop']);
    });
    await world.conditionIs('TrafficRouted', {
      status: 'True',
      reason: 'Accepted',
      message: 'every Gateway has accepted HTTPRoute shop',
    });
  });

  test('stays if it is taken from the spec, until an annotation removes it', async ({ world }) => {
    await world.apply(routed(await world.image('1.0')));
    await world.released('1.0');
    await routeIs(world, weights(1, 1));
    const { route: _route, ...spec } = routed(await world.image('2.0'));
    await world.apply(spec);
    await world.released('2.0');
    await world.conditionIs('TrafficRouted', {
      status: 'True',
      reason: 'RouteStays',
      message: expect.stringContaining('serves shop.example.com at Gateway gateways/public') as string,
    });
    await routeIs(world, weights(1, 1));
    await world.merge(APP_RELEASES, 'web', { metadata: { annotations: { [ANNOTATION.routeRemoval]: 'force' } } });
    await world.until(async () => {
      expect(await world.list(HTTP_ROUTES)).toEqual([]);
      expect((await world.status()).conditions?.map(({ type }) => type)).not.toContain('TrafficRouted');
    });
  });

  test('may be a GRPCRoute', async ({ world }) => {
    await world.apply(
      routed(await world.image('1.0'), {
        kind: 'GRPCRoute',
        parentRefs: [GATEWAY],
        rules: [{ matches: [{ method: { service: 'shop.Cart' } }] }],
      }),
    );
    await world.released('1.0');
    await world.until(async () => {
      const route = await admin.get(GRPC_ROUTES, { namespace: world.namespace, name: 'web' });
      expect(route).toMatchObject({
        spec: {
          rules: [
            {
              matches: [{ method: { service: 'shop.Cart' } }],
              backendRefs: [{ name: 'web-prod-a', weight: 1 }, { name: 'web-prod-b' }],
            },
          ],
        },
      });
    });
  });

  test('works with the example and the commands in docs/traffic.md', async ({ world }) => {
    const page = await readPage('traffic.md');
    const [, text = ''] = /^```yaml\n(apiVersion.*?)^```$/ms.exec(page) ?? [];
    const { spec } = parse(text) as { spec: Spec };
    // Use the test's registry and VMs.
    Object.assign(spec.template.spec.containers[0] ?? {}, { image: await world.image('1.0.0') });
    for (const stage of spec.stages) {
      if (stage.soak !== undefined) stage.soak = '1s';
      stage.pools = stage.pools.map(({ name, replicas = 1, weight }) =>
        pool(name, replicas, { ...(weight !== undefined && { weight }) }),
      );
    }
    await world.apply(spec);
    await world.released('1.0.0');
    const [shares = ''] = commandsOf(page, 'A route over three pools');
    const [removal = ''] = commandsOf(page, 'Moving in and out');
    const shell = createRun(cluster.dir, [dirname(cluster.binaries.kubectl)], { KUBECONFIG: cluster.kubeconfigPath });
    const run = (script: string) => shell(script.replaceAll('--namespace shop', `--namespace ${world.namespace}`));
    await routeIs(world, { spec: { rules: [{ backendRefs: [{ weight: 5 }, { weight: 50 }, { weight: 45 }] }] } });
    await answer(world);
    expect(await run(shares)).toMatch(/shop\.example\.com.*canary-vms: 5%\nprod-a: 50%\nprod-b: 45%/s);
    const { route: _route, ...without } = spec;
    await world.apply(without);
    await world.conditionIs('TrafficRouted', { reason: 'RouteStays' });
    await run(removal);
    await world.until(async () => {
      expect(await world.list(HTTP_ROUTES)).toEqual([]);
    });
  });

  test('goes with its AppRelease', async ({ world }) => {
    await world.apply(routed(await world.image('1.0')));
    await routeIs(world, weights(1, 1));
    await world.remove(APP_RELEASES, 'web');
    await world.until(async () => {
      expect(await world.list(HTTP_ROUTES)).toEqual([]);
    });
  });
});

describe.concurrent('the API server refuses', () => {
  const two = {
    ports: [
      { name: 'http', port: 80 },
      { name: 'admin', port: 8080 },
    ],
  };
  test.for<[string, Partial<Spec>, RegExp]>([
    [
      'backendRefs in a rule',
      { route: { ...ROUTE, rules: [{ backendRefs: [{ name: 'other', port: 80 }] }] } },
      /spec\.route\.rules\[0\].*leave backendRefs out/,
    ],
    [
      'a redirect',
      { route: { ...ROUTE, rules: [{ filters: [{ type: 'RequestRedirect' }] }] } },
      /spec\.route\.rules\[0\].*cannot redirect/,
    ],
    ['a mesh', { route: { parentRefs: [{ kind: 'Service', name: 'web' }] } }, /spec\.route\.parentRefs\[0\].*mesh/],
    ['a route without a Gateway', { route: { parentRefs: [] } }, /spec\.route\.parentRefs.*at least 1/],
    [
      'a route without a Service',
      { route: ROUTE, service: undefined, strategy: { type: 'RollingUpdate' } },
      /spec\.route leads to Services: set spec\.service/,
    ],
    [
      'a port that the Service does not have',
      { route: { ...ROUTE, rules: [{ port: 'web' }] }, service: two },
      /must be the name of a port in spec\.service\.ports/,
    ],
    ['a rule without one of several ports', { route: ROUTE, service: two }, /give each rule of spec\.route a port/],
    [
      'a weight for one pool of two',
      { route: ROUTE, stages: [{ name: 's', pools: [pool('prod-a', 1, { weight: 5 }), pool('prod-b', 1)] }] },
      /give a weight to each pool of all stages, or to none/,
    ],
    [
      'weights of 0 alone',
      { route: ROUTE, stages: [{ name: 's', pools: [pool('prod-a', 1, { weight: 0 })] }] },
      /at least one pool needs a weight above 0/,
    ],
    [
      'a weight above 100',
      { route: ROUTE, stages: [{ name: 's', pools: [pool('prod-a', 1, { weight: 101 })] }] },
      /weight.*less than or equal to 100/,
    ],
  ])('%s', async ([, changes, message], { world }) => {
    await expect(world.apply(release('web:1', changes))).rejects.toThrow(message);
  });
});

// The operators of tests that run side by side would all write the status of the VMPool.
test('the commands for a patch day in docs/vm-pools.md empty a pool of VMs, and fill it again', async ({ world }) => {
  const name = 'patch-a';
  const vmPool = {
    apiVersion: API_VERSION,
    kind: 'VMPool',
    metadata: { name },
    spec: { nodeSelector: { 'apprelease.dev/pool': 'prod-a' } },
  };
  await world.applyAs('git', VM_POOLS, vmPool);
  const pools = [pool(name, 1, { weight: 50 }, 'prod-a'), pool('prod-b', 1, { weight: 50 })];
  const spec = (image: string) =>
    release(image, { route: { ...ROUTE, settle: '1s' }, stages: [{ name: 'production', pools }] });
  await world.apply(spec(await world.image('1.0')));
  await world.released('1.0');
  const backends = (first: number, second: number) => ({
    spec: {
      rules: [
        {
          backendRefs: [
            { name: `web-${name}`, weight: first },
            { name: 'web-prod-b', weight: second },
          ],
        },
      ],
    },
  });
  await routeIs(world, backends(50, 50));
  await answer(world);
  const [begin = '', end = '', annotate = ''] = commandsOf(await readPage('vm-pools.md'), 'A patch day');
  const [set = '', wait = ''] = begin.split('\n');
  const shell = createRun(cluster.dir, [dirname(cluster.binaries.kubectl)], { KUBECONFIG: cluster.kubeconfigPath });
  const run = (script: string) => shell(script.replaceAll('vmpools/prod-a', `vmpools/${name}`));
  await run(set);
  await world.apply(spec(await world.image('2.0')));
  await world.conditionIs('Ready', { status: 'False', reason: 'Maintenance' });
  await world.poolIs(name, { traffic: { message: expect.stringContaining('in maintenance') as string } });
  const evacuated = async () => findCondition((await admin.get(VM_POOLS, { name })).status?.conditions, 'Evacuated');
  await world.until(async () => {
    expect(await evacuated()).toMatchObject({
      status: 'False',
      reason: 'TrafficStays',
      message: expect.stringContaining(`${world.namespace}/web`) as string,
    });
  });
  await routeIs(world, backends(0, 50)).catch(() => routeIs(world, backends(0, 50)));
  await answer(world);
  await run(wait);
  // The version has waited for the end of the maintenance.
  await run(end);
  await world.released('2.0');
  await run(annotate);
  await world.until(async () => {
    expect(await evacuated()).toMatchObject({ status: 'False', reason: 'NotInMaintenance' });
    const [first, second] = (await routeIs(world, {})).spec?.rules?.[0]?.backendRefs ?? [];
    expect(first?.weight).toBeGreaterThan(0);
    expect(second?.weight).toBeGreaterThan(0);
  });
  await cluster.kubectl(['delete', 'vmpools', name]);
}, 180_000);
