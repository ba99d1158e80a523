// Sizes that somebody sets on the Deployment of a pool, with the field ownership of the real API server.
import { describe, expect } from 'vitest';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { objectName } from '../../src/release/record/names.ts';
import type { World } from './harness.ts';
import { admin, test } from './harness.ts';
import type { Spec } from './release-objects.ts';
import { oneStage, pool, release } from './release-objects.ts';

const [FIRST, SECOND] = [1, 2].map((revision) => objectName('web', 'prod-a', revision)) as [string, string];

const autoscaled: Spec['stages'] = [
  { name: 'production', pools: [pool('prod-a', 2, { autoscaling: { minReplicas: 2, maxReplicas: 4 } })] },
];

async function sizeIs({ namespace, until }: World, name: string, replicas: number): Promise<void> {
  await until(async () => {
    expect((await admin.get(DEPLOYMENTS, { namespace, name })).spec.replicas).toBe(replicas);
  }, 60_000);
}

/** The pool has this size, and the operator has reverted nothing. */
async function poolHas(world: World, revision: number, replicas: number): Promise<void> {
  await world.poolIs('prod-a', { revision, replicas, readyReplicas: replicas });
  await sizeIs(world, objectName('web', 'prod-a', revision), replicas);
  const { notices } = world.operator;
  expect(notices.filter(({ reason }) => ['DriftPutBack', 'Contested'].includes(reason))).toEqual([]);
}

type Way = [what: string, toZero: (world: World, name: string) => Promise<unknown>, stages: Spec['stages']];

const scale: Way[1] = (world, name) => world.kubectl('scale', `deployment/${name}`, '--replicas=0');
const WAYS: Way[] = [
  ['kubectl scale', scale, oneStage],
  ['kubectl scale with an autoscaler', scale, autoscaled],
  [
    'kubectl patch',
    (world, name) => world.kubectl('patch', 'deployment', name, '-p', '{"spec":{"replicas":0}}'),
    oneStage,
  ],
  [
    'kubectl apply --server-side',
    (world, name) => world.applyAs('somebody', DEPLOYMENTS, { metadata: { name }, spec: { replicas: 0 } } as never),
    oneStage,
  ],
];

describe.concurrent('a pool that is scaled to zero', () => {
  test.for(WAYS)(
    'by %s stays there, over a version and a rollback',
    { timeout: 200_000 },
    async ([, toZero, stages], { world }) => {
      // The user’s own scale.
      world.excuse(/^@\d+ Deployment web-prod-a-1-\w+ → 0: /);
      await world.apply(release(await world.image('1.0'), { stages }));
      await world.released('1.0');
      await toZero(world, FIRST);
      await poolHas(world, 1, 0);
      await world.apply(release(await world.image('2.0'), { stages }));
      await world.released('2.0');
      await poolHas(world, 2, 0);
      await world.rollback('back');
      await world.rollbackIs('back', 'Complete', 'True');
      await poolHas(world, 1, 0);

      await world.kubectl('scale', `deployment/${FIRST}`, '--replicas=3');
      await poolHas(world, 1, 3);
      await world.kubectl('scale', `deployment/${FIRST}`, '--replicas=4');
      await poolHas(world, 1, 4);
    },
  );
});

test('a size by hand goes with a version and a rollback', async ({ world }) => {
  await world.apply(release(await world.image('1.0'), { stages: oneStage }));
  await world.released('1.0');
  await world.kubectl('scale', `deployment/${FIRST}`, '--replicas=4');
  await poolHas(world, 1, 4);
  await world.apply(release(await world.image('2.0'), { stages: oneStage }));
  await world.released('2.0');
  await poolHas(world, 2, 4);
  await world.kubectl('scale', `deployment/${SECOND}`, '--replicas=5');
  await poolHas(world, 2, 5);
  await world.rollback('back');
  await world.rollbackIs('back', 'Complete', 'True');
  await poolHas(world, 1, 5);
}, 200_000);

test('a size that comes with a version waits until that version serves', async ({ world }) => {
  const sized = (replicas: number) => [{ name: 'production', pools: [pool('prod-a', replicas)] }];
  // The size that the user asks for in the end.
  world.excuse(/^@\d+ Deployment web-prod-a-1-\w+ → 2: /);
  await world.apply(release(await world.image('1.0'), { stages: sized(3) }));
  await world.released('1.0');
  const broken = release(await world.image('2.0-crash-loop'), { stages: sized(1) });
  await world.apply(broken);
  await world.conditionIs('RolledBack', { status: 'True' });
  await poolHas(world, 1, 3);
  await world.poolIs('prod-a', {
    replicasReason: '3 until version 2.0 (revision 2) serves here, then spec.replicas 1',
  });
  await world.apply({ ...broken, stages: sized(2) });
  await poolHas(world, 1, 2);
  await world.apply(release(await world.image('3.0'), { stages: sized(1) }));
  await world.released('3.0');
  await poolHas(world, 3, 1);
}, 200_000);
