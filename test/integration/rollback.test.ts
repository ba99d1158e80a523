// A person's ReleaseRollback: its pools, and what it meets.
import { describe, expect } from 'vitest';
import { PODS } from '../../src/controller/kinds/pods.ts';
import type { World } from './harness.ts';
import { test, withWorld } from './harness.ts';
import { releaseAll } from './release-all.ts';
import type { Spec } from './release-objects.ts';
import { oneStage, pool, release } from './release-objects.ts';
import { objectName } from '../../src/release/record/names.ts';

const both: Spec['stages'] = [{ name: 'production', pools: [pool('prod-a', 1), pool('prod-b', 1)] }];

describe.concurrent('the pools of a rollback', () => {
  test('may be one: the others continue', async ({ world }) => {
    const second = await releaseAll(world, ['1.0', '2.0'], { stages: both });
    await world.rollback('back', { pools: ['prod-b'] });
    await world.rollbackIs('back', 'Complete', 'True');
    expect(await world.selected()).toEqual({ 'web-prod-a': 2, 'web-prod-b': 1 });
    await world.apply(second, { annotations: { 'example.com/synced': 'yes' } });
    await world.until(() => world.condition('Ready'));
    await world.poolIs('prod-a', { version: '2.0' });
    await world.poolIs('prod-b', { version: '1.0', heldBy: 'back' });
  });

  test('are each held by the last rollback that names them', async ({ world }) => {
    await releaseAll(world, ['1.0', '2.0', '3.0'], { stages: both });
    await world.rollback('all', { toVersion: '2.0' });
    await world.rollbackIs('all', 'Complete', 'True');
    await world.rollback('one', { toVersion: '1.0', pools: ['prod-b'] });
    await world.rollbackIs('one', 'Complete', 'True');
    expect(await world.selected()).toEqual({ 'web-prod-a': 2, 'web-prod-b': 1 });
    await world.until(async () => {
      const { pools = [] } = await world.rollbackStatus('all');
      expect(pools.map(({ name, supersededBy }) => [name, supersededBy])).toEqual([
        ['prod-a', undefined],
        ['prod-b', 'one'],
      ]);
    });
    await world.rollbackIs('all', 'Superseded', 'False');
    await world.rollbackIs('all', 'InForce', 'True');
  });

  test('that share a Service roll back together', async ({ world }) => {
    const stages: Spec['stages'] = [
      {
        name: 'production',
        pools: [pool('prod-a', 1, { serviceName: 'shop' }), pool('prod-b', 1, { serviceName: 'shop' })],
      },
    ];
    await releaseAll(world, ['1.0', '2.0'], { stages });
    await world.rollback('half', { pools: ['prod-a'] });
    await world.rollbackIs('half', 'Accepted', 'False', 'SharedService');
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    expect(world.timeline('shop')).toEqual([1, 2, 1]);
  });
});

