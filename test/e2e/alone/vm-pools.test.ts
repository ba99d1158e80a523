// Issue 5: pools of VMs with real kubelets: their numbers, drained and replaced under load, images before traffic.
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, onTestFinished } from 'vitest';
import { addResources, parseResources } from '../../../src/pool/quantity.ts';
import type { Spec } from '../../integration/release-objects.ts';
import { trustRegistry } from '../../kind/cluster.ts';
import { errorsOf, runsOf, startAsker } from '../asker.ts';
import { forget, imagePulls } from '../nodes.ts';
import { POOLS, SERVICES } from '../releases.ts';
import { e2e, kubectl, test, type World } from '../world.ts';
import {
  describedRequests,
  drain,
  hasImage,
  makeVmPools,
  namesOf,
  onVmPools,
  replaceVm,
  vmPool,
  vmsOf,
  type Vm,
} from '../vms.ts';

const PROMOTION: Spec['stages'] = [
  { name: 'canary', soak: '2s', pools: [{ name: 'canary-vms', replicas: 1 }] },
  { name: 'first', soak: '1s', pools: [{ name: 'prod-a', replicas: 2 }] },
  { name: 'second', pools: [{ name: 'prod-b', replicas: 2 }] },
];

function prodA(replicas: number, more: Partial<Spec['stages'][number]> = {}): Spec['stages'] {
  return [{ name: 'production', pools: [{ name: 'prod-a', replicas }], ...more }];
}

const PROD_A = { 'prod-a': SERVICES['prod-a'] };

async function deployments(world: World): Promise<string> {
  return world.kubectl('get', 'deployments', '--output=jsonpath={.items[*].metadata.name}');
}

async function poolOf(world: World, name: string) {
  return (await world.status()).pools?.find((pool) => pool.name === name);
}

async function requestsByDescribe(pool: string) {
  return addResources(...(await Promise.all((await namesOf(pool)).map(describedRequests))));
}

function commonOf(vms: readonly Vm[], field: keyof Vm['status']['nodeInfo']): string {
  const found = [...new Set(vms.map(({ status }) => status.nodeInfo[field]))];
  // One image made all of them.
  expect(found).toHaveLength(1);
  return found[0] ?? '';
}

