// One autoscaler always scales the serving version of a pool, with the real controller
// of Kubernetes. There are no metrics here: it keeps the size within its bounds, which the tests change.
import { describe, expect } from 'vitest';
import { parse } from 'yaml';
import { AUTOSCALERS } from '../../src/controller/kinds/autoscalers.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import type { ManagedFieldsEntry } from '../../src/kube/types.ts';
import type { World } from './harness.ts';
import { admin, test } from './harness.ts';
import { readPage } from './page.ts';
import type { Spec } from './release-objects.ts';
import { pool, release, worker } from './release-objects.ts';
import { objectName } from '../../src/release/record/names.ts';

type Bounds = NonNullable<Spec['stages'][number]['pools'][number]['autoscaling']>;

/** Longer than two resync intervals of the controller. */
const QUIET_MS = 5_000;

function autoscaled(minReplicas: number, maxReplicas: number, more: Partial<Bounds> = {}): Pick<Spec, 'stages'> {
  const autoscaling = { minReplicas, maxReplicas, ...more };
  return { stages: [{ name: 'production', pools: [pool('prod-a', 1, { autoscaling })] }] };
}

const unscaled = { stages: [{ name: 'production', pools: [pool('prod-a', 1)] }] };

async function sizeOf({ namespace }: World, name: string): Promise<number | undefined> {
  return (await admin.get(DEPLOYMENTS, { namespace, name })).spec.replicas;
}

async function sizeIs(world: World, name: string, replicas: number): Promise<void> {
  await world.until(async () => {
    expect(await sizeOf(world, name)).toBe(replicas);
  }, 60_000);
}

async function targetOf({ namespace }: World, name = objectName('web', 'prod-a')): Promise<string> {
  return (await admin.get(AUTOSCALERS, { namespace, name })).spec.scaleTargetRef.name;
}

async function scalersOf({ namespace }: World, name: string): Promise<(string | undefined)[]> {
  const { metadata } = await admin.get(DEPLOYMENTS, { namespace, name });
  const { managedFields = [] } = metadata as { managedFields?: ManagedFieldsEntry[] };
  return managedFields
    .filter(({ fieldsV1 }) => {
      const fields = fieldsV1 as { 'f:spec'?: Record<string, unknown> } | undefined;
      return fields?.['f:spec']?.['f:replicas'] !== undefined;
    })
    .map(({ manager }) => manager);
}

