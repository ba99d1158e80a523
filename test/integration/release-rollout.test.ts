// How a pool changes from one revision to the next, and changes of the spec meanwhile.
import { describe, expect } from 'vitest';
import { ANNOTATION } from '../../src/api/meta.ts';
import { APP_RELEASES, ROLLBACKS } from '../../src/controller/kinds/api-kinds.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { REVISIONS } from '../../src/controller/kinds/revisions.ts';
import { SERVICES } from '../../src/controller/kinds/services.ts';
import type { World } from './harness.ts';
import { admin, exists, test } from './harness.ts';
import type { Spec } from './release-objects.ts';
import { oneStage, pool, release, stages, worker } from './release-objects.ts';
import { objectName } from '../../src/release/record/names.ts';

const brief = { warmFor: '0s', drain: '100ms' };

/** A long soak of the canary keeps the release in the middle of its rollout. */
const soaking: Spec['stages'] = [
  { name: 'canary', soak: '1h', pools: [pool('canary-vms', 1)] },
  { name: 'production', pools: [pool('prod-a', 2)] },
];

/** Version 1 in all pools, version 2 only in the canary stage. */
async function inTheMiddle(world: World): Promise<Spec> {
  await world.apply(release(await world.image('1.0')));
  await world.released('1.0');
  const second = release(await world.image('2.0'), { stages: soaking });
  await world.apply(second);
  await world.until(async () => {
    expect(await world.selected()).toEqual({ 'web-canary-vms': 2, 'web-prod-a': 1 });
    await world.conditionIs('Ready', { status: 'False', reason: 'Soaking' });
  });
  return second;
}

async function serviceAnnotation(world: World, name: string, annotation: string): Promise<string> {
  const { metadata } = await admin.get(SERVICES, { namespace: world.namespace, name });
  return (metadata as { annotations?: Record<string, string> }).annotations?.[annotation] ?? '';
}

describe.concurrent('BlueGreen', () => {
  test('switches pool by pool, keeps a standby of warmReplicas, and removes it after warmFor', async ({ world }) => {
    const rollback = { warmFor: '15s', warmReplicas: '50%', drain: '500ms' };
    const changes = { stages: [{ name: 'production', pools: [pool('prod-a', 3)] }], rollback };
    await world.apply(release(await world.image('1.0'), changes));
    await world.released('1.0');
    await world.apply(release(await world.image('2.0'), changes));
    await world.released('2.0');
    await world.until(async () => {
      const { spec } = await admin.get(DEPLOYMENTS, {
        namespace: world.namespace,
        name: objectName('web', 'prod-a', 1),
      });
      expect(spec.replicas).toBe(2);
    });
    const switchedAt = Date.parse(await serviceAnnotation(world, 'web-prod-a', ANNOTATION.switchedAt));
    await world.until(async () => {
      expect(await exists(world, DEPLOYMENTS, objectName('web', 'prod-a', 1))).toBe(false);
    });
    expect(Date.now() - switchedAt).toBeGreaterThanOrEqual(15_000);
    expect(world.timeline('web-prod-a')).toEqual([1, 2]);
  });

  test('leaves the old pods running until the drain is over', async ({ world }) => {
    const changes = { stages: oneStage, rollback: { warmFor: '0s', drain: '3s' } };
    await world.apply(release(await world.image('1.0'), changes));
    await world.released('1.0');
    await world.apply(release(await world.image('2.0'), changes));
    await world.released('2.0');
    const switchedAt = Date.parse(await serviceAnnotation(world, 'web-prod-a', ANNOTATION.switchedAt));
    const left = await world.until(async () => {
      const old = (await world.pods()).filter(({ revision }) => revision === 1);
      expect(old).toEqual([]);
      return Date.now();
    });
    expect(left - switchedAt).toBeGreaterThanOrEqual(3000);
  });

  test('waits for minReadySeconds before it switches', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    await world.apply(release(await world.image('2.0'), { stages: oneStage, minReadySeconds: 3 }));
    await world.released('2.0');
    const { metadata } = await admin.get(DEPLOYMENTS, {
      namespace: world.namespace,
      name: objectName('web', 'prod-a', 2),
    });
    const switchedAt = Date.parse(await serviceAnnotation(world, 'web-prod-a', ANNOTATION.switchedAt));
    expect(switchedAt - Date.parse(metadata.creationTimestamp)).toBeGreaterThanOrEqual(3000);
  });

  test('gives up after progressDeadlineSeconds', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    const changes: Partial<Spec> = {
      stages: oneStage,
      progressDeadlineSeconds: 4,
      rollback: { ...brief, onFailure: 'Pause' },
    };
    await world.apply(release(await world.image('2.0-never-ready'), changes));
    const { message } = await world.stalled('Failed');
    expect(message).toMatch(/0 of 2 pods are ready after 4 s/);
    expect(await world.selected()).toEqual({ 'web-prod-a': 1 });
    await world.conditionIs('Available', { status: 'True' });
  });
});

