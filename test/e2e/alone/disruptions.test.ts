// Machines, the operator and the API server fail in the middle of a promotion.
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

/** The rules after any disturbance of a promotion. */
async function endsWell(world: World): Promise<void> {
  await world.released('2.0.0');
  expect(await world.kubectl('get', 'releaserollbacks', '--output=name')).toBe('');
  expect((await world.status()).history?.[0]).toMatchObject({ version: '2.0.0', outcome: 'Good' });
}

/** Two stages: one pod on the canary's VM, then the pool that a test disturbs. */
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
/** For tests that disturb no VM. */
const UNDISTURBED = canaryThen(pool('others', 2, {}, 'canary-vms'));

/** Version 1 in every pool, and version 2 just past the canary. */
async function midway(world: World): Promise<void> {
  await world.apply(await web(world, '1.0.0', UNDISTURBED));
  await world.released('1.0.0');
  await world.apply(await web(world, '2.0.0', UNDISTURBED));
  await world.serves('canary-vms', '2.0.0');
}

// Each test disturbs its own pool, or the operator and no pool.
describe.concurrent('in the middle of a promotion', () => {
  test('a VM is drained: no request fails, and the version has not failed', async ({ world }) => {
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
    // No version entered the pool of the draining VM, unless it had entered before.
    await endsWell(world);
    for (const name of pools) await asker.hears(name, '2.0.0');
    const answers = await asker.answers();
    await asker.stop();
    expect(errorsOf(answers)).toEqual([]);
    for (const name of pools) expect(runsOf(answers, name).map((run) => run.version)).toEqual(['1.0.0', '2.0.0']);
  });

  test('a VM stops and comes back: the promotion continues, and the version has not failed', async ({ world }) => {
    await world.apply(await web(world, '1.0.0', PROD_B));
    await world.released('1.0.0');
    const [{ node } = { node: '' }] = await world.pods('prod-b');
    await freeze(world, node);
    try {
      // The only VM of the pool, so that no pod can start there.
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
    test('every operator pod is deleted: the next one continues', { concurrent: false }, async ({ world }) => {
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
        // Its restarted container may be the first.
        expect(await leader()).not.toBe(before);
        for (const name of ['canary-vms', 'others']) await world.serves(name, '1.0.0');
      },
    );
  });
});

describe('in the middle of a promotion', () => {
  test('the API server restarts: no request fails', async ({ world }) => {
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
