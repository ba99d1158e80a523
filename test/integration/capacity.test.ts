// A version enters a pool when its VMs have room and nobody works on them; otherwise it waits, and says why.
import { expect, onTestFinished } from 'vitest';
import { VM_POOLS } from '../../src/controller/kinds/api-kinds.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { NODES } from '../../src/controller/kinds/nodes.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import type { VmPoolSpec } from '../../src/api/vm-pool.ts';
import { addNodes, setNodeReady } from '../cluster/nodes.ts';
import type { World } from './harness.ts';
import { admin, cluster, test as base, withWorld } from './harness.ts';
import type { Spec } from './release-objects.ts';
import { release } from './release-objects.ts';
import { objectName } from '../../src/release/record/names.ts';

/** The tests run one after the other, because each operator watches all namespaces. */
const test = base.extend<{ wide: World }>({
  wide: async ({ images }, use) => {
    await withWorld(images, use, true);
  },
});

/** VMs with 4 CPUs each, for this test only; removed after the test. */
async function makeVms(world: World, count: number, name = world.namespace): Promise<string[]> {
  const names = await addNodes(cluster, { name, count, labels: { 'example.com/vms': world.namespace } });
  onTestFinished(async () => {
    for (const node of names) await cluster.kubectl(['delete', 'node', node, '--ignore-not-found']);
  });
  return names;
}

/** Pods of 1500m CPU: a VM has room for two. */
async function big(world: World, version: string, replicas: number, changes: Partial<Spec> = {}): Promise<Spec> {
  const pools = [{ name: 'prod-a', replicas, nodeSelector: { 'example.com/vms': world.namespace } }];
  const rollback = { warmFor: '5m', drain: '100ms' };
  const spec = release(await world.image(version), { stages: [{ name: 'production', pools }], rollback, ...changes });
  const resources = { requests: { cpu: '1500m' } };
  const containers = spec.template.spec.containers.map((container) => ({ ...container, resources }));
  return { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, containers } } };
}

async function deployments(world: World): Promise<string[]> {
  return (await world.list(DEPLOYMENTS)).map(({ metadata }) => metadata.name).toSorted();
}

async function makePool(name: string, spec: VmPoolSpec): Promise<void> {
  await admin.apply(
    VM_POOLS,
    { apiVersion: API_VERSION, kind: 'VMPool', metadata: { name }, spec },
    {
      fieldManager: 'test',
      force: true,
    },
  );
}

test('a version without room waits before anything changes, and continues when a VM is added', async ({
  wide: world,
}) => {
  await makeVms(world, 1);
  await world.apply(await big(world, '1.0', 2));
  await world.released('1.0');
  await world.apply(await big(world, '2.0', 2));
  const { message } = await world.conditionIs('CapacityAvailable', { status: 'False', reason: 'NoCapacity' });
  expect(message).toMatch(
    /^pool prod-a has room for 0 of 2 new pods: 1 of 1 VMs take them; each pod requests 1500m CPU; spec\.capacity: Proceed .* cluster autoscaler/,
  );
  await world.conditionIs('Ready', { status: 'False', reason: 'NoCapacity' });
  await world.conditionIs('Stalled', { status: 'False' });
  await world.conditionIs('Available', { status: 'True' });
  expect(await deployments(world)).toEqual([objectName('web', 'prod-a', 1)]);
  await makeVms(world, 1, `${world.namespace}-more`);
  await world.released('2.0');
  expect(await deployments(world)).toEqual([objectName('web', 'prod-a', 1), objectName('web', 'prod-a', 2)]);
});

