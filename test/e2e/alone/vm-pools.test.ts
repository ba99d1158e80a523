// Pools of VMs with real kubelets: numbers, drains and replacements under load.
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, onTestFinished } from 'vitest';
import { addResources, parseResources } from '../../../src/scheduling/quantity.ts';
import type { Spec } from '../../integration/release-objects.ts';
import { errorsOf, runsOf, startAsker } from '../asker.ts';
import { deploymentsOf, POOLS, SERVICE_NAMES } from '../releases.ts';
import { kubectl, test } from '../world.ts';
import {
  describedRequests,
  drain,
  makeVmPools,
  memoryOf,
  namesOf,
  onVmPools,
  replaceVm,
  getVmPool,
  vmsOf,
  type Vm,
} from '../vms.ts';
import { objectName } from '../../../src/release/record/names.ts';

const PROMOTION: Spec['stages'] = [
  { name: 'canary', soak: '2s', pools: [{ name: 'canary-vms', replicas: 1 }] },
  { name: 'first', soak: '1s', pools: [{ name: 'prod-a', replicas: 2 }] },
  { name: 'second', pools: [{ name: 'prod-b', replicas: 2 }] },
];

const THREE_ON_PROD_A: Spec['stages'] = [{ name: 'production', pools: [{ name: 'prod-a', replicas: 3 }] }];

const PROD_A = { 'prod-a': SERVICE_NAMES['prod-a'] };

async function requestsByDescribe(pool: string) {
  return addResources(...(await Promise.all((await namesOf(pool)).map(describedRequests))));
}

function commonOf(vms: readonly Vm[], field: keyof Vm['status']['nodeInfo']): string {
  const found = [...new Set(vms.map(({ status }) => status.nodeInfo[field]))];
  // All VMs use one image.
  expect(found).toHaveLength(1);
  return found[0] ?? '';
}

