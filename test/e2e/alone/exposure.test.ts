// Releases whose stages have `exposure` and `match`, behind a real gateway with clients all along.
import { isDeepStrictEqual } from 'node:util';
import { describe, expect } from 'vitest';
import { pool, type Spec } from '../../integration/release-objects.ts';
import { errorsOf, runsOf, timesTo, type Answer, type Asker } from '../asker.ts';
import {
  askGateway,
  askWithTesters,
  ENOUGH,
  hasPercents,
  isAccepted,
  isRouted,
  LAG_MS,
  measurements,
  readRoute,
  restarts,
  routed,
  test,
  tolerance,
  weightsOf,
  type Weights,
} from '../gateway.ts';
import type { Gateway } from '../../kind/traefik.ts';
import { NAMESPACE, OPERATOR } from '../operator.ts';
import { web } from '../releases.ts';
import { makeVmPools } from '../vms.ts';
import { kubectl, type World } from '../world.ts';

const note = measurements('Measured in exposures, side by side, while the operator is replaced (ms):');

type Stages = Spec['stages'];

const NEXT: Stages[number]['match'] = [{ headers: [{ name: 'x-release', value: 'next' }] }];
/** The same for the clients. */
const HEADER = 'x-release:next';

/** Waits until the pool is in a step of its exposure, from 1, with its part of the pool's traffic in the accepted route. */
async function atStep(world: World, name: string, step: number, percent: number): Promise<void> {
  await world.until(`step ${step} in ${name}`, async () => (await exposureOf(world, name))?.step === step);
  await world.until(`${percent}% at web-${name}-next`, async () => (await partOf(world, name)) === percent);
  await world.until('an accepted route', () => isAccepted(world));
}

/** Waits until the exposure of the version has ended: the pools have their weights, all of them at the first Services. */
async function isExposed(world: World, version: string, weights: Weights, written: Weights): Promise<void> {
  await isRouted(world, version, weights);
  await world.until(`the weights ${JSON.stringify(written)}`, async () =>
    isDeepStrictEqual(await weightsOf(world), written),
  );
  await world.until('an accepted route', () => isAccepted(world));
}

async function exposureOf(world: World, name: string) {
  const { pools = [] } = await world.status();
  return pools.find((one) => one.name === name)?.traffic?.exposure;
}

/** The part of the pool's weight that its second Service has, in percent. */
async function partOf(world: World, name: string): Promise<number> {
  const weights = await weightsOf(world);
  const [first = 0, next = 0] = [weights[`web-${name}`], weights[`web-${name}-next`]];
  return Math.round((100 * next) / (first + next));
}

/** Answers to requests that were sent once the gateway follows the route of now: so many to clients without a header, or more. */
async function answersFromNow(world: World, asker: Asker, count: number): Promise<readonly Answer[]> {
  const since = Date.now() + LAG_MS;
  let found: readonly Answer[] = [];
  async function areEnough(): Promise<boolean> {
    found = (await asker.answers()).filter(({ asked }) => asked >= since);
    return to('gateway', found).length >= count;
  }
  await world.until(`${count} answers`, areEnough, 300);
  return found;
}

function to(target: string, answers: readonly Answer[]): readonly Answer[] {
  return answers.filter((answer) => answer.target === target);
}

function versionsOf(answers: readonly Answer[]): string[] {
  return [...new Set(answers.flatMap(({ version, error }) => version ?? error ?? []))];
}

/** Expects the part of the newest version in the next answers of the only pool. */
async function expectPart(world: World, asker: Asker, version: string, percent: number): Promise<void> {
  const answers = to('gateway', await answersFromNow(world, asker, ENOUGH)).slice(0, ENOUGH);
  const count = answers.filter((answer) => answer.version === version).length;
  note(`answers of ${ENOUGH} by the new version, in a step of ${percent}%`, count);
  expect(Math.abs(count - (ENOUGH * percent) / 100)).toBeLessThanOrEqual(tolerance(ENOUGH, percent / 100));
}

