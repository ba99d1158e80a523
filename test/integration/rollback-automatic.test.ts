// Automatic rollbacks of failed versions, and causes that are no failure of the version.
import { describe, expect } from 'vitest';
import { ROLLBACKS } from '../../src/controller/kinds/api-kinds.ts';
import { PODS } from '../../src/controller/kinds/pods.ts';
import { toCachedRevision, REVISIONS } from '../../src/controller/kinds/revisions.ts';
import type { Resource } from '../../src/kube/types.ts';
import { parseRevision, poolFacts } from '../../src/release/record/revision.ts';
import { addNodes, setNodeReady } from '../cluster/nodes.ts';
import type { World } from './harness.ts';
import { admin, cluster, test } from './harness.ts';
import type { Rollback, Spec } from './release-objects.ts';
import { behaving, oneStage, pool, release } from './release-objects.ts';
import { objectName } from '../../src/release/record/names.ts';

const quotas: Resource = { apiVersion: 'v1', kind: 'ResourceQuota', plural: 'resourcequotas', namespaced: true };
const nodes: Resource = { apiVersion: 'v1', kind: 'Node', plural: 'nodes', namespaced: false };

async function rollbacks(world: World): Promise<string[]> {
  return (await world.list(ROLLBACKS)).map(({ metadata }) => metadata.name);
}

/** Working pods are ready by then, also on a slow machine. */
const DEADLINE_S = 15;

function answering(onFailure: Rollback['onFailure']): Partial<Spec> {
  return { rollback: { warmFor: '5m', drain: '100ms', onFailure }, progressDeadlineSeconds: DEADLINE_S };
}

/** Version 1 in three pools; version 2 works in all pools except prod-b. */
async function failInOnePool(world: World, onFailure: Rollback['onFailure']): Promise<Spec> {
  const stages = (b: object): Spec['stages'] => [
    { name: 'canary', pools: [pool('canary-vms', 1)] },
    { name: 'production', pools: [pool('prod-a', 1), pool('prod-b', 1, b)] },
  ];
  await world.apply(release(await world.image('1.0'), { stages: stages({}) }));
  await world.released('1.0');
  const bad = release(await world.image('2.0'), { stages: stages(behaving('never-ready')), ...answering(onFailure) });
  await world.apply(bad);
  return bad;
}

/** Waits until the pool's deadline has passed, plus one second for the operator. */
async function deadlineIsOver(world: World, poolName: string, number: number): Promise<void> {
  await world.until(async () => {
    const object = await admin.get(REVISIONS, { namespace: world.namespace, name: `web-${number}` });
    const revision = parseRevision(toCachedRevision(object));
    const entered = revision && poolFacts(revision, poolName).entered?.at;
    expect(Date.now()).toBeGreaterThan(Date.parse(entered ?? '') + DEADLINE_S * 1000 + 1000);
  });
}