describe.concurrent('a rollback meets', () => {
  test('a restart of the operator: its targets are not computed again, although better ones exist', async ({
    world,
  }) => {
    await releaseAll(world, ['1.0', '2.0', '3.0']);
    await world.operator.stop();
    await world.rollback('back', { toVersion: '1.0' });
    await world.operator.start();
    const { pools, heldAgainst } = await world.rollbackIs('back', 'Complete', 'True');
    await world.operator.restart();
    await world.rollback('other', { toVersion: '9.9' });
    await world.rollbackIs('other', 'Accepted', 'False');
    expect(await world.rollbackStatus('back')).toMatchObject({ pools, heldAgainst });
    expect(await world.selected()).toEqual({ 'web-prod-a': 1 });
  });

  test('a running promotion: only pools that have moved go back', async ({ world }) => {
    const stages: Spec['stages'] = [
      { name: 'canary', soak: '1h', pools: [pool('canary-vms', 1)] },
      { name: 'production', pools: [pool('prod-a', 1)] },
    ];
    await releaseAll(world, ['1.0'], { stages: stages.map(({ soak: _soak, ...stage }) => stage) });
    await world.apply(release(await world.image('2.0'), { stages }));
    await world.conditionIs('Ready', { reason: 'Soaking' });
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    expect(world.timeline('web-canary-vms')).toEqual([1, 2, 1]);
    expect(world.timeline('web-prod-a')).toEqual([1]);
  });

  test('a pool that is about to switch: it does not switch', async ({ world }) => {
    await releaseAll(world, ['1.0']);
    const annotations = { 'sim.apprelease.dev/start-delay': '30s' };
    const slow = [{ name: 'production', pools: [pool('prod-a', 2, { template: { metadata: { annotations } } })] }];
    await world.apply(release(await world.image('2.0'), { stages: slow }));
    await world.until(async () => {
      expect((await world.pods()).filter(({ revision }) => revision === 2)).toHaveLength(2);
    });
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    await world.until(async () => {
      expect((await world.deployments()).map(({ metadata }) => metadata.name)).toEqual([
        objectName('web', 'prod-a', 1),
      ]);
    });
    expect(world.timeline('web-prod-a')).toEqual([1]);
  });

  test('another running rollback: the later one decides', async ({ world }) => {
    await releaseAll(world, ['1.0', '2.0', '3.0'], { rollback: { warmFor: '0s', drain: '100ms' } });
    await world.until(async () => {
      expect(await world.deployments()).toHaveLength(1);
    });
    await world.rollback('first', { toVersion: '2.0' });
    await world.rollbackIs('first', 'Accepted', 'True');
    await world.rollback('second', { toVersion: '1.0' });
    await world.rollbackIs('second', 'Complete', 'True');
    await world.rollbackIs('first', 'Superseded', 'True');
    expect(await world.selected()).toEqual({ 'web-prod-a': 1 });
    await world.until(async () => {
      expect((await world.deployments()).map(({ metadata }) => metadata.name)).toEqual([
        objectName('web', 'prod-a', 1),
      ]);
    });
  });

  test('a stalled spec: it rolls back anyway', async ({ world }) => {
    const second = await releaseAll(world, ['1.0', '2.0']);
    await world.apply({ ...second, service: { ports: [{ port: 80, targetPort: 'admin' }] } });
    await world.stalled('InvalidPort');
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    expect(world.timeline('web-prod-a')).toEqual([1, 2, 1]);
    await world.apply(second);
    await world.until(async () => {
      expect(await world.condition('RolledBack')).toMatchObject({ status: 'True' });
      expect(await world.condition('Stalled')).toMatchObject({ status: 'True', reason: 'RolledBack' });
    });
    expect(await world.selected()).toEqual({ 'web-prod-a': 1 });
  });

  test('a failed version without an automatic rollback', async ({ world }) => {
    await releaseAll(world, ['1.0', '2.0']);
    const rollback = { warmFor: '5m', drain: '100ms', onFailure: 'Pause' as const };
    await world.apply(release(await world.image('3.0-crash-loop'), { stages: oneStage, rollback }));
    await world.stalled('Failed');
    await world.rollback('back', { toVersion: '1.0' });
    await world.rollbackIs('back', 'Complete', 'True');
    expect(world.timeline('web-prod-a')).toEqual([1, 2, 1]);
    await world.stalled('RolledBack');
  });

  test('a version that stopped working: cold, with no fewer ready pods', async ({ world }) => {
    await releaseAll(world, ['1.0', '2.0'], { rollback: { warmFor: '0s', drain: '100ms' } });
    await world.until(async () => {
      expect(await world.deployments()).toHaveLength(1);
    });
    for (const { name } of (await world.pods()).filter(({ revision }) => String(revision) === '2')) {
      const annotations = { 'sim.apprelease.dev/behaviour': 'unready' };
      await world.merge(PODS, name, { metadata: { annotations } });
    }
    await world.conditionIs('Available', { status: 'False', reason: 'PoolsUnavailable' });
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    await world.conditionIs('Available', { status: 'True' });
  });

  /** The node of the pool has room for two pods. */
  async function fillNode(world: World): Promise<void> {
    const node = { nodeSelector: { 'kubernetes.io/hostname': 'general-0' }, tolerations: [] };
    const resources = { requests: { cpu: '1500m' } };
    async function big(version: string, replicas: number): Promise<Spec> {
      const stages = [{ name: 'production', pools: [pool('prod-a', replicas, node)] }];
      const rollback = { warmFor: '0s', drain: '100ms' };
      const spec = release(await world.image(version), { stages, rollback });
      const containers = spec.template.spec.containers.map((container) => ({ ...container, resources }));
      return { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, containers } } };
    }
    for (const version of ['1.0', '2.0']) {
      await world.apply(await big(version, 1));
      await world.released(version);
    }
    await world.apply(await big('2.0', 2));
    await world.until(async () => {
      expect((await world.pods()).map(({ revision, ready }) => `${revision} ${ready}`)).toEqual(['2 true', '2 true']);
    });
  }

  // Not concurrent, because they need the same node.
  test('a pool without room: pods make room, first unready ones', async ({ images }) => {
    await withWorld(images, async (world) => {
      await fillNode(world);
      const [first] = await world.pods();
      const annotations = { 'sim.apprelease.dev/behaviour': 'unready' };
      await world.merge(PODS, first?.name ?? '', { metadata: { annotations } });
      await world.until(async () => {
        expect((await world.pods()).filter(({ ready }) => ready)).toHaveLength(1);
      });
      await world.rollback('back');
      await world.rollbackIs('back', 'Complete', 'True');
      await world.until(async () => {
        expect((await world.pods()).map(({ revision, ready }) => `${revision} ${ready}`)).toEqual(['1 true', '1 true']);
      });
    });
    await withWorld(images, async (world) => {
      await fillNode(world);
      await world.rollback('careful');
      await world.until(async () => {
        expect(await world.condition('CapacityAvailable')).toMatchObject({ status: 'False', reason: 'Unschedulable' });
      });
      expect((await world.pods()).filter(({ revision, ready }) => revision === 2 && ready)).toHaveLength(2);
      world.excuse(/Deployment web-prod-a-2-\w+ → 1: Service web-prod-a went from 2 ready pods to 1/);
      await world.rollback('forced', { force: true });
      await world.rollbackIs('forced', 'Complete', 'True');
      await world.until(async () => {
        expect((await world.pods()).map(({ revision, ready }) => `${revision} ${ready}`)).toEqual(['1 true', '1 true']);
      });
    });
  });

  test('a missing release: it waits and says so', async ({ world }) => {
    await world.rollback('early', { release: 'later' });
    await world.rollbackIs('early', 'Waiting', 'True', 'ReleaseNotFound');
  });
});