test('what admission adds to pods counts too: defaults of a LimitRange, and the overhead of a RuntimeClass', async ({
  wide: world,
}) => {
  await makeVms(world, 1);
  const name = world.namespace;
  onTestFinished(async () => {
    await cluster.kubectl(['delete', 'runtimeclass', name, '--ignore-not-found']);
  });
  const objects = [
    {
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: { name: 'defaults', namespace: name },
      spec: { limits: [{ type: 'Container', defaultRequest: { cpu: '1' } }] },
    },
    {
      apiVersion: 'node.k8s.io/v1',
      kind: 'RuntimeClass',
      metadata: { name },
      handler: 'sandbox',
      overhead: { podFixed: { cpu: '500m' } },
    },
  ];
  await cluster.kubectl(['create', '-f', '-'], {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
  });
  async function bare(version: string): Promise<Spec> {
    const spec = await big(world, version, 2);
    const containers = spec.template.spec.containers.map(({ resources: _none, ...container }) => container);
    return {
      ...spec,
      template: { ...spec.template, spec: { ...spec.template.spec, containers, runtimeClassName: name } },
    };
  }
  await world.apply(await bare('1.0'));
  await world.released('1.0');
  await world.apply(await bare('2.0'));
  const { message } = await world.conditionIs('CapacityAvailable', { status: 'False', reason: 'NoCapacity' });
  expect(message).toMatch(
    /^pool prod-a has room for 0 of 2 new pods: 1 of 1 VMs take them; each pod requests 1500m CPU;/,
  );
});

test('a taint that keeps every VM out is named', async ({ wide: world }) => {
  const [first = ''] = await makeVms(world, 1);
  await cluster.kubectl(['taint', 'node', first, 'dedicated=batch:NoSchedule']);
  await world.apply(await big(world, '1.0', 1));
  const { message } = await world.conditionIs('CapacityAvailable', { status: 'False', reason: 'NoCapacity' });
  expect(message).toContain('no VM takes them: 1 of 1 with the taint dedicated=batch:NoSchedule');
  await cluster.kubectl(['taint', 'node', first, 'dedicated-']);
  await world.released('1.0');
});

test('capacity: Proceed enters at once, for a cluster autoscaler to see the pods', async ({ wide: world }) => {
  await makeVms(world, 1);
  await world.apply(await big(world, '1.0', 2));
  await world.released('1.0');
  await world.apply(await big(world, '2.0', 2, { capacity: 'Proceed' }));
  await world.conditionIs('CapacityAvailable', { status: 'False', reason: 'Unschedulable' });
  expect(await deployments(world)).toEqual([objectName('web', 'prod-a', 1), objectName('web', 'prod-a', 2)]);
  await makeVms(world, 1, `${world.namespace}-more`);
  await world.released('2.0');
});

test('a rollback never waits for room', async ({ wide: world }) => {
  await makeVms(world, 1);
  const cold = { rollback: { warmFor: '0s', drain: '100ms' } };
  await world.apply(await big(world, '1.0', 1, cold));
  await world.released('1.0');
  await world.apply(await big(world, '2.0', 1, cold));
  await world.released('2.0');
  await world.until(async () => {
    expect(await deployments(world)).toEqual([objectName('web', 'prod-a', 2)]);
  });
  await world.apply(await big(world, '2.0', 2, cold));
  await world.until(async () => {
    expect((await world.pods()).filter(({ ready }) => ready)).toHaveLength(2);
  });
  await world.rollback('back', { force: true });
  world.excuse(/went from 2 ready pods to 1/);
  await world.rollbackIs('back', 'Complete', 'True');
});

test('the standby is removed when serving pods need the room, for example after a drain', async ({ wide: world }) => {
  const [first = ''] = await makeVms(world, 2);
  await world.apply(await big(world, '1.0', 2));
  await world.released('1.0');
  await world.apply(await big(world, '2.0', 2));
  await world.released('2.0');
  await world.poolIs('prod-a', { rollback: expect.objectContaining({ readiness: 'Warm' }) as never });
  await cluster.kubectl(['drain', first, '--timeout=60s']);
  await world.until(async () => {
    const pods = await world.pods();
    expect(pods.filter(({ revision, ready }) => revision === 2 && ready)).toHaveLength(2);
    expect(pods.filter(({ revision }) => revision === 1)).toEqual([]);
  });
  // The remaining VM has the images.
  await world.poolIs('prod-a', { rollback: expect.objectContaining({ readiness: 'Cached' }) as never });
});

