// What somebody did to a Deployment by hand does not stop a roll-out or a rollback without a word.
import { describe, expect } from 'vitest';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { test } from './harness.ts';
import { oneStage, release, worker } from './release-objects.ts';

describe.concurrent('a Deployment', () => {
  test('that is paused does not stop a version or a rollback', async ({ world }) => {
    await world.apply(worker(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    const [running] = await world.deployments();
    const name = running?.metadata.name ?? '';
    await world.kubectl('rollout', 'pause', `deployment/${name}`);
    await world.apply(worker(await world.image('2.0'), { stages: oneStage }));
    await world.released('2.0');
    await world.kubectl('rollout', 'pause', `deployment/${name}`);
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    const [deployment] = await world.deployments();
    expect(deployment?.spec.paused ?? false).toBe(false);
  });

  test('whose finalizer keeps the name of the target of a rollback is named until the name is free', async ({
    world,
  }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    const [first] = await world.deployments();
    const name = first?.metadata.name ?? '';
    await world.apply(release(await world.image('2.0'), { stages: oneStage }));
    await world.released('2.0');
    await world.merge(DEPLOYMENTS, name, { metadata: { finalizers: ['example.com/hold'] } });
    await world.remove(DEPLOYMENTS, name);
    await world.rollback('back');
    await world.poolIs('prod-a', { waitingFor: expect.stringContaining('example.com/hold') as string });
    await world.merge(DEPLOYMENTS, name, { metadata: { finalizers: null } });
    await world.rollbackIs('back', 'Complete', 'True');
    expect(world.timeline('web-prod-a')).toEqual([1, 2, 1]);
  });
});
