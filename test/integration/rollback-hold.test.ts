// How long a person's ReleaseRollback holds its pools, and what ends it.
import { describe, expect } from 'vitest';
import { API_VERSION } from '../../src/api/meta.ts';
import { APP_RELEASES, ROLLBACKS } from '../../src/controller/kinds/api-kinds.ts';
import { admin, test } from './harness.ts';
import { releaseAll } from './release-all.ts';
import { oneStage, release } from './release-objects.ts';

describe.concurrent('the hold of a rollback', () => {
  test('keeps the pools while the newer version is applied repeatedly', async ({ world }) => {
    const second = await releaseAll(world, ['1.0', '2.0']);
    await world.rollback('back', { reason: 'too many errors' });
    await world.rollbackIs('back', 'Complete', 'True');
    for (let count = 0; count < 5; count += 1) {
      const annotations = { 'example.com/synced': String(count) };
      await world.apply(second, { annotations });
      await world.until(() => world.condition('Ready'));
    }
    expect(world.timeline('web-prod-a')).toEqual([1, 2, 1]);
    await world.conditionIs('RolledBack', {
      status: 'True',
      message: 'wants 2.0, runs 1.0 by back: too many errors',
    });
    await world.conditionIs('Ready', { status: 'False', reason: 'RolledBack' });
    await world.conditionIs('Available', { status: 'True' });
    await world.conditionIs('Reconciling', { status: 'False' });
    await world.stalled('RolledBack');
    await world.poolIs('prod-a', { version: '1.0', heldBy: 'back' });
    await world.newestIs({ version: '2.0', outcome: 'RolledBack' });
  });

  test('changes no field of the AppRelease, its non-blocking owner', async ({ world }) => {
    await releaseAll(world, ['1.0', '2.0']);
    const key = { namespace: world.namespace, name: 'web' };
    const before = await admin.get(APP_RELEASES, key);
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    const after = await admin.get(APP_RELEASES, key);
    expect(after.spec).toEqual(before.spec);
    const { metadata } = await admin.get(ROLLBACKS, { namespace: world.namespace, name: 'back' });
    await world.until(async () => {
      const owned = await admin.get(ROLLBACKS, { namespace: world.namespace, name: 'back' });
      const reference = { apiVersion: API_VERSION, kind: 'AppRelease', name: 'web', uid: after.metadata.uid };
      expect((owned.metadata as { ownerReferences?: object[] }).ownerReferences).toEqual([reference]);
    });
    expect(metadata.name).toBe('back');
  });

  test('survives a restart of the operator and an erased status', async ({ world }) => {
    const second = await releaseAll(world, ['1.0', '2.0']);
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    await world.operator.stop();
    await world.apply(second, { annotations: { 'example.com/synced': 'yes' } });
    await world.operator.start();
    await world.kubectl(
      'patch',
      'apprelease/web',
      '--subresource=status',
      '--type=json',
      '--patch=[{"op":"replace","path":"/status","value":{}}]',
    );
    await world.conditionIs('RolledBack', { status: 'True' });
    expect(world.timeline('web-prod-a')).toEqual([1, 2, 1]);
  });

  test('ends when another revision is wanted', async ({ world }) => {
    await releaseAll(world, ['1.0', '2.0']);
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    await world.apply(release(await world.image('3.0'), { stages: oneStage }));
    await world.released('3.0');
    const { endReason, endedAt } = await world.rollbackIs('back', 'InForce', 'False', 'Ended');
    expect(endReason).toMatch(/revision 3 \(3\.0\) is wanted now/);
    expect(endedAt).toBeDefined();
    expect(world.timeline('web-prod-a')).toEqual([1, 2, 1, 3]);
    await world.conditionIs('RolledBack', { status: 'False' });
  });

  test('never returns after its end, also for the same version', async ({ world }) => {
    const second = await releaseAll(world, ['1.0', '2.0']);
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    await world.apply(release(await world.image('3.0'), { stages: oneStage }));
    await world.released('3.0');
    await world.apply(second);
    await world.conditionIs('Ready', { status: 'False', reason: 'WaitingForApproval' });
    await world.promote('again', { stage: 'production' });
    await world.released('2.0');
    expect(world.timeline('web-prod-a')).toEqual([1, 2, 1, 3, 2]);
  });

  test('ends by a promotion that names the held revision: the retry', async ({ world }) => {
    await releaseAll(world, ['1.0', '2.0']);
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    await world.promote('nameless', { stage: 'production' });
    await world.promotionIs('nameless', 'Accepted', 'Unknown', 'HeldByRollback');
    expect(world.timeline('web-prod-a')).toEqual([1, 2, 1]);
    await world.promote('retry', { stage: 'production', version: '2.0' });
    await world.released('2.0');
    const { endReason } = await world.rollbackIs('back', 'InForce', 'False', 'Ended');
    expect(endReason).toMatch(/ReleasePromotion retry names the held revision 2/);
    await world.promotionIs('retry', 'Complete', 'True');
  });

  test('ends by its deletion, which only reopens promotion by the gates', async ({ world }) => {
    await releaseAll(world, ['1.0', '2.0']);
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    await world.until(async () => {
      expect(await world.deployments()).toHaveLength(1);
    });
    await world.remove(ROLLBACKS, 'back');
    await world.conditionIs('Ready', { status: 'False', reason: 'WaitingForApproval' });
    expect(await world.selected()).toEqual({ 'web-prod-a': 1 });
    await world.promote('again', { stage: 'production' });
    await world.released('2.0');
  });

  test('is taken over by a later rollback, also after its deletion', async ({ world }) => {
    await releaseAll(world, ['1.0', '2.0', '3.0']);
    await world.rollback('first', { toVersion: '2.0' });
    await world.rollbackIs('first', 'Complete', 'True');
    await world.rollback('second', { toVersion: '1.0' });
    await world.rollbackIs('second', 'Complete', 'True');
    await world.rollbackIs('first', 'Superseded', 'True', 'LaterRollback');
    expect(world.timeline('web-prod-a')).toEqual([1, 2, 3, 2, 1]);
    await world.remove(ROLLBACKS, 'second');
    await world.conditionIs('Ready', { status: 'False', reason: 'WaitingForApproval' });
    expect(await world.selected()).toEqual({ 'web-prod-a': 1 });
    await world.conditionIs('RolledBack', { status: 'False' });
  });
});