test('a draining VM keeps versions out if the other VM has too little room, until it is back or forgotten', async ({
  wide: world,
}) => {
  const [first = ''] = await makeVms(world, 2);
  await world.apply(await big(world, '1.0', 2));
  await world.released('1.0');
  await cluster.kubectl(['cordon', first]);
  await world.apply(await big(world, '2.0', 2));
  const { message } = await world.conditionIs('Ready', { status: 'False', reason: 'VMsUnavailable' });
  expect(message).toMatch(
    new RegExp(`^pool prod-a: VM ${first} is being drained, and .* room for 0 of 2 new pods; spec\\.capacity: Proceed`),
  );
  expect(await deployments(world)).toEqual([objectName('web', 'prod-a', 1)]);
  // The node lifecycle controller adds the taint with its time.
  await world.until(async () => {
    expect(await cluster.kubectl(['get', 'node', first, '--output=jsonpath={.spec.taints[*].timeAdded}'])).not.toBe('');
  });
  const timeAdded = new Date(Date.now() - 11 * 60_000).toISOString();
  const taints = [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule', timeAdded }];
  await cluster.kubectl(['patch', 'node', first, '--patch', JSON.stringify({ spec: { taints } })]);
  await world.conditionIs('Ready', { status: 'False', reason: 'NoCapacity' });
  await cluster.kubectl(['uncordon', first]);
  await world.released('2.0');
});

test('a draining VM keeps no version out if the other VM has room', async ({ wide: world }) => {
  const [first = ''] = await makeVms(world, 2);
  await cluster.kubectl(['cordon', first]);
  await world.apply(await big(world, '1.0', 1));
  await world.released('1.0');
  await world.apply(await big(world, '2.0', 1));
  await world.released('2.0');
});

test('a VM that is not ready keeps versions out too', async ({ wide: world }) => {
  const [first = ''] = await makeVms(world, 2);
  await world.apply(await big(world, '1.0', 2));
  await world.released('1.0');
  await setNodeReady(cluster, first, false);
  await world.apply(await big(world, '2.0', 2));
  const { message } = await world.conditionIs('Ready', { status: 'False', reason: 'VMsUnavailable' });
  expect(message).toContain(`VM ${first} is not ready`);
  await setNodeReady(cluster, first, true);
  await world.released('2.0');
});

test('a pool without a nodeSelector uses the VMPool of its name; without that VMPool nothing runs', async ({
  wide: world,
}) => {
  const name = world.namespace;
  const [node = ''] = await makeVms(world, 1);
  const spec = await big(world, '1.0', 1);
  await world.apply({ ...spec, stages: [{ name: 'production', pools: [{ name, replicas: 1 }] }] });
  const { message } = await world.stalled('UnknownPool');
  expect(message).toMatch(/the VMPool release-.* does not exist.* create it/);
  await cluster.kubectl(['taint', 'node', node, 'example.com/tenant=shop:NoSchedule']);
  await makePool(name, {
    nodeSelector: { 'example.com/vms': name },
    tolerations: [{ key: 'example.com/tenant', operator: 'Equal', value: 'shop', effect: 'NoSchedule' }],
  });
  onTestFinished(async () => {
    await admin.delete(VM_POOLS, { name });
  });
  await world.released('1.0');
  expect((await world.pods()).map(({ nodeName }) => nodeName)).toEqual([node]);

  const [other = ''] = await addNodes(cluster, { name: `${name}-other`, count: 1, labels: { 'example.com/vms': 'b' } });
  onTestFinished(async () => {
    await admin.delete(NODES, { name: other });
  });
  await makePool(name, { nodeSelector: { 'example.com/vms': 'b' } });
  await world.until(async () => {
    const pods = (await world.pods()).filter(({ ready }) => ready);
    expect(pods.map(({ nodeName }) => nodeName)).toContain(other);
  });
  await world.released('1.0');
});
