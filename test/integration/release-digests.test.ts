// A version is pinned to digests once. After that the operator asks no registry, whatever happens to its tags.
import { describe, expect } from 'vitest';
import { APP_RELEASES } from '../../src/controller/kinds/api-kinds.ts';
import { REVISIONS } from '../../src/controller/kinds/revisions.ts';
import { statusOf } from '../../src/kube/types.ts';
import type { World } from './harness.ts';
import { admin, exists, test } from './harness.ts';
import { oneStage, pool, release, template } from './release-objects.ts';

/** The digests that the kubelets report. */
async function digestsIn(world: World): Promise<string[]> {
  const ids = (await world.pods()).map(({ imageID }) => imageID.split('@')[1] ?? imageID);
  return [...new Set(ids)];
}

async function uids(world: World): Promise<string[]> {
  return (await world.pods()).map(({ uid }) => uid).toSorted();
}

describe.concurrent('a pinned version', () => {
  test('keeps the digests when the tag moves and the registry is gone: scale, roll back, revert, restart, erased status', async ({
    apart: { world, images },
  }) => {
    const [first, second] = [await images.push('1.0'), await images.push('2.0')];
    const rollback = { warmFor: '0s', drain: '100ms' };
    await world.apply(release(first.image, { stages: oneStage, rollback }));
    await world.released('1.0');
    await world.apply(release(second.image, { stages: oneStage, rollback }));
    await world.released('2.0');
    await world.until(async () => {
      expect(await digestsIn(world)).toEqual([second.digest]);
    });
    await images.move('1.0');
    await images.move('2.0');
    await images.registry.kill();

    const three = [{ name: 'production', pools: [pool('prod-a', 3)] }];
    await world.apply(release(second.image, { stages: three, rollback }));
    await world.until(async () => {
      expect(await world.pods()).toHaveLength(3);
      expect(await digestsIn(world)).toEqual([second.digest]);
    });
    await world.released('2.0');

    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    await world.until(async () => {
      expect(await digestsIn(world)).toEqual([first.digest]);
    });

    await world.apply(release(first.image, { stages: three, rollback }));
    expect(await world.released('1.0')).toMatchObject({ revision: 1 });
    await world.rollbackIs('back', 'InForce', 'False', 'Ended');
    expect(world.timeline('web-prod-a')).toEqual([1, 2, 1]);

    const before = await uids(world);
    await world.operator.restart();
    const key = { namespace: world.namespace, name: 'web' };
    await admin.patch(statusOf(APP_RELEASES), key, {
      type: 'json',
      operations: [{ op: 'replace', path: '/status', value: {} }],
    });
    expect(await world.released('1.0')).toMatchObject({ revision: 1, readyPools: '1/1' });
    expect(await uids(world)).toEqual(before);
    expect(await digestsIn(world)).toEqual([first.digest]);
  });

  test('keeps the digests when its template changes, as a new revision that goes through the stages', async ({
    apart: { world, images },
  }) => {
    const { image, digest } = await images.push('1.0');
    await world.apply(release(image));
    await world.released('1.0');
    await images.move('1.0');
    await images.registry.kill();
    await world.apply(release(image, { template: template(image, { 'example.com/changed': 'yes' }) }));
    await world.until(async () => {
      expect(await world.released('1.0')).toMatchObject({ revision: 2 });
    });
    expect(await world.selected()).toEqual({ 'web-canary-vms': 2, 'web-prod-a': 2 });
    expect(await digestsIn(world)).toEqual([digest]);
  });

  test('returns to a version whose revision was collected, from the ledger and with the registry down', async ({
    apart: { world, images },
  }) => {
    const { image: first, digest } = await images.push('1.0');
    const changes = { stages: oneStage, revisionHistoryLimit: 1, rollback: { warmFor: '0s', drain: '100ms' } };
    await world.apply(release(first, changes));
    await world.released('1.0');
    for (const version of ['2.0', '3.0', '4.0']) {
      await world.apply(release((await images.push(version)).image, changes));
      await world.released(version);
    }
    await world.until(async () => {
      expect(await exists(world, REVISIONS, 'web-1')).toBe(false);
    });
    expect(await exists(world, REVISIONS, 'web-3')).toBe(true);
    await images.move('1.0');
    await images.registry.kill();
    await world.apply(release(first, changes));
    expect(await world.released('1.0')).toMatchObject({ revision: 5 });
    await world.until(async () => {
      expect(await digestsIn(world)).toEqual([digest]);
    });
  });

  test('keeps every object and sends no registry request when only the status was erased', async ({ world }) => {
    await world.apply(release(await world.image('1.0')));
    await world.released('1.0');
    await world.apply(release(await world.image('2.0')));
    await world.released('2.0');
    const objects = async () => (await world.deployments()).map(({ metadata }) => metadata.resourceVersion);
    const before = await world.until(async () => {
      const versions = await objects();
      expect(versions).toHaveLength(4);
      return versions;
    });
    const key = { namespace: world.namespace, name: 'web' };
    await admin.patch(statusOf(APP_RELEASES), key, {
      type: 'json',
      operations: [{ op: 'replace', path: '/status', value: {} }],
    });
    await world.released('2.0');
    expect(await objects()).toEqual(before);
    await world.poolIs('prod-a', { rollback: { readiness: 'Warm', version: '1.0' } });
  });

  test('pins init containers too, and pulls by digest without asking again', async ({ world, images }) => {
    const [app, init] = [await images.push('1.0'), await images.push('2.0')];
    const spec = release(app.image, { stages: oneStage });
    const withInit = { ...spec.template.spec, initContainers: [{ name: 'init', image: init.image }] };
    await world.apply({ ...spec, template: { ...spec.template, spec: withInit } });
    await world.released('1.0');
    const [deployment] = await world.deployments();
    const { containers, initContainers = [] } = deployment?.spec.template.spec ?? { containers: [] };
    expect([...initContainers, ...containers].map(({ image, imagePullPolicy }) => [image, imagePullPolicy])).toEqual([
      [init.pinned, 'IfNotPresent'],
      [app.pinned, 'IfNotPresent'],
    ]);
  });

  test('waits for a missing image while the old version runs', async ({ apart: { world, images } }) => {
    const { image } = await images.push('1.0');
    await world.apply(release(image, { stages: oneStage }));
    await world.released('1.0');
    await world.apply(release(image.replace(/1\.0$/, '2.0'), { stages: oneStage }));
    await world.until(async () => {
      const { message, ...condition } = await world.condition('DigestsPinned');
      expect(condition).toMatchObject({ status: 'False', reason: 'NotFound' });
      expect(message).toMatch(/shop\/web:2\.0/);
    });
    expect(await world.selected()).toEqual({ 'web-prod-a': 1 });
    await images.push('2.0');
    await world.released('2.0');
  });

  test('waits for a registry that is down while the old version runs, and continues when it is back', async ({
    apart: { world, images },
  }) => {
    await world.apply(release((await images.push('1.0')).image, { stages: oneStage }));
    await world.released('1.0');
    const { image } = await images.push('2.0');
    await images.registry.kill();
    await world.apply(release(image, { stages: oneStage }));
    await world.until(async () => {
      expect(await world.condition('DigestsPinned')).toMatchObject({ status: 'False', reason: 'RegistryUnavailable' });
      expect(await world.condition('Reconciling')).toMatchObject({ status: 'True' });
    });
    await world.conditionIs('Available', { status: 'True' });
    expect(await world.selected()).toEqual({ 'web-prod-a': 1 });
    await images.registry.restart();
    await world.released('2.0');
  });

  test('is released while other releases wait for a hanging registry; that it cannot be reached is reported until it answers', async ({
    apart: { world, images },
  }) => {
    const pushed = await images.push('1.0');
    const waiting = ['one', 'two', 'three'];
    const pid = images.registry.pid() ?? NaN;
    process.kill(pid, 'SIGSTOP');
    try {
      // More releases than workers.
      for (const name of waiting) await world.apply(release(pushed.image, { stages: oneStage }), { name });
      await world.apply(release(pushed.pinned, { stages: oneStage }));
      await world.released('1.0');
      for (const name of waiting) {
        await world.until(async () => {
          const condition = await world.condition('DigestsPinned', name);
          expect(condition).toMatchObject({ status: 'False', reason: 'RegistryUnavailable' });
          expect(condition.message).toMatch(/cannot be reached: the operator's log has the cause/);
        });
        expect(await world.condition('Stalled', name)).toMatchObject({ status: 'False' });
      }
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    for (const name of waiting) await world.released('1.0', name);
  });
});
