// Releases with `spec.route` behind a real gateway, which leads the requests of clients in the cluster.
import { isDeepStrictEqual } from 'node:util';
import { describe, expect } from 'vitest';
import { FIELD_MANAGER } from '../../../src/api/meta.ts';
import { pool, type Spec } from '../../integration/release-objects.ts';
import { errorsOf, runsOf, startAsker, timesTo, type Asker } from '../asker.ts';
import {
  askGateway,
  ENOUGH,
  hasPercents,
  isRouted,
  LAG_MS,
  measurements,
  readRoute,
  routed,
  test,
  tolerance,
  weightsOf,
  wholeOf,
  type Weights,
} from '../gateway.ts';
import { POOLS, SERVICE_NAMES, web } from '../releases.ts';
import { send, type World } from '../world.ts';

const note = measurements('Measured (ms):');

/** Two pools of one stage. */
function pair(replicas: number): Pick<Spec, 'stages'> {
  return { stages: [{ name: 'all', pools: [pool('prod-a', replicas), pool('prod-b', replicas)] }] };
}

/** The number of answers by pool, and whether each pool has its share of them. */
function countShares(pools: readonly string[], weights: Weights): { counts: Weights; fit: boolean } {
  const whole = wholeOf(weights);
  const counts = Object.fromEntries(
    Object.keys(weights).map((name) => [name, pools.filter((answered) => answered === name).length]),
  );
  const fit = Object.entries(weights).every(([name, weight]) => {
    const share = weight / whole;
    return Math.abs((counts[name] ?? 0) - pools.length * share) <= tolerance(pools.length, share);
  });
  return { counts, fit };
}

/** Waits until the gateway follows the weights, then expects their shares in the next answers. */
async function expectShares(world: World, asker: Asker, weights: Weights): Promise<void> {
  await world.until(`answers by the weights ${JSON.stringify(weights)}`, async () => {
    const newest = (await asker.answers('--tail=200')).map((answer) => answer.pool);
    return newest.length === 200 && countShares(newest, weights).fit;
  });
  const since = Date.now();
  let pools: string[] = [];
  await world.until(`${ENOUGH} answers`, async () => {
    pools = (await asker.answers()).filter(({ asked }) => asked >= since).map((answer) => answer.pool);
    return pools.length >= ENOUGH;
  });
  const { counts, fit } = countShares(pools.slice(0, ENOUGH), weights);
  note(`answers of ${ENOUGH} by pool, with the weights ${JSON.stringify(weights)}`, JSON.stringify(counts));
  expect({ counts, fit }).toMatchObject({ fit: true });
}

