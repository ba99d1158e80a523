// Limits for drains: one PodDisruptionBudget for each pool and serving revision, moved around the switch.
import { describe, expect } from 'vitest';
import { LABEL } from '../../src/api/meta.ts';
import { BUDGETS } from '../../src/controller/kinds/budgets.ts';
import { PODS } from '../../src/controller/kinds/pods.ts';
import { DO_NOT_DISRUPT } from '../../src/release/pools/do-not-disrupt.ts';
import { addNodes } from '../cluster/nodes.ts';
import type { World } from './harness.ts';
import { cluster, test } from './harness.ts';
import { oneStage, pool, release, template } from './release-objects.ts';
import { objectName } from '../../src/release/record/names.ts';

async function budgets(world: World): Promise<string[]> {
  return (await world.list(BUDGETS)).map(({ metadata }) => metadata.name).toSorted();
}

async function budgetsAre(world: World, names: readonly string[], timeoutMs?: number): Promise<void> {
  await world.until(async () => {
    expect(await budgets(world)).toEqual(names);
  }, timeoutMs);
}

/** Evicts a pod as a drain does; returns the answer of the API server. */
async function evict(world: World, pod: string): Promise<string> {
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace: world.namespace } };
  const path = `/api/v1/namespaces/${world.namespace}/pods/${pod}/eviction`;
  return cluster
    .kubectl(['create', '--raw', path, '-f', '-'], { input: JSON.stringify(body) })
    .then(() => 'evicted')
    .catch((error: unknown) => String(error));
}

/** For each pod: its revision, and its annotations for autoscalers of VMs. */
async function holds(world: World): Promise<string[]> {
  return (await world.list(PODS))
    .map(({ metadata }) => {
      const { labels = {}, annotations = {} } = metadata as {
        labels?: Record<string, string>;
        annotations?: Record<string, string>;
      };
      const asked = Object.keys(DO_NOT_DISRUPT).flatMap((key) =>
        annotations[key] === undefined ? [] : `${key}=${annotations[key]}`,
      );
      return [labels[LABEL.revision], ...asked].join(' ');
    })
    .toSorted();
}