describe.concurrent('RollingUpdate', () => {
  test('updates one Deployment in place, without a Service', async ({ world }) => {
    await world.apply(worker(await world.image('1.0')));
    await world.released('1.0');
    const before = (await world.deployments()).map(({ metadata }) => metadata.uid);
    await world.apply(worker(await world.image('2.0')));
    await world.released('2.0');
    expect((await world.deployments()).map(({ metadata }) => metadata.uid)).toEqual(before);
    expect(await world.selected()).toEqual({});
    expect((await world.pods()).map(({ revision }) => revision)).toEqual([2, 2, 2]);
  });

  test('never has fewer ready pods than maxUnavailable allows, behind an unchanged Service', async ({ world }) => {
    const changes: Partial<Spec> = {
      stages: [{ name: 'production', pools: [pool('prod-a', 3)] }],
      strategy: { type: 'RollingUpdate', maxSurge: 1, maxUnavailable: 0 },
    };
    await world.apply(release(await world.image('1.0'), changes));
    await world.released('1.0');
    await world.apply(release(await world.image('2.0'), changes));
    await world.released('2.0');
    const tracks = new Set(world.selections('web-prod-a').map(({ track }) => track));
    expect([...tracks]).toEqual(['web-prod-a-rolling']);
    expect(world.timeline('web-prod-a').at(-1)).toBe(2);
  });

  test('goes back in place', async ({ world }) => {
    await world.apply(worker(await world.image('1.0')));
    await world.released('1.0');
    await world.apply(worker(await world.image('2.0')));
    await world.released('2.0');
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    expect((await world.pods()).map(({ revision, ready }) => [revision, ready])).toEqual([
      [1, true],
      [1, true],
      [1, true],
    ]);
    await world.conditionIs('RolledBack', { status: 'True', reason: 'HeldByRollback' });
  });
});

describe.concurrent('a pause', () => {
  test.for(['spec', 'annotation'] as const)('stops promotions, but no rollback: by %s', async (by, { world }) => {
    await world.apply(release(await world.image('1.0')));
    await world.released('1.0');
    await world.apply(release(await world.image('2.0')));
    await world.released('2.0');
    const third = release(await world.image('3.0'));
    if (by === 'annotation') {
      await world.merge(APP_RELEASES, 'web', { metadata: { annotations: { [ANNOTATION.paused]: 'an audit' } } });
      await world.apply(third);
    } else {
      await world.apply({ ...third, paused: true });
    }
    await world.until(async () => {
      expect(await exists(world, REVISIONS, 'web-3')).toBe(true);
      expect(await world.condition('Paused')).toMatchObject({ status: 'True' });
      expect(await world.condition('Ready')).toMatchObject({ status: 'False', reason: 'Paused' });
    });
    expect(await world.selected()).toEqual({ 'web-canary-vms': 2, 'web-prod-a': 2 });

    await world.rollback('back', { toVersion: '1.0' });
    await world.rollbackIs('back', 'Complete', 'True');
    expect(await world.selected()).toEqual({ 'web-canary-vms': 1, 'web-prod-a': 1 });
    await world.remove(ROLLBACKS, 'back');

    if (by === 'annotation') {
      await world.merge(APP_RELEASES, 'web', { metadata: { annotations: { [ANNOTATION.paused]: null } } });
    } else {
      await world.apply(third);
    }
    await world.released('3.0');
  });
});