describe('a pool', () => {
  test('5.1 that is named by its VMPool alone is released to, and its numbers are those of kubectl describe', async ({
    world,
  }) => {
    await makeVmPools();
    await world.apply(await onVmPools(world, '1.0.0', PROMOTION));
    await world.released('1.0.0');
    for (const { pool, node } of await world.pods()) expect(await namesOf(pool)).toContain(node);
    for (const pool of POOLS) {
      // Pods of other tests may still be on their way out.
      await world.until(`the numbers of ${pool}`, async () => {
        const { pods, requested } = (await vmPool(pool)).status ?? {};
        const described = await requestsByDescribe(pool);
        return isDeepStrictEqual(parseResources({ ...requested, pods }), described) && described['cpu'] !== 0;
      });
      const vms = await vmsOf(pool);
      const [os, kubelet, kernel] = (['osImage', 'kubeletVersion', 'kernelVersion'] as const).map((field) =>
        commonOf(vms, field),
      );
      expect((await vmPool(pool)).status).toMatchObject({
        os,
        kubelet,
        kernel,
        readyNodes: `${vms.length}/${vms.length}`,
      });
      const row = (await kubectl('get', 'vmpool', pool, '--no-headers')).split(/ {2,}/);
      const percent = expect.stringMatching(/^\d+%$/) as string;
      expect(row.slice(0, -1)).toEqual([
        pool,
        `${vms.length}/${vms.length}`,
        '0',
        String((await vmPool(pool)).status?.pods),
        percent,
        percent,
        os,
        kubelet,
        'everybody',
      ]);
    }
    const releases = (await vmPool('prod-a')).status?.releases ?? [];
    expect(releases).toContainEqual({ namespace: world.namespace, name: 'web', versions: ['1.0.0'], pods: 2 });
  });

  test('5.3 of which a VM is drained: no request fails, and a version waits until the VM is back', async ({
    world,
  }) => {
    await makeVmPools();
    await world.apply(await onVmPools(world, '1.0.0', prodA(3)));
    await world.released('1.0.0');
    const asker = await startAsker(world, PROD_A);
    const [{ node } = { node: '' }] = await world.pods('prod-a');
    onTestFinished(async () => {
      await kubectl('uncordon', node);
    });
    async function wantAnother(): Promise<void> {
      await kubectl('wait', 'vmpool/prod-a', '--for=condition=Draining', '--timeout=60s');
      await world.apply(await onVmPools(world, '2.0.0', prodA(3)));
      const { message } = await world.conditionIs('Ready', 'False', 'VMsUnavailable');
      expect(message).toContain(`pool prod-a: VM ${node} is being drained`);
    }
    await Promise.all([drain(node), wantAnother()]);
    const { status } = await vmPool('prod-a');
    expect(status).toMatchObject({ readyNodes: '1/2', nodes: { total: 2, ready: 1, draining: 1, notReady: 0 } });
    expect(status?.conditions?.find(({ type }) => type === 'Draining')?.message).toContain(node);
    await world.conditionIs('Ready', 'False', 'VMsUnavailable');
    await world.until('all pods on the other VM', async () => {
      const pods = await world.pods('prod-a');
      return pods.length === 3 && pods.every((pod) => pod.ready && pod.node !== node);
    });
    expect(await deployments(world)).toBe('web-prod-a-1');
    expect(runsOf(await asker.answers(), 'prod-a').map(({ version }) => version)).toEqual(['1.0.0']);

    await kubectl('uncordon', node);
    await world.released('2.0.0');
    await asker.hears('prod-a', '2.0.0');
    await kubectl('wait', 'vmpool/prod-a', '--for=condition=Ready', '--timeout=60s');
    const answers = await asker.answers();
    expect(errorsOf(answers)).toEqual([]);
    expect(runsOf(answers, 'prod-a').map(({ version }) => version)).toEqual(['1.0.0', '2.0.0']);
  });

  test('5.3 of which every VM is replaced in the middle of a promotion: no request fails, nothing is rolled back', async ({
    world,
  }) => {
    await makeVmPools();
    await world.apply(await onVmPools(world, '1.0.0', PROMOTION));
    await world.released('1.0.0');
    const asker = await startAsker(world, SERVICES);
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

describe('images', () => {
  /** Images that no VM has: each run of a test has tags of its own. */
  function fresh(world: World): [string, string] {
    return [`1.0.0-${world.namespace}`, `2.0.0-${world.namespace}`];
  }

  test('5.4 come to every VM of a stage before its Deployment is there, without a shell in them', async ({ world }) => {
    await makeVmPools();
    const [version] = fresh(world);
    const [first = '', second = ''] = await namesOf('prod-a');
    const cluster = { ...e2e.cluster, engine: world.engine };
    // It asks the registry by https then, which that does not speak.
    await world.engine.run(['exec', second, 'rm', `/etc/containerd/certs.d/${e2e.registry}/hosts.toml`]);
    onTestFinished(() => trustRegistry(cluster, e2e.registry));
    const spec = await onVmPools(world, version, prodA(2, { prepull: true }));
    await world.apply({ ...spec, progressDeadlineSeconds: 180 });
    await world.until('the image on one VM', async () => {
      const { waitingFor = '' } = (await poolOf(world, 'prod-a')) ?? {};
      return waitingFor.startsWith(`pool prod-a: 1 of 2 VMs have the images of revision 1; VM ${second}: `);
    });
    expect(await Promise.all([first, second].map((node) => hasImage(world, node, version)))).toEqual([true, false]);
    await world.conditionIs('Ready', 'False', 'PullingImages');
    expect(await deployments(world)).toBe('');
    expect(await world.kubectl('get', 'pods', PULLS, '--output=name')).not.toBe('');

    await trustRegistry(cluster, e2e.registry);
    await world.released(version);
    expect(await hasImage(world, second, version)).toBe(true);
    // Its pods found it there.
    expect(await imagePulls(world, 'prod-a')).toBe(false);
    await world.until('the end of what pulled', async () => {
      return (await world.kubectl('get', 'pods', PULLS, '--output=name')) === '';
    });
    const notes = await world.kubectl('get', 'events.events.k8s.io', '--output=jsonpath={.items[*].note}');
    expect(notes).toContain('all 2 VMs of pool prod-a have the images of revision 1');
  });

  test('5.4 that the kubelets still have make a rollback Cached, those that they lost Cold', async ({ world }) => {
    await makeVmPools();
    const versions = fresh(world);
    for (const version of versions) {
      const spec = await onVmPools(world, version, prodA(2, { prepull: true }));
      await world.apply({ ...spec, rollback: { warmFor: '0s', drain: '1s' } });
      await world.released(version);
    }
    async function readinessIs(readiness: string): Promise<void> {
      await world.until(`rollback readiness ${readiness}`, async () => {
        return (await poolOf(world, 'prod-a'))?.rollback?.readiness === readiness;
      });
    }
    await readinessIs('Cached');
    expect(await deployments(world)).toBe('web-prod-a-2');
    await forget(world, versions[0]);
    await readinessIs('Cold');
    await world.rollback('back');
    await world.kubectl('wait', 'releaserollback/back', '--for=condition=Complete', '--timeout=60s');
    expect(await imagePulls(world, 'prod-a')).toBe(true);
  });
});

const PULLS = '--selector=apprelease.dev/pull';