describe.concurrent('a version that fails', () => {
  test('is rolled back in every pool with RollbackAll: once, by a rollback like a person’s', async ({ world }) => {
    const bad = await failInOnePool(world, 'RollbackAll');
    await world.rollbackIs('web-r2-1', 'Complete', 'True');
    expect(await world.selected()).toEqual({ 'web-canary-vms': 1, 'web-prod-a': 1, 'web-prod-b': 1 });
    await world.conditionIs('RolledBack', { status: 'True' });
    await world.conditionIs('Stalled', { status: 'True', reason: 'RolledBack' });
    const message = /wants 2\.0, runs 1\.0 by web-r2-1: .*failed in pool prod-b/;
    await world.conditionIs('Ready', { message: expect.stringMatching(message) as string });

    await world.apply(bad, { annotations: { 'example.com/synced': 'yes' } });
    await world.operator.restart();
    await world.until(() => world.condition('RolledBack'));
    expect(await rollbacks(world)).toEqual(['web-r2-1']);
    expect(world.timeline('web-canary-vms')).toEqual([1, 2, 1]);
    expect(world.timeline('web-prod-b')).toEqual([1]);
    await world.newestIs({ version: '2.0', outcome: 'Failed' });
  });

  test('is rolled back only in its pool with RollbackPool', async ({ world }) => {
    await failInOnePool(world, 'RollbackPool');
    await world.until(async () => {
      expect(await rollbacks(world)).toHaveLength(1);
      expect(await world.condition('RolledBack')).toMatchObject({ status: 'True' });
    });
    const [name = ''] = await rollbacks(world);
    const { pools = [] } = await world.rollbackIs(name, 'Complete', 'True');
    expect(pools).toMatchObject([{ name: 'prod-b', to: 1 }]);
    expect(await world.selected()).toEqual({ 'web-canary-vms': 2, 'web-prod-a': 2, 'web-prod-b': 1 });
  });

  test('stays with Pause, and waits for a person', async ({ world }) => {
    await failInOnePool(world, 'Pause');
    const { message } = await world.stalled('Failed');
    expect(message).toMatch(/2\.0 \(revision 2\) failed in pool prod-b.*onFailure is Pause/);
    expect(await rollbacks(world)).toEqual([]);
    expect(await world.selected()).toEqual({ 'web-canary-vms': 2, 'web-prod-a': 2, 'web-prod-b': 1 });
    await world.conditionIs('Available', { status: 'True' });
  });

  test.for([
    { tag: '2.0-crash-loop', says: /crashes repeatedly/ },
    { tag: '2.0-never-ready', says: new RegExp(`0 of 2 pods are ready after ${DEADLINE_S} s`) },
    { tag: '2.0-missing', says: /not found/ },
  ])('fails by $tag', async ({ tag, says }, { world }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    const deadline = tag.endsWith('never-ready') ? answering('RollbackAll') : {};
    await world.apply(release(await world.image(tag), { stages: oneStage, ...deadline }));
    await world.rollbackIs('web-r2-1', 'Complete', 'True');
    const { spec } = await admin.get(ROLLBACKS, { namespace: world.namespace, name: 'web-r2-1' });
    expect(spec.reason).toMatch(says);
    expect(world.timeline('web-prod-a')).toEqual([1]);
    await world.until(async () => {
      expect((await world.deployments()).map(({ metadata }) => metadata.name)).toEqual([
        objectName('web', 'prod-a', 1),
      ]);
    });
  });

  test('again after a retry is rolled back again, by another rollback', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    await world.apply(release(await world.image('2.0-crash-loop'), { stages: oneStage, ...answering('RollbackAll') }));
    await world.rollbackIs('web-r2-1', 'Complete', 'True');
    await world.promote('retry', { stage: 'production', revision: 2 });
    await world.rollbackIs('web-r2-2', 'Complete', 'True');
    expect(await rollbacks(world)).toEqual(['web-r2-1', 'web-r2-2']);
    expect(world.timeline('web-prod-a')).toEqual([1]);
  });

  test('without a good revision to return to waits for a person', async ({ world }) => {
    await world.apply(release(await world.image('1.0-crash-loop'), { stages: oneStage, ...answering('RollbackAll') }));
    await world.stalled('NothingToReturnTo');
    expect(await rollbacks(world)).toEqual([]);
    await world.apply(release(await world.image('2.0'), { stages: oneStage }));
    await world.released('2.0');
  });

  test('while the previous version fails too waits for a person', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    await world.behave(1, 'unready');
    await world.conditionIs('Available', { status: 'False' });
    await world.apply(release(await world.image('2.0-crash-loop'), { stages: oneStage, ...answering('RollbackAll') }));
    await world.stalled('PreviousFailsToo');
    expect(await rollbacks(world)).toEqual([]);
  });

  test('behind a barrier waits for a person', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    const { rollback, ...rest } = answering('RollbackAll');
    const changes = { stages: oneStage, ...rest, rollback: { ...rollback, barrier: true } };
    await world.apply(release(await world.image('2.0-crash-loop'), changes));
    await world.stalled('Barrier');
    expect(await rollbacks(world)).toEqual([]);
    expect(await world.selected()).toEqual({ 'web-prod-a': 1 });
  });

  test('like the target of its rollback: no other rollback follows, and the serving pods stay', async ({ world }) => {
    const slow = { 'sim.apprelease.dev/start-delay': '6s' };
    const changes: Partial<Spec> = {
      stages: oneStage,
      rollback: { warmFor: '0s', drain: '100ms' },
    };
    const first = release(await world.image('1.0'), changes);
    const metadata = { labels: { app: 'web' }, annotations: slow };
    await world.apply({ ...first, template: { ...first.template, metadata } });
    await world.released('1.0');
    await world.apply(release(await world.image('2.0'), changes));
    await world.released('2.0');
    await world.until(async () => {
      expect((await world.pods()).map(({ revision }) => revision)).toEqual([2, 2]);
    });
    await world.rollback('back');
    const broken = new Set<string>();
    await world.until(async () => {
      for (const { name, revision } of await world.pods()) {
        if (revision !== 1 || broken.has(name)) continue;
        const annotations = { 'sim.apprelease.dev/behaviour': 'crash-loop' };
        await world.merge(PODS, name, { metadata: { annotations } });
        broken.add(name);
      }
      expect(broken.size).toBe(2);
    });
    const { message } = await world.stalled('RollbackFailed');
    expect(message).toMatch(/rollback back to version 1\.0 \(revision 1\) fails in pool prod-a/);
    expect(await rollbacks(world)).toEqual(['back']);
    expect(await world.selected()).toEqual({ 'web-prod-a': 2 });
    await world.conditionIs('Available', { status: 'True' });
  });
});