/** The minimum number of ready pods during an action. */
async function fewestReady(world: World, work: () => Promise<void>): Promise<number> {
  const state = { done: false, fewest: Number.POSITIVE_INFINITY };
  async function look(): Promise<void> {
    while (!state.done) {
      state.fewest = Math.min(state.fewest, (await world.pods()).filter(({ ready }) => ready).length);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  const looking = look();
  await work().finally(() => {
    state.done = true;
  });
  await looking;
  return state.fewest;
}

describe.concurrent('PodDisruptionBudgets', () => {
  test('exist for the serving revision, before and after a switch and a rollback; no pod ever has two', async ({
    world,
  }) => {
    const changes = { stages: oneStage, rollback: { warmFor: '5m', drain: '100ms' } };
    await world.apply(release(await world.image('1.0'), changes));
    await world.released('1.0');
    await budgetsAre(world, [objectName('web', 'prod-a', 1)]);
    await world.conditionIs('DisruptionLimited', { status: 'True', reason: 'Budgeted' });
    await world.apply(release(await world.image('2.0'), changes));
    await world.released('2.0');
    await budgetsAre(world, [objectName('web', 'prod-a', 2)]);
    // The budget of the new revision existed before the switch.
    const writes = world.operator.writes.map(({ verb, resource, name }) => `${verb} ${resource} ${name}`);
    const made = writes.indexOf(`create poddisruptionbudgets ${objectName('web', 'prod-a', 2)}`);
    expect(made).toBeGreaterThan(-1);
    expect(made).toBeLessThan(writes.lastIndexOf('apply services web-prod-a'));
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    // That of the version that was left has moved, in one write.
    await world.until(async () => {
      const selected = (await world.list(BUDGETS)).map(({ spec }) => spec.selector?.matchLabels?.[LABEL.workload]);
      expect(selected).toEqual([objectName('web', 'prod-a', 1)]);
    });
    await budgetsAre(world, [objectName('web', 'prod-a', 2)]);
    for (const { spec } of await world.list(BUDGETS))
      expect(spec).toMatchObject({ maxUnavailable: '25%', unhealthyPodEvictionPolicy: 'AlwaysAllow' });
  });

  test('allow the eviction of one pod at a time, and of all pods that are not ready', async ({ world }) => {
    const stages = [{ name: 'production', pools: [pool('prod-a', 3)] }];
    const image = await world.image('1.0');
    // The replacement of an evicted pod is not ready before the answer to the second eviction.
    const slow = template(image, { 'sim.apprelease.dev/start-delay': '5s' });
    await world.apply(release(image, { stages, template: slow, disruption: { maxUnavailable: 1 } }));
    await world.released('1.0');
    await world.until(async () => {
      const [budget] = await world.list(BUDGETS);
      expect((budget as { status?: object } | undefined)?.status).toMatchObject({ disruptionsAllowed: 1 });
    });
    const [first, second, third] = await world.pods();
    const answers = await Promise.all([first, second].map((pod) => evict(world, pod?.name ?? '')));
    expect(answers.toSorted()).toEqual([
      expect.stringMatching(/violate the pod's disruption budget/),
      expect.stringMatching(/^evicted$/),
    ]);
    await world.behave(1, 'unready');
    await world.until(async () => {
      expect((await world.pods()).filter(({ ready }) => ready)).toEqual([]);
    });
    expect(await evict(world, third?.name ?? '')).toBe('evicted');
  });

  test('are not created if a drain would wait forever, or if a user has one', async ({ world }) => {
    await world.apply(
      release(await world.image('1.0'), { stages: [{ name: 'production', pools: [pool('prod-a', 1)] }] }),
    );
    await world.released('1.0');
    const { message } = await world.conditionIs('DisruptionLimited', { status: 'False', reason: 'NothingToLimit' });
    expect(message).toMatch(/a drain may evict all pods at once in prod-a: set more replicas/);
    expect(await budgets(world)).toEqual([]);

    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await budgetsAre(world, [objectName('web', 'prod-a', 1)]);
    const spec = { minAvailable: 1, selector: { matchLabels: { app: 'web' } } };
    await world.applyAs('somebody', BUDGETS, { metadata: { name: 'own' }, spec } as never);
    await budgetsAre(world, ['own']);
    await world.conditionIs('DisruptionLimited', { status: 'True', reason: 'ForeignBudget' });
    await world.remove(BUDGETS, 'own');
    await budgetsAre(world, [objectName('web', 'prod-a', 1)]);
  });

  test('are restored, and removed with the release', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    await budgetsAre(world, [objectName('web', 'prod-a', 1)]);
    await world.merge(BUDGETS, objectName('web', 'prod-a', 1), { spec: { maxUnavailable: 0 } });
    await world.until(async () => {
      const [budget] = await world.list(BUDGETS);
      expect(budget?.spec).toMatchObject({ maxUnavailable: '25%' });
    });
    await world.remove(BUDGETS, objectName('web', 'prod-a', 1));
    await budgetsAre(world, [objectName('web', 'prod-a', 1)]);
    await world.kubectl('delete', 'apprelease', 'web');
    // The garbage collector discovers new kinds every 30 s.
    await budgetsAre(world, [], 90_000);
  });

  test('autoscalers of VMs are asked to wait only while a version rolls out', async ({ world }) => {
    const changes = { stages: oneStage, disruption: { holdVMs: true } };
    await world.apply(release(await world.image('1.0'), changes));
    await world.released('1.0');
    await world.apply(release(await world.image('2.0-never-ready'), changes));
    const held = [
      '1 karpenter.sh/do-not-disrupt=true cluster-autoscaler.kubernetes.io/safe-to-evict=false',
      '2 karpenter.sh/do-not-disrupt=true cluster-autoscaler.kubernetes.io/safe-to-evict=false',
    ];
    await world.until(async () => {
      expect(await holds(world)).toEqual([held[0], held[0], held[1], held[1]]);
    });
    await world.behave(2, 'ready');
    await world.released('2.0');
    await world.until(async () => {
      expect(await holds(world)).toEqual(['1', '1', '2', '2']);
    });
  });

  test('pods that a deleted release leaves behind hold no VM', async ({ world }) => {
    const changes = { stages: oneStage, disruption: { holdVMs: true } };
    await world.apply(release(await world.image('1.0'), changes));
    await world.released('1.0');
    await world.apply(release(await world.image('2.0-never-ready'), changes));
    await world.until(async () => {
      expect((await holds(world)).every((hold) => hold.includes('=true'))).toBe(true);
      expect(await holds(world)).toHaveLength(4);
    });
    await world.kubectl('delete', 'apprelease', 'web', '--cascade=orphan', '--timeout=60s');
    await world.until(async () => {
      expect(await holds(world)).toEqual(['1', '1', '2', '2']);
    });
  });

  test('when VMs are replaced one by one, all pods move to the new ones, and never too few are ready', async ({
    world,
    onTestFinished,
  }) => {
    const labels = { 'example.com/vms': world.namespace };
    const old = await addNodes(cluster, { name: `${world.namespace}-old`, count: 3, labels });
    onTestFinished(async () => {
      await cluster.kubectl(['delete', 'node', `--selector=example.com/vms=${world.namespace}`, '--wait=false']);
    });
    const stages = [{ name: 'production', pools: [pool('prod-a', 3, { nodeSelector: labels, tolerations: [] })] }];
    await world.apply(release(await world.image('1.0'), { stages }));
    await world.released('1.0');
    await budgetsAre(world, [objectName('web', 'prod-a', 1)]);
    const fresh = await addNodes(cluster, { name: `${world.namespace}-new`, count: 3, labels });
    const least = await fewestReady(world, async () => {
      for (const node of old) {
        await cluster.kubectl(['drain', node, '--timeout=60s']);
        await cluster.kubectl(['delete', 'node', node]);
      }
    });
    expect(least).toBeGreaterThanOrEqual(2);
    await world.until(async () => {
      const pods = (await world.pods()).filter(({ ready }) => ready);
      expect(pods).toHaveLength(3);
      for (const { nodeName } of pods) expect(fresh).toContain(nodeName);
    });
    await world.conditionIs('Ready', { status: 'True' });
  });
});