describe.concurrent('a change in the middle of a rollout', () => {
  test('of replicas scales the serving revision of each pool', async ({ world }) => {
    const second = await inTheMiddle(world);
    const changed: Spec['stages'] = [
      { name: 'canary', soak: '1h', pools: [pool('canary-vms', 2)] },
      { name: 'production', pools: [pool('prod-a', 3)] },
    ];
    await world.apply({ ...second, stages: changed });
    await world.until(async () => {
      expect(await world.pool('canary-vms')).toMatchObject({ revision: 2, replicas: 2, readyReplicas: 2 });
      expect(await world.pool('prod-a')).toMatchObject({ revision: 1, replicas: 3, readyReplicas: 3 });
    });
    await world.apply({ ...second, stages });
    await world.released('2.0');
  });

  test('of the version starts again at the first stage', async ({ world }) => {
    await inTheMiddle(world);
    await world.apply(release(await world.image('3.0')));
    await world.released('3.0');
    expect(world.timeline('web-canary-vms')).toEqual([1, 2, 3]);
    expect(world.timeline('web-prod-a')).toEqual([1, 3]);
  });

  test('of the pools: a new pool gets the version of its stage, a removed pool is deleted last', async ({ world }) => {
    const second = await inTheMiddle(world);
    const changed: Spec['stages'] = [
      { name: 'canary', soak: '1h', pools: [pool('canary-vms', 1)] },
      { name: 'production', pools: [pool('prod-a', 2), pool('prod-b', 1)] },
    ];
    await world.apply({ ...second, stages: changed });
    await world.until(async () => {
      expect(await world.pool('prod-b')).toMatchObject({ revision: 1, readyReplicas: 1 });
    });
    expect(await world.selected()).toEqual({ 'web-canary-vms': 2, 'web-prod-a': 1, 'web-prod-b': 1 });

    const without: Spec['stages'] = [
      { name: 'canary', soak: '500ms', pools: [pool('canary-vms', 1)] },
      { name: 'production', pools: [pool('prod-b', 1)] },
    ];
    await world.apply({ ...second, stages: without });
    await world.released('2.0');
    expect(await world.selected()).toEqual({ 'web-canary-vms': 2, 'web-prod-b': 2 });
    const left = (await world.deployments()).map(({ metadata }) => metadata.name);
    expect(left.filter((name) => name.startsWith('web-prod-a'))).toEqual([]);
  });

  test('of the order of the stages changes no running pod', async ({ world }) => {
    const second = await inTheMiddle(world);
    const reversed: Spec['stages'] = [
      { name: 'production', approval: 'Manual', pools: [pool('prod-a', 2)] },
      { name: 'canary', soak: '1h', pools: [pool('canary-vms', 1)] },
    ];
    await world.apply({ ...second, stages: reversed });
    await world.conditionIs('Ready', { status: 'False', reason: 'WaitingForApproval' });
    expect(await world.selected()).toEqual({ 'web-canary-vms': 2, 'web-prod-a': 1 });
    await world.promote('go', { stage: 'production' });
    await world.released('2.0');
  });

  test('of a placement moves the serving pods at once, and the version follows', async ({ world }) => {
    const second = await inTheMiddle(world);
    const moved: Spec['stages'] = [
      { name: 'canary', soak: '1h', pools: [pool('canary-vms', 1)] },
      { name: 'production', pools: [pool('prod-a', 2, {}, 'prod-b')] },
    ];
    await world.apply({ ...second, stages: moved });
    await world.until(async () => {
      const pods = (await world.pods('prod-a')).map(({ revision, nodeName }) => `${revision} ${nodeName.slice(0, 6)}`);
      expect(pods).toEqual(['1 prod-b', '1 prod-b']);
    });
    await world.conditionIs('Ready', { reason: 'Soaking' });
    const soaked = moved.map((stage) => ({ ...stage, soak: '500ms' }));
    await world.apply({ ...second, stages: soaked });
    await world.released('2.0');
    const served = (await world.pods('prod-a')).filter(({ revision }) => revision === 2);
    expect(served).toHaveLength(2);
    for (const { nodeName } of served) expect(nodeName).toMatch(/^prod-b-/);
  });
});