async function versions(world: World): Promise<string[]> {
  return (await world.list(DEPLOYMENTS)).map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`);
}

/** Nobody writes to a Deployment, although the controller resyncs the autoscaler meanwhile. */
async function noWar(world: World): Promise<void> {
  const before = await world.until(async () => {
    const seen = await versions(world);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(await versions(world)).toEqual(seen);
    return seen;
  });
  const { length } = world.operator.writes;
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  expect(await versions(world)).toEqual(before);
  expect(world.operator.writes.slice(length)).toEqual([]);
  const put = world.operator.notices.filter(({ reason }) => ['DriftPutBack', 'Contested'].includes(reason));
  expect(put).toEqual([]);
}

/** The writes from the first to the last one of a Service or an autoscaler. */
function moves({ operator }: World, from: number): string[] {
  const writes = operator.writes.slice(from).map(({ verb, resource }) => `${verb} ${resource}`);
  const isMove = (write: string) => /services|horizontalpodautoscalers/.test(write);
  return writes.slice(writes.findIndex(isMove), writes.findLastIndex(isMove) + 1).toSorted();
}

describe.concurrent('a pool that follows its load', () => {
  test('is scaled through a switch and a rollback, without conflicts', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), autoscaled(3, 5)));
    await world.released('1.0');
    expect(await sizeOf(world, objectName('web', 'prod-a', 1))).toBe(3);
    expect(await targetOf(world)).toBe(objectName('web', 'prod-a', 1));

    // The controller takes over the scale and keeps it.
    await world.apply(release(await world.image('1.0'), autoscaled(4, 5)));
    await sizeIs(world, objectName('web', 'prod-a', 1), 4);
    expect(await scalersOf(world, objectName('web', 'prod-a', 1))).toEqual(['kube-controller-manager']);
    await world.poolIs('prod-a', { replicas: 4, readyReplicas: 4 });
    await noWar(world);

    // A new version starts at the live size, and the autoscaler moves in the step of the switch.
    const promoted = world.operator.writes.length;
    await world.apply(release(await world.image('2.0'), autoscaled(4, 5)));
    await world.released('2.0');
    await world.until(async () => {
      expect(await targetOf(world)).toBe(objectName('web', 'prod-a', 2));
    });
    expect(await sizeOf(world, objectName('web', 'prod-a', 2))).toBe(4);
    expect(moves(world, promoted)).toEqual(['apply horizontalpodautoscalers', 'apply services']);

    // The standby follows, although an autoscaler owned its scale before.
    await world.apply(release(await world.image('2.0'), autoscaled(1, 2)));
    await sizeIs(world, objectName('web', 'prod-a', 2), 2);
    await sizeIs(world, objectName('web', 'prod-a', 1), 2);
    expect(await scalersOf(world, objectName('web', 'prod-a', 1))).toEqual(['apprelease']);
    await noWar(world);

    // Roll back, with the current number of pods, and with the autoscaler.
    const rolledBack = world.operator.writes.length;
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    await world.until(async () => {
      expect(await targetOf(world)).toBe(objectName('web', 'prod-a', 1));
    });
    expect(moves(world, rolledBack)).toEqual(['apply horizontalpodautoscalers', 'apply services']);
    expect(await sizeOf(world, objectName('web', 'prod-a', 1))).toBe(2);
    await world.apply(release(await world.image('2.0'), autoscaled(3, 5)));
    await sizeIs(world, objectName('web', 'prod-a', 1), 3);
    await noWar(world);
  }, 300_000);

  test('works with the example in docs/autoscaling.md', async ({ world }) => {
    const [, text = ''] = /^```yaml\n(.*?)^```$/ms.exec(await readPage('autoscaling.md')) ?? [];
    const { spec } = parse(text) as { spec: Spec };
    const [container] = spec.template.spec.containers;
    const [prodA] = spec.stages[0]?.pools ?? [];
    // Use the test's registry and VMs.
    Object.assign(container ?? {}, { image: await world.image('1.0.0') });
    Object.assign(prodA ?? {}, pool('prod-a', prodA?.replicas ?? 0));
    await world.apply(spec);
    await world.released('1.0.0');
    expect(await sizeOf(world, objectName('web', 'prod-a', 1))).toBe(3);
    const { metrics, behavior } = prodA?.autoscaling ?? {};
    expect(
      (await admin.get(AUTOSCALERS, { namespace: world.namespace, name: objectName('web', 'prod-a') })).spec,
    ).toMatchObject({
      scaleTargetRef: { kind: 'Deployment', name: objectName('web', 'prod-a', 1) },
      minReplicas: 2,
      maxReplicas: 10,
      metrics,
      behavior,
    });
  });

  test('has the size of the spec again without autoscaling, and the autoscaler is removed', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), autoscaled(2, 5)));
    await world.released('1.0');
    await world.apply(release(await world.image('1.0'), autoscaled(3, 5)));
    await sizeIs(world, objectName('web', 'prod-a', 1), 3);
    await world.apply(release(await world.image('1.0'), unscaled));
    await sizeIs(world, objectName('web', 'prod-a', 1), 1);
    await world.until(async () => {
      expect(await world.list(AUTOSCALERS)).toEqual([]);
    });
    const stages = [{ name: 'production', pools: [pool('prod-a', 2)] }];
    await world.apply(release(await world.image('1.0'), { stages }));
    await sizeIs(world, objectName('web', 'prod-a', 1), 2);
    await noWar(world);
  }, 200_000);

  test('of workers is updated in place at the live size, and the autoscaler is removed with the release', async ({
    world,
  }) => {
    await world.apply(worker(await world.image('1.0'), autoscaled(2, 5)));
    await world.released('1.0');
    await world.apply(worker(await world.image('1.0'), autoscaled(4, 5)));
    await sizeIs(world, objectName('web', 'prod-a'), 4);
    await world.apply(worker(await world.image('2.0'), autoscaled(4, 5)));
    await world.released('2.0');
    expect(await sizeOf(world, objectName('web', 'prod-a'))).toBe(4);
    expect(await targetOf(world)).toBe(objectName('web', 'prod-a'));
    await noWar(world);
    await world.kubectl('delete', 'apprelease/web');
    await world.until(async () => {
      expect(await world.list(AUTOSCALERS)).toEqual([]);
    });
  }, 200_000);

  test('with metrics that Kubernetes refuses has a condition, and keeps running', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), autoscaled(1, 3, { metrics: [{ type: 'Resource' }] })));
    await world.stalled('Refused');
    expect((await world.condition('Stalled')).message).toMatch(/refuses the autoscaling of pool prod-a: spec.metrics/);
    await world.poolIs('prod-a', { version: '1.0', readyReplicas: 1 });
    await world.apply(release(await world.image('1.0'), autoscaled(1, 3, { behavior: { scaleDwn: {} } })));
    await world.until(async () => {
      expect((await world.condition('Stalled')).message).toMatch(/refuses the autoscaling of pool prod-a: .*scaleDwn/);
    });

    // Kubernetes writes 1000m as 1, which is no drift.
    const target = { type: 'AverageValue', averageValue: '1000m' };
    const metrics = [{ type: 'Pods', pods: { metric: { name: 'requests' }, target } }];
    const behavior = { scaleDown: { stabilizationWindowSeconds: 60 } };
    await world.apply(release(await world.image('1.0'), autoscaled(1, 3, { metrics, behavior })));
    await world.released('1.0');
    expect(
      (await admin.get(AUTOSCALERS, { namespace: world.namespace, name: objectName('web', 'prod-a') })).spec,
    ).toMatchObject({
      metrics: [{ pods: { target: { averageValue: '1' } } }],
      behavior,
    });
    await noWar(world);
  }, 200_000);

  test('leaves a foreign autoscaler of the same name alone, and restores its own', async ({ world }) => {
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'other' };
    await world.applyAs('somebody', AUTOSCALERS, {
      metadata: { name: objectName('web', 'prod-a') },
      spec: { scaleTargetRef, minReplicas: 1, maxReplicas: 2 },
    } as never);
    await world.apply(release(await world.image('1.0'), autoscaled(1, 3)));
    await world.stalled('NameTaken');
    expect((await world.condition('Stalled')).message).toMatch(
      /HorizontalPodAutoscaler web-prod-a-\w+ belongs to somebody/,
    );
    expect(await targetOf(world)).toBe('other');
    await world.poolIs('prod-a', { version: '1.0', readyReplicas: 1 });
    await world.remove(AUTOSCALERS, objectName('web', 'prod-a'));
    await world.until(async () => {
      expect(await targetOf(world)).toBe(objectName('web', 'prod-a', 1));
    }, 60_000);
    await world.merge(AUTOSCALERS, objectName('web', 'prod-a'), {
      spec: { scaleTargetRef: { name: 'other' }, maxReplicas: 9 },
    });
    await world.until(async () => {
      const { spec } = await admin.get(AUTOSCALERS, { namespace: world.namespace, name: objectName('web', 'prod-a') });
      expect(spec).toMatchObject({ scaleTargetRef: { name: objectName('web', 'prod-a', 1) }, maxReplicas: 3 });
    });
    await world.released('1.0');
  }, 200_000);
});
