// Machines, the operator and the API server go away in the middle of a promotion.
import { describe, expect } from 'vitest';
import { pool, type PoolSpec, type Spec } from '../../integration/release-objects.ts';
import { errorsOf, runsOf, startAsker } from '../asker.ts';
import { freeze, killPod, restartApiServer, thaw } from '../nodes.ts';
import { NAMESPACE } from '../operator.ts';
import { evictable, POOLS, SERVICE_NAMES, web } from '../releases.ts';
import { drain } from '../vms.ts';
import { kubectl, test, type World } from '../world.ts';

const PODS = ['--selector=app.kubernetes.io/name=apprelease-operator', `--namespace=${NAMESPACE}`];

/** Its pod and process. */
async function leader(): Promise<string> {
  const lease = ['get', 'lease', 'apprelease-operator', `--namespace=${NAMESPACE}`];
  return kubectl(...lease, '--output=jsonpath={.spec.holderIdentity}');
}

/** What must hold however the promotion was disturbed. */
async function endsWell(world: World): Promise<void> {
  await world.released('2.0.0');
  expect(await world.kubectl('get', 'releaserollbacks', '--output=name')).toBe('');
  expect((await world.status()).history?.[0]).toMatchObject({ version: '2.0.0', outcome: 'Good' });
}

/** Two stages: one pod on the canary's VM, then what a test disturbs. */
function canaryThen(disturbed: PoolSpec): Pick<Spec, 'stages'> {
  return {
    stages: [
      { name: 'canary', soak: '2s', pools: [pool('canary-vms', 1)] },
      { name: 'production', pools: [disturbed] },
    ],
  };
}

const PROD_A = canaryThen(pool('prod-a', 2));
const PROD_B = canaryThen(pool('prod-b', 2));
/** Where no VM is disturbed. */
const UNDISTURBED = canaryThen(pool('others', 2, {}, 'canary-vms'));

/** Version 1 everywhere, and version 2 just past the canary. */
async function midway(world: World): Promise<void> {
  await world.apply(await web(world, '1.0.0', UNDISTURBED));
  await world.released('1.0.0');
  await world.apply(await web(world, '2.0.0', UNDISTURBED));
  await world.serves('canary-vms', '2.0.0');
}

// Each disturbs a pool of its own, or the operator and no pool.
describe.concurrent('in the middle of a promotion', () => {
  test('a VM is drained: no client notices, and the version has not failed', async ({ world }) => {
    const pools = ['canary-vms', 'prod-a'] as const;
    await world.apply(await evictable(world, '1.0.0', PROD_A));
    await world.released('1.0.0');
    const asker = await startAsker(world, Object.fromEntries(pools.map((name) => [name, SERVICE_NAMES[name]])));
    const [node = ''] = (await world.pods('prod-a')).map((pod) => pod.node);
    await world.apply(await evictable(world, '2.0.0', PROD_A));
    await world.serves('canary-vms', '2.0.0');
    try {
      await drain(node);
      expect((await world.pods('prod-a')).every((pod) => pod.node !== node)).toBe(true);
    } finally {
      await kubectl('uncordon', node);
    }
    // While the VM was drained no version came to its pool, unless it was on its way there before.
    await endsWell(world);
    for (const name of pools) await asker.hears(name, '2.0.0');
    const answers = await asker.answers();
    await asker.stop();
    expect(errorsOf(answers)).toEqual([]);
    for (const name of pools) expect(runsOf(answers, name).map((run) => run.version)).toEqual(['1.0.0', '2.0.0']);
  });

  test('a VM stops and comes back: the promotion goes on, and the version has not failed', async ({ world }) => {
    await world.apply(await web(world, '1.0.0', PROD_B));
    await world.released('1.0.0');
    const [{ node } = { node: '' }] = await world.pods('prod-b');
    await freeze(world, node);
    try {
      // The pool's only VM, so that nothing can start there.
      await world.apply(await web(world, '2.0.0', { ...PROD_B, progressDeadlineSeconds: 20 }));
      await world.until('what the pool waits for', async () => {
        const status = (await world.status()).pools?.find(({ name }) => name === 'prod-b');
        return /NotReady|not ready|no VM|unschedulable|nodes are available/i.test(status?.waitingFor ?? '');
      });
    } finally {
      await thaw(world, node);
    }
    await endsWell(world);
  });

  describe.concurrent('of the operator', () => {
    test('every operator is deleted: the next one goes on', { concurrent: false }, async ({ world }) => {
      await midway(world);
      await kubectl('delete', 'pods', ...PODS, '--wait=false');
      await endsWell(world);
    });

    test(
      'the leader is killed: another one takes over, and takes back at once',
      { concurrent: false },
      async ({ world }) => {
        await midway(world);
        const before = await leader();
        const [pod = ''] = before.split('_');
        await killPod(world, pod);
        await world.rollback('back');
        await world.kubectl('wait', 'releaserollback/back', '--for=condition=Complete', '--timeout=90s');
        // Where its container is started again soon enough, that may be first.
        expect(await leader()).not.toBe(before);
        for (const name of ['canary-vms', 'others']) await world.serves(name, '1.0.0');
      },
    );
  });
});

describe('in the middle of a promotion', () => {
  test('the API server restarts: no client notices', async ({ world }) => {
    await world.apply(await web(world, '1.0.0'));
    await world.released('1.0.0');
    const asker = await startAsker(world, SERVICE_NAMES);
    await world.apply(await web(world, '2.0.0'));
    await world.serves('canary-vms', '2.0.0');
    await restartApiServer(world);
    await endsWell(world);
    for (const name of POOLS) await asker.hears(name, '2.0.0');
    const answers = await asker.answers();
    await asker.stop();
    expect(errorsOf(answers)).toEqual([]);
  });
});