/** Ends all pods of the operator; returns when the new ones are ready. */
async function replaceOperator(): Promise<void> {
  const own = `--namespace=${NAMESPACE}`;
  await kubectl('delete', 'pods', own, '--selector=app.kubernetes.io/name=apprelease-operator');
  await kubectl('rollout', 'status', OPERATOR, own, '--timeout=120s');
}

/** What changes with each write to the spec of the route, and with each write to a Service. */
async function versionsInApi(world: World): Promise<{ route: number; services: string }> {
  const services = await world.kubectl('get', 'services', '--output=jsonpath={.items[*].metadata.resourceVersion}');
  return { route: (await readRoute(world)).metadata.generation ?? 0, services };
}

interface Release {
  readonly stages: Stages;
  readonly weights: Weights;
}

async function release(world: World, gateway: Gateway, version: string, { stages, weights }: Release): Promise<void> {
  await world.apply(routed(world, gateway, await web(world, version, { stages }), weights));
}

/** A pool with exposure, and one for the rest. */
function pair(exposure: Stages[number]['exposure'], own: Stages[number]['pools'][number]): Stages {
  return [
    { name: 'first', match: NEXT, exposure, pools: [own] },
    { name: 'second', pools: [pool('prod-b', 1)] },
  ];
}

describe.concurrent('an exposure', () => {
  test('gives the new version its part of the requests and those with the header, also with another operator', async ({
    gateway,
    world,
  }) => {
    const stages: Stages = [
      {
        name: 'production',
        match: NEXT,
        exposure: [
          { percent: 0, approval: 'Manual' },
          { percent: 5, for: '5s', approval: 'Manual' },
          { percent: 10, approval: 'Manual' },
        ],
        pools: [pool('prod-a', 2)],
      },
    ];
    const weights = { 'prod-a': 100 };
    await release(world, gateway, '1.0.0', { stages, weights });
    await isRouted(world, '1.0.0', weights);
    const asker = await askWithTesters(world, gateway, HEADER, ['--every=10ms']);
    await release(world, gateway, '2.0.0', { stages, weights });

    await atStep(world, 'prod-a', 1, 0);
    const first = await answersFromNow(world, asker, 500);
    expect(to('testers', first).length).toBeGreaterThan(250);
    expect(['testers', 'gateway'].map((target) => versionsOf(to(target, first)))).toEqual([['2.0.0'], ['1.0.0']]);

    await world.promote('from-1', { stage: 'production', step: 1 });
    await atStep(world, 'prod-a', 2, 5);
    const before = await versionsInApi(world);
    await Promise.all([expectPart(world, asker, '2.0.0', 5), replaceOperator()]);
    expect(await versionsInApi(world)).toEqual(before);
    await world.promote('from-2', { stage: 'production', step: 2 });
    await atStep(world, 'prod-a', 3, 10);
    await expectPart(world, asker, '2.0.0', 10);
    expect((await versionsInApi(world)).route).toBe(before.route + 1);

    await world.promote('from-3', { stage: 'production', step: 3 });
    await isExposed(world, '2.0.0', weights, { 'web-prod-a': 100, 'web-prod-a-next': 0 });
    expect(versionsOf(await answersFromNow(world, asker, 100))).toEqual(['2.0.0']);
    const answers = await asker.answers();
    await asker.stop();
    expect(errorsOf(answers)).toEqual([]);
    expect(runsOf(to('testers', answers), 'prod-a').map(({ version }) => version)).toEqual(['1.0.0', '2.0.0']);
    expect(await restarts(world)).toBe('');
  });

  test('fails no request in a maintenance of its pool, which goes to the next step meanwhile, and at the end of both', async ({
    gateway,
    world,
    onTestFinished,
  }) => {
    await makeVmPools(onTestFinished, { 'canary-vms': {} });
    const stages = pair(
      [
        { percent: 20, approval: 'Manual' },
        { percent: 50, for: '5s', approval: 'Manual' },
      ],
      { name: 'canary-vms', replicas: 1 },
    );
    const weights: Weights = { 'canary-vms': 50, 'prod-b': 50 };
    await release(world, gateway, '1.0.0', { stages, weights });
    await isRouted(world, '1.0.0', weights);
    const asker = await askWithTesters(world, gateway, HEADER);
    await release(world, gateway, '2.0.0', { stages, weights });
    await atStep(world, 'canary-vms', 1, 20);

    await kubectl('annotate', 'vmpool/canary-vms', 'apprelease.dev/maintenance=kernel patch');
    await kubectl('wait', 'vmpool/canary-vms', '--for=condition=Evacuated', '--timeout=180s');
    expect(await weightsOf(world)).toMatchObject({ 'web-canary-vms': 0, 'web-canary-vms-next': 0 });
    const away = await answersFromNow(world, asker, 200);
    expect([...new Set(away.map((answer) => `${answer.target} ${answer.pool}`))].sort()).toEqual([
      'gateway prod-b',
      'testers prod-b',
    ]);
    await world.promote('from-1', { stage: 'first', step: 1 });
    await world.until('step 2', async () => (await exposureOf(world, 'canary-vms'))?.step === 2);

    await kubectl('annotate', 'vmpool/canary-vms', 'apprelease.dev/maintenance-');
    await hasPercents(world, weights);
    await atStep(world, 'canary-vms', 2, 50);
    await asker.hears('canary-vms', '2.0.0');
    await world.promote('from-2', { stage: 'first', step: 2 });
    const written = { 'web-canary-vms': 50, 'web-canary-vms-next': 0, 'web-prod-b': 50 };
    await isExposed(world, '2.0.0', weights, written);
    await asker.hears('prod-b', '2.0.0');
    const answers = await asker.answers();
    await asker.stop();
    expect(errorsOf(answers)).toEqual([]);
  });

  test('fails no request in a rollback: from a step, from the second Service with all traffic, and after the switch', async ({
    gateway,
    world,
  }) => {
    const stages = pair(
      [
        { percent: 50, approval: 'Manual' },
        { percent: 100, approval: 'Manual' },
      ],
      pool('prod-a', 2),
    );
    const weights = { 'prod-a': 50, 'prod-b': 50 };
    await release(world, gateway, '1.0.0', { stages, weights });
    await isRouted(world, '1.0.0', weights);
    const asker = await askGateway(world, gateway);

    async function toHalf(version: string): Promise<void> {
      await release(world, gateway, version, { stages, weights });
      await atStep(world, 'prod-a', 1, 50);
    }
    async function toAllTraffic(version: string): Promise<void> {
      await toHalf(version);
      await world.promote(`go-on-${version}`, { stage: 'first', step: 1 });
      await atStep(world, 'prod-a', 2, 100);
    }
    async function toTheSwitch(version: string): Promise<void> {
      await toAllTraffic(version);
      await world.promote(`end-${version}`, { stage: 'first', step: 2 });
      await world.until('the switch of the first Service', async () => {
        const { pools = [] } = await world.status();
        return pools.some((one) => one.version === version && one.traffic?.exposure?.percent === '100%');
      });
    }
    const cases = [
      { where: 'in a step of 50%', version: '2.0.0', reach: toHalf },
      { where: 'with all traffic at the second Service', version: '3.0.0', reach: toAllTraffic },
      { where: 'after the switch of the first Service', version: '4.0.0', reach: toTheSwitch },
    ];
    for (const { where, version, reach } of cases) {
      await reach(version);
      await asker.hears('prod-a', version);
      const asked = await world.rollback(`back-${version}`);
      await world.kubectl('wait', `releaserollback/back-${version}`, '--for=condition=Complete', '--timeout=60s');
      await world.conditionIs('RolledBack', 'True', 'HeldByRollback');
      await hasPercents(world, weights);
      await world.until('no weight at the second Service', async () => (await partOf(world, 'prod-a')) === 0);
      await world.until('an accepted route', () => isAccepted(world));
      const answers = await answersFromNow(world, asker, 200);
      expect(versionsOf(answers)).toEqual(['1.0.0']);
      const { last } = timesTo(await asker.answers(), 'prod-a', '1.0.0', asked);
      note(`from the ReleaseRollback to the last answer of the new version, ${where}`, last);
    }
    const answers = await asker.answers();
    await asker.stop();
    expect(errorsOf(answers)).toEqual([]);
    expect(versionsOf(answers.filter((answer) => answer.pool === 'prod-b'))).toEqual(['1.0.0']);
  });
});