describe('a pool', () => {
  test('that only its VMPool describes gets releases, and its numbers equal those of kubectl describe', async ({
    world,
  }) => {
    await makeVmPools(onTestFinished);
    await world.apply(await onVmPools(world, '1.0.0', PROMOTION));
    await world.released('1.0.0');
    for (const { pool, node } of await world.pods()) expect(await namesOf(pool)).toContain(node);
    for (const pool of POOLS) {
      // Pods of other tests may still be terminating.
      await world.until(`the numbers of ${pool}`, async () => {
        const { pods, requested } = (await getVmPool(pool)).status ?? {};
        const described = await requestsByDescribe(pool);
        return isDeepStrictEqual(parseResources({ ...requested, pods }), described) && described['cpu'] !== 0;
      });
      const vms = await vmsOf(pool);
      const [os, kubelet, kernel] = (['osImage', 'kubeletVersion', 'kernelVersion'] as const).map((field) =>
        commonOf(vms, field),
      );
      expect((await getVmPool(pool)).status).toMatchObject({
        os,
        kubelet,
        kernel,
        readyNodes: `${vms.length}/${vms.length}`,
      });
      const percent = /^\d+%$/;
      await world.until(`the row of ${pool}`, async () => {
        const row = (await kubectl('get', 'vmpool', pool, '--no-headers')).split(/ {2,}/);
        const { pods } = (await getVmPool(pool)).status ?? {};
        const [name, ready, draining, shownPods, cpu = '', memory = '', ...rest] = row.slice(0, -1);
        const shown = [name, ready, draining, shownPods, ...rest];
        const expected = [pool, `${vms.length}/${vms.length}`, '0', String(pods), os, kubelet, 'everybody'];
        return isDeepStrictEqual(shown, expected) && percent.test(cpu) && percent.test(memory);
      });
    }
    const releases = (await getVmPool('prod-a')).status?.releases ?? [];
    expect(releases).toContainEqual({ namespace: world.namespace, name: 'web', versions: ['1.0.0'], pods: 2 });
  });

  test('with a draining VM: no request fails, and a version without room elsewhere waits until the VM is back', async ({
    world,
  }) => {
    await makeVmPools(onTestFinished);
    // A VM takes three pods, and not six.
    const requests = await memoryOf('prod-a', 20);
    await world.apply(await onVmPools(world, '1.0.0', THREE_ON_PROD_A, requests));
    await world.released('1.0.0');
    const asker = await startAsker(world, PROD_A);
    const [{ node } = { node: '' }] = await world.pods('prod-a');
    onTestFinished(async () => {
      await kubectl('uncordon', node);
    });
    async function wantAnother(): Promise<void> {
      await kubectl('wait', 'vmpool/prod-a', '--for=condition=Draining', '--timeout=60s');
      await world.apply(await onVmPools(world, '2.0.0', THREE_ON_PROD_A, requests));
      const { message } = await world.conditionIs('Ready', 'False', 'VMsUnavailable');
      expect(message).toContain(`pool prod-a: VM ${node} is being drained`);
    }
    await Promise.all([drain(node), wantAnother()]);
    const { status } = await getVmPool('prod-a');
    expect(status).toMatchObject({ readyNodes: '1/2', nodes: { total: 2, ready: 1, draining: 1, notReady: 0 } });
    expect(status?.conditions?.find(({ type }) => type === 'Draining')?.message).toContain(node);
    await world.conditionIs('Ready', 'False', 'VMsUnavailable');
    await world.until('all pods on the other VM', async () => {
      const pods = await world.pods('prod-a');
      return pods.length === 3 && pods.every((pod) => pod.ready && pod.node !== node);
    });
    expect(await deploymentsOf(world)).toBe(objectName('web', 'prod-a', 1));
    expect(runsOf(await asker.answers(), 'prod-a').map(({ version }) => version)).toEqual(['1.0.0']);

    await kubectl('uncordon', node);
    await world.released('2.0.0');
    await asker.hears('prod-a', '2.0.0');
    await kubectl('wait', 'vmpool/prod-a', '--for=condition=Ready', '--timeout=60s');
    const answers = await asker.answers();
    expect(errorsOf(answers)).toEqual([]);
    expect(runsOf(answers, 'prod-a').map(({ version }) => version)).toEqual(['1.0.0', '2.0.0']);
  });

  test('whose VMs are all replaced during a promotion: no request fails, and nothing is rolled back', async ({
    world,
  }) => {
    await makeVmPools(onTestFinished);
    await world.apply(await onVmPools(world, '1.0.0', PROMOTION));
    await world.released('1.0.0');
    const asker = await startAsker(world, SERVICE_NAMES);
    const before = { pods: await world.pods('prod-a'), vms: await vmsOf('prod-a') };
    await world.apply(await onVmPools(world, '2.0.0', PROMOTION));
    await world.serves('canary-vms', '2.0.0');
    for (const { metadata } of before.vms) await replaceVm(world, metadata.name, ['1.0.0', '2.0.0']);

    await world.released('2.0.0');
    for (const pool of POOLS) await asker.hears(pool, '2.0.0');
    const vms = await vmsOf('prod-a');
    expect(vms.map(({ metadata }) => metadata.name)).toEqual(before.vms.map(({ metadata }) => metadata.name));
    const old = new Set([...before.vms.map(({ metadata }) => metadata.uid), ...before.pods.map(({ uid }) => uid)]);
    const pods = await world.pods('prod-a');
    for (const uid of [...vms.map(({ metadata }) => metadata.uid), ...pods.map((pod) => pod.uid)]) {
      expect(old).not.toContain(uid);
    }
    expect(pods.filter(({ ready, image }) => ready && image.includes(':2.0.0@'))).toHaveLength(2);
    expect(await world.kubectl('get', 'releaserollbacks', '--output=name')).toBe('');
    expect((await world.status()).history?.[0]).toMatchObject({ version: '2.0.0', outcome: 'Good' });
    const answers = await asker.answers();
    expect(errorsOf(answers)).toEqual([]);
    for (const pool of POOLS) expect(runsOf(answers, pool).map(({ version }) => version)).toEqual(['1.0.0', '2.0.0']);
  });
});