describe.concurrent('a route', () => {
  test('gives each pool its share of the requests, follows new weights without a new pod, and leaves a pool', async ({
    gateway,
    world,
  }) => {
    const weights = { 'prod-a': 20, 'prod-b': 80 };
    const spec = await web(world, '1.0.0', pair(1));
    await world.apply(routed(world, gateway, spec, weights));
    await isRouted(world, '1.0.0', weights);
    const asker = await askGateway(world, gateway, ['--every=5ms']);
    await expectShares(world, asker, weights);

    const pods = (await world.pods()).map(({ uid }) => uid).sort();
    const patch = [60, 40].map((weight, index) => ({
      op: 'replace',
      path: `/spec/stages/0/pools/${index}/weight`,
      value: weight,
    }));
    await world.kubectl('patch', 'apprelease', 'web', '--type=json', `--patch=${JSON.stringify(patch)}`);
    const others = { 'prod-a': 60, 'prod-b': 40 };
    await isRouted(world, '1.0.0', others);
    await expectShares(world, asker, others);
    expect((await world.pods()).map(({ uid }) => uid).sort()).toEqual(pods);

    const stages = [{ name: 'all', pools: [pool('prod-a', 1)] }];
    await world.apply(routed(world, gateway, { ...spec, stages }, others));
    await world.until('the end of the pool that left', async () => (await world.pods('prod-b')).length === 0);
    await asker.hears('prod-a', '1.0.0');
    expect(errorsOf(await asker.answers())).toEqual([]);
    await asker.stop();
  });

  test("gets a weight back that somebody edits, and nobody else may apply the operator's fields", async ({
    gateway,
    world,
  }) => {
    const weights = { 'prod-a': 20, 'prod-b': 80 };
    await world.apply(routed(world, gateway, await web(world, '1.0.0', pair(1)), weights));
    await isRouted(world, '1.0.0', weights);
    const { metadata } = await readRoute(world);
    const before = await weightsOf(world);
    expect(before).toEqual({ 'web-prod-a': 20, 'web-prod-b': 80 });

    const edit = JSON.stringify([{ op: 'replace', path: '/spec/rules/0/backendRefs/0/weight', value: 99 }]);
    const edited = Date.now();
    await world.kubectl('patch', 'httproute', 'web', '--type=json', `--patch=${edit}`, '--field-manager=kubectl-edit');
    await world.until('the weights of the spec', async () => isDeepStrictEqual(await weightsOf(world), before));
    note('from an edit of a weight in the route, with the start of kubectl, until it is put back', Date.now() - edited);
    const route = await readRoute(world);
    expect(route.metadata.generation).toBe((metadata.generation ?? 0) + 2);
    const managers = (route.metadata.managedFields ?? []).filter(({ fieldsV1 }) => 'f:spec' in (fieldsV1 ?? {}));
    expect(managers.map(({ manager }) => manager)).toEqual([FIELD_MANAGER]);

    const { apiVersion, kind, spec } = route;
    const theirs = { apiVersion, kind, metadata: { name: 'web', namespace: world.namespace }, spec: { rules: [{}] } };
    await expect(send(['apply', '--server-side', '--field-manager=somebody', '--filename=-'], theirs)).rejects.toThrow(
      new RegExp(`conflict with "${FIELD_MANAGER}"`),
    );
    expect((await readRoute(world)).spec).toEqual(spec);
    await world.conditionIs('TrafficRouted', 'True', 'Accepted');
  });
});

describe('a promotion over all pools and a rollback', () => {
  const weights = { 'canary-vms': 10, 'prod-a': 45, 'prod-b': 45 };

  const ways = ['through the gateway', 'without a route'] as const;
  test.for(ways)('%s: no request fails', async (way, { gateway, world }) => {
    const isBehind = way === 'through the gateway';
    async function release(version: string, changes: Partial<Spec> = {}): Promise<void> {
      const spec = await web(world, version, changes);
      await world.apply(isBehind ? routed(world, gateway, spec, weights) : spec);
      await (isBehind ? isRouted(world, version, weights) : world.released(version));
    }
    await release('1.0.0');
    const asker = await (isBehind ? askGateway(world, gateway) : startAsker(world, SERVICE_NAMES));

    await release('2.0.0');
    for (const name of POOLS) await asker.hears(name, '2.0.0');

    const asked = await world.rollback('back');
    await world.kubectl('wait', 'releaserollback/back', '--for=condition=Complete', '--timeout=60s');
    for (const name of POOLS) await asker.hears(name, '1.0.0');
    await world.conditionIs('RolledBack', 'True', 'HeldByRollback');
    if (isBehind) await hasPercents(world, weights);

    // The pods of the new version, which stand by, end while the gateway may still have connections to them.
    await release('1.0.0', { rollback: { warmFor: '0s', drain: '1s' } });
    await world.until('the end of the other pods', async () =>
      (await world.pods()).every(({ image }) => image.includes(':1.0.0@')),
    );

    const answers = await asker.answers();
    await asker.stop();
    expect(errorsOf(answers)).toEqual([]);
    for (const name of POOLS) {
      expect(runsOf(answers, name).map(({ version }) => version)).toEqual(['1.0.0', '2.0.0', '1.0.0']);
    }
    const times = POOLS.map((name) => timesTo(answers, name, '1.0.0', asked).last);
    note(`from the ReleaseRollback to the last answer of the new version, ${way}: ${POOLS.join(', ')}`, ...times);
  });
});