describe.concurrent('no failure of the version', () => {
  test('is a pod without room', async ({ world }) => {
    const vms = { nodeSelector: { 'example.com/vms': world.namespace }, tolerations: [] };
    const stages: Spec['stages'] = [{ name: 'production', pools: [pool('prod-a', 1, vms)] }];
    await world.apply(release(await world.image('1.0'), { stages, ...answering('RollbackAll') }));
    await deadlineIsOver(world, 'prod-a', 1);
    await world.conditionIs('CapacityAvailable', { status: 'False', reason: 'Unschedulable' });
    await world.conditionIs('Stalled', { status: 'False' });
    const [node = ''] = await addNodes(cluster, {
      name: world.namespace,
      count: 1,
      labels: { 'example.com/vms': world.namespace },
    });
    await world.released('1.0');
    await admin.delete(nodes, { name: node });
  });

  test('is a quota', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    await world.applyAs('somebody', quotas, { metadata: { name: 'pods' }, spec: { hard: { pods: '2' } } } as never);
    await world.until(async () => {
      const status = await world.kubectl('get', 'resourcequota/pods', '--output=jsonpath={.status.used.pods}');
      expect(status).toBe('2');
    });
    await world.apply(release(await world.image('2.0'), { stages: oneStage, ...answering('RollbackAll') }));
    await world.until(() => {
      expect(world.operator.notices.map(({ reason }) => reason)).toContain('QuotaExceeded');
    });
    await deadlineIsOver(world, 'prod-a', 2);
    await world.conditionIs('Stalled', { status: 'False' });
    await world.poolIs('prod-a', { waitingFor: expect.stringMatching(/exceeded quota/) as string });
    expect(await rollbacks(world)).toEqual([]);
    await world.remove(quotas, 'pods');
    await world.released('2.0');
  });

  test('is a node that is not ready', async ({ world }) => {
    const vms = { nodeSelector: { 'example.com/vms': world.namespace }, tolerations: [] };
    const [node = ''] = await addNodes(cluster, {
      name: world.namespace,
      count: 1,
      labels: { 'example.com/vms': world.namespace },
    });
    const stages: Spec['stages'] = [{ name: 'production', pools: [pool('prod-a', 1, vms)] }];
    const spec = release(await world.image('1.0'), { stages, ...answering('RollbackAll') });
    const metadata = { labels: { app: 'web' }, annotations: { 'sim.apprelease.dev/behaviour': 'unready' } };
    await world.apply({ ...spec, template: { ...spec.template, metadata } });
    await world.until(async () => {
      expect((await world.pods()).map(({ nodeName }) => nodeName)).toEqual([node]);
    });
    await setNodeReady(cluster, node, false);
    await world.until(() => {
      expect(world.operator.notices.map(({ reason }) => reason)).toContain('NodeNotReady');
    });
    await deadlineIsOver(world, 'prod-a', 1);
    await world.conditionIs('Stalled', { status: 'False' });
    await setNodeReady(cluster, node, true);
    await world.behave(1, 'ready');
    await world.released('1.0');
    await admin.delete(nodes, { name: node });
  });

  test('is a registry that is down', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    await world.apply(
      release(await world.image('2.0-registry-down'), { stages: oneStage, ...answering('RollbackAll') }),
    );
    await world.until(() => {
      expect(world.operator.notices.map(({ reason }) => reason)).toContain('RegistryUnavailable');
    });
    await deadlineIsOver(world, 'prod-a', 2);
    expect(await rollbacks(world)).toEqual([]);
    await world.conditionIs('Stalled', { status: 'False' });
    await world.behave(2, 'ready');
    await world.released('2.0');
  });

  test('but a pod with another digest than the recorded one never counts as done', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    await world.apply(
      release(await world.image('2.0-wrong-digest'), { stages: oneStage, progressDeadlineSeconds: 600 }),
    );
    await world.until(async () => {
      const ready = (await world.pods()).filter((pod) => pod.revision === 2 && pod.ready);
      expect(ready).toHaveLength(2);
      expect((await world.pool('prod-a')).waitingFor).toMatch(
        /runs sha256:[0-9a-f]{64}, but the recorded digest is sha256:/,
      );
    });
    await world.conditionIs('Ready', { status: 'False' });
    expect(world.timeline('web-prod-a')).toEqual([1]);
  });
});
