// Prepull with real kubelets.
import { expect } from 'vitest';
import { trustRegistry } from '../kind/cluster.ts';
import type { Spec } from '../integration/release-objects.ts';
import { forget, imagePulls } from './nodes.ts';
import { deploymentsOf } from './releases.ts';
import { hasImage, makeVmPools, namesOf, onVmPools } from './vms.ts';
import { e2e, test, type World } from './world.ts';
import { objectName } from '../../src/release/record/names.ts';

const PULLS = '--selector=apprelease.dev/pull';

/** Images that no VM has, because each run uses its own tags. */
function fresh(world: World): [string, string] {
  return [`1.0.0-${world.namespace}`, `2.0.0-${world.namespace}`];
}

function pulledFirst(pool: string): Spec['stages'] {
  return [{ name: 'production', prepull: true, pools: [{ name: pool, replicas: 2 }] }];
}

async function poolOf(world: World, name: string) {
  return (await world.status()).pools?.find((pool) => pool.name === name);
}

test.concurrent(
  'images come to every VM of a stage before its Deployment is there, without a shell in them',
  async ({ world, onTestFinished }) => {
    await makeVmPools(onTestFinished, { 'prod-a': {} });
    const [version] = fresh(world);
    const [first = '', second = ''] = await namesOf('prod-a');
    const cluster = { ...e2e.cluster, engine: world.engine };
    // The kubelet then uses https, which the registry does not support.
    await world.engine.run(['exec', second, 'rm', `/etc/containerd/certs.d/${e2e.registry}/hosts.toml`]);
    onTestFinished(() => trustRegistry(cluster, e2e.registry));
    const spec = await onVmPools(world, version, pulledFirst('prod-a'));
    await world.apply({ ...spec, progressDeadlineSeconds: 180 });
    await world.until('the image on one VM', async () => {
      const { waitingFor = '' } = (await poolOf(world, 'prod-a')) ?? {};
      return waitingFor.startsWith(`pool prod-a: 1 of 2 VMs have the images of revision 1; VM ${second}: `);
    });
    expect(await Promise.all([first, second].map((node) => hasImage(world, node, version)))).toEqual([true, false]);
    await world.conditionIs('Ready', 'False', 'PullingImages');
    expect(await deploymentsOf(world)).toBe('');
    expect(await world.kubectl('get', 'pods', PULLS, '--output=name')).not.toBe('');

    await trustRegistry(cluster, e2e.registry);
    await world.released(version);
    expect(await hasImage(world, second, version)).toBe(true);
    // Its pods found the image on the VM.
    expect(await imagePulls(world, 'prod-a')).toBe(false);
    await world.until('the end of what pulled', async () => {
      return (await world.kubectl('get', 'pods', PULLS, '--output=name')) === '';
    });
    const notes = await world.kubectl('get', 'events.events.k8s.io', '--output=jsonpath={.items[*].note}');
    expect(notes).toContain('all 2 VMs of pool prod-a have the images of revision 1');
  },
);

test.concurrent(
  'images that the kubelets still have make a rollback Cached, those that they lost Cold',
  async ({ world, onTestFinished }) => {
    await makeVmPools(onTestFinished, { 'prod-b': {} });
    const versions = fresh(world);
    for (const version of versions) {
      const spec = await onVmPools(world, version, pulledFirst('prod-b'));
      await world.apply({ ...spec, rollback: { warmFor: '0s', drain: '1s' } });
      await world.released(version);
    }
    async function readinessIs(readiness: string): Promise<void> {
      await world.until(`rollback readiness ${readiness}`, async () => {
        return (await poolOf(world, 'prod-b'))?.rollback?.readiness === readiness;
      });
    }
    await readinessIs('Cached');
    expect(await deploymentsOf(world)).toBe(objectName('web', 'prod-b', 2));
    await forget(world, versions[0]);
    await readinessIs('Cold');
    await world.rollback('back');
    await world.kubectl('wait', 'releaserollback/back', '--for=condition=Complete', '--timeout=60s');
    expect(await imagePulls(world, 'prod-b')).toBe(true);
  },
);