/** Breaks the app in a pod, or mends it, by a request that the API server passes on. */
async function tell({ namespace }: World, pod: string, what: 'break' | 'mend'): Promise<void> {
  await send(['create', `--raw=/api/v1/namespaces/${namespace}/pods/${pod}:8080/proxy/${what}`, '--filename=-'], {});
}

/** Waits; returns when the condition held (ms since the epoch). */
async function momentOf(world: World, what: string, condition: () => Promise<boolean>): Promise<number> {
  await world.until(what, condition);
  return Date.now();
}

/** The time that the operator gives to pods that become ready again, and by how much a time in seconds may be early. */
const HEALTHY_MS = 10_000;
const SECOND_MS = 1_000;

describe('a pool without ready pods', () => {
  test('gets no requests from the route until its pods are ready again for 10 s', async ({ gateway, world }) => {
    const spec = await web(world, '1.0.0', pair(2));
    const weights = { 'prod-a': 50, 'prod-b': 50 };
    await world.apply(routed(world, gateway, spec, weights));
    await isRouted(world, '1.0.0', weights);
    const asker = await askGateway(world, gateway);
    const lost = (await world.pods('prod-b')).map(({ name }) => name);
    const weight = async () => (await weightsOf(world))['web-prod-b'];
    const readyPods = async () => (await world.pods('prod-b')).filter(({ ready }) => ready).length;

    const broken = Date.now();
    await Promise.all(lost.map((name) => tell(world, name, 'break')));
    const [unready, zero] = await Promise.all([
      momentOf(world, 'no ready pod', async () => (await readyPods()) === 0),
      momentOf(world, 'weight 0', async () => (await weight()) === 0),
    ]);
    await world.until('a status without traffic for the pool', async () => {
      const traffic = (await world.status()).pools?.find(({ name }) => name === 'prod-b')?.traffic;
      return traffic?.percent === '0%' && /no pod is ready/.test(traffic.message ?? '');
    });
    await world.until('answers without a failure', async () => {
      const newest = await asker.answers('--since=3s');
      return newest.length > 100 && errorsOf(newest).length === 0;
    });

    const mended = Date.now();
    await Promise.all(lost.map((name) => tell(world, name, 'mend')));
    const ready = await momentOf(world, 'a ready pod', async () => (await readyPods()) > 0);
    const back = await momentOf(world, 'the weight of the spec', async () => (await weight()) === 50);
    await asker.hears('prod-b', '1.0.0');
    await hasPercents(world, weights);
    await world.conditionIs('TrafficRouted', 'True', 'Accepted');
    const answers = await asker.answers();
    await asker.stop();

    const failed = answers.filter(({ error }) => error !== undefined);
    const [first, last] = [failed.at(0)?.at ?? 0, failed.at(-1)?.at ?? 0];
    const heard = answers.find(({ pool: name, at }) => name === 'prod-b' && at > zero + LAG_MS)?.at ?? 0;
    note('from the loss of the pool until kubelets report no ready pod', unready - broken);
    note('from the loss of the pool to weight 0 in the route', zero - broken);
    note('from no ready pod to weight 0 in the route, seen to 100 ms', zero - unready);
    note(`from the first to the last of ${failed.length} failed requests`, last - first);
    note('from weight 0 in the route to the last failed request', last - zero);
    note('from ready pods to the weight of the spec in the route', back - ready);
    note('from the weight of the spec in the route to the first answer of the pool', heard - back);
    expect(zero - unready).toBeLessThan(2 * SECOND_MS);
    expect(failed.length).toBeGreaterThan(0);
    expect(first).toBeGreaterThanOrEqual(broken);
    expect(last).toBeLessThan(zero + LAG_MS);
    expect(last).toBeLessThan(mended);
    expect(back - ready).toBeGreaterThan(HEALTHY_MS - SECOND_MS);
    expect(back - ready).toBeLessThan(HEALTHY_MS + 5 * SECOND_MS);
    expect(heard).toBeGreaterThan(ready + HEALTHY_MS - SECOND_MS);
  });
});