describe.concurrent('a change of a settled release', () => {
  test('of a placement moves every pool without an approval and without a new revision', async ({ world }) => {
    const spec = release(await world.image('1.0'));
    await world.apply(spec);
    await world.released('1.0');
    const moved: Spec['stages'] = [
      { name: 'canary', soak: '500ms', pools: [pool('canary-vms', 1, {}, 'prod-b')] },
      { name: 'production', approval: 'Manual', pools: [pool('prod-a', 2, {}, 'prod-b')] },
    ];
    await world.apply({ ...spec, stages: moved });
    expect(await world.released('1.0')).toMatchObject({ revision: 1 });
    await world.until(async () => {
      const nodes = (await world.pods('prod-a')).map(({ nodeName }) => nodeName.replace(/-\d$/, ''));
      expect(nodes).toEqual(['prod-b', 'prod-b']);
    });
  });

  test('of the strategy, there and back, loses no ready pod', async ({ world }) => {
    const changes = { stages: oneStage, rollback: brief };
    await world.apply(release(await world.image('1.0'), changes));
    await world.released('1.0');
    await world.apply(release(await world.image('2.0'), { ...changes, strategy: { type: 'RollingUpdate' } }));
    await world.released('2.0');
    await world.until(async () => {
      expect((await world.deployments()).map(({ metadata }) => metadata.name)).toEqual([objectName('web', 'prod-a')]);
    });
    await world.released('2.0');
    await world.apply(release(await world.image('3.0'), { ...changes, strategy: { type: 'RollingUpdate' } }));
    await world.released('3.0');
    await world.apply(release(await world.image('3.0'), changes));
    await world.until(async () => {
      expect((await world.deployments()).map(({ metadata }) => metadata.name)).toHaveLength(1);
      expect((await world.deployments())[0]?.metadata.name).toMatch(/^web-prod-a-3/);
    });
    await world.released('3.0');
  });

  test('of the pools restarts no pod in the remaining ones', async ({ world }) => {
    const spec = release(await world.image('1.0'), { stages: oneStage });
    await world.apply(spec);
    await world.released('1.0');
    const before = (await world.pods('prod-a')).map(({ uid }) => uid).toSorted();
    await world.apply({ ...spec, stages: [{ name: 'production', pools: [pool('prod-a', 2), pool('prod-b', 1)] }] });
    await world.until(async () => {
      expect(await world.released('1.0')).toMatchObject({ revision: 1, readyPools: '2/2' });
    });
    await world.apply(spec);
    await world.until(async () => {
      expect(await world.released('1.0')).toMatchObject({ readyPools: '1/1' });
      expect(await world.selected()).toEqual({ 'web-prod-a': 1 });
      expect((await world.pods()).map(({ uid }) => uid).toSorted()).toEqual(before);
    });
  });
});

describe.concurrent('the deletion', () => {
  test.for(['background', 'foreground'] as const)('removes everything: %s', async (cascade, { world }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    await world.apply(release(await world.image('2.0'), { stages: oneStage }));
    await world.released('2.0');
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    await world.kubectl('delete', 'apprelease', 'web', `--cascade=${cascade}`, '--timeout=90s');
    await world.until(async () => {
      const kinds = [DEPLOYMENTS, SERVICES, REVISIONS];
      const left = (await Promise.all(kinds.map((kind) => world.list<object>(kind)))).flat();
      expect(left).toEqual([]);
      expect(await world.kubectl('get', 'releaserollbacks', '--output=name')).toBe('');
      expect(await world.pods()).toEqual([]);
    });
  });
});
