// The status of VMPools on a real API server.
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { API_VERSION } from '../../src/api/meta.ts';
import type { VmPoolStatus } from '../../src/api/vm-pool.ts';
import { APP_RELEASES, VM_POOLS } from '../../src/controller/kinds/api-kinds.ts';
import { NODES } from '../../src/controller/kinds/nodes.ts';
import { PODS } from '../../src/controller/kinds/pods.ts';
import { isNotFound } from '../../src/kube/errors.ts';
import type { Resource } from '../../src/kube/types.ts';
import { statusOf } from '../../src/kube/types.ts';
import { formatResource } from '../../src/scheduling/quantity.ts';
import { installCrds } from '../cluster/kubectl.ts';
import { setNodeReady } from '../cluster/nodes.ts';
import { startRegistry } from '../cluster/registry.ts';
import { pushImage } from '../cluster/images.ts';
import type { Registry } from '../cluster/types.ts';
import { admin, cluster } from './harness.ts';
import type { Operator } from './release-operator.ts';
import { createOperator } from './release-operator.ts';
import { oneStage, release } from './release-objects.ts';
import {
  poolConditionIs,
  placePod,
  removeNodes,
  row,
  statusIs,
  statusOfPool,
  test,
  uniqueName,
  until,
} from './vm-pool-world.ts';

const GKE = 'cloud.google.com/gke-nodepool';

let operator: Operator;
let registry: Registry;

beforeAll(async () => {
  await installCrds(cluster);
  registry = await startRegistry();
  operator = createOperator({ cluster, registries: [registry.host] });
  await operator.start();
});

afterAll(async () => {
  await operator.stop();
  await registry.stop();
});

describe.concurrent('the VMs in the status of a pool', () => {
  test('kubectl shows a pool in a row', async ({ vms }) => {
    const name = uniqueName();
    const [node = ''] = await vms.nodes({ name, count: 2 });
    const namespace = await vms.namespace();
    await placePod(namespace, node, 'one');
    await vms.pool(name, { nodeSelector: { pool: name }, tenants: { namespaces: ['shop', 'bank'] } });
    await cluster.kubectl(['cordon', `${name}-1`]);
    await statusIs(name, { readyNodes: '1/2', pods: 1 });
    const cells = await row(name);
    const os = 'Debian GNU/Linux 12 (bookworm)';
    expect(cells.slice(0, -1)).toEqual([name, '1/2', '1', '1', '6%', '0%', os, 'v1.36.3', 'shop,bank']);
    expect(await row(name, '--output=wide')).toEqual(expect.arrayContaining(['6.1.0-37-cloud-amd64', 'False']));
    const header = (await cluster.kubectl(['get', 'vmp', name])).split('\n')[0]?.trim().split(/\s+/);
    expect(header).toEqual(['NAME', 'READY', 'DRAINING', 'PODS', 'CPU%', 'MEM%', 'OS', 'KUBELET', 'TENANTS', 'AGE']);
  });

  test('are found by the cloud label, which a pool scaled to zero keeps', async ({ vms }) => {
    const name = uniqueName();
    await vms.pool(name, {});
    await poolConditionIs(name, 'Empty', { status: 'True', reason: 'NoNodes' });
    expect(await statusOfPool(name)).not.toHaveProperty('poolLabel');
    const nodes = await vms.nodes({ name, count: 2, labels: { [GKE]: name } });
    await statusIs(name, { poolLabel: GKE, readyNodes: '2/2', capacity: { cpu: '8', memory: '32Gi' } });
    await removeNodes(...nodes);
    await statusIs(name, { poolLabel: GKE, readyNodes: '0/0', capacity: { cpu: '0' } });
    await poolConditionIs(name, 'Empty', { status: 'True', message: `no VM has ${GKE}=${name}` });
    await poolConditionIs(name, 'Ready', { status: 'False', reason: 'NoNodes' });
  });

  test('a pod that waited before the pool was closed is reported when it is bound', async ({ vms }) => {
    const name = uniqueName();
    await vms.nodes({ name, count: 1 });
    const [namespace, tenant] = [await vms.namespace(), await vms.namespace()];
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'waiting', namespace },
      spec: {
        containers: [{ name: 'main', image: 'example.com/app:1', resources: {} }],
        nodeSelector: { pool: name },
        tolerations: [{ key: 'example.com/test', operator: 'Exists' }],
        schedulingGates: [{ name: 'example.com/wait' }],
      },
    };
    await admin.create(PODS, pod);
    await cluster.kubectl(['label', 'namespace', tenant, `tenant=${name}`]);
    const tenants = { namespaceSelector: { matchLabels: { tenant: name } } };
    await vms.pool(name, { nodeSelector: { pool: name }, tenants });
    await poolConditionIs(name, 'Trespassed', { status: 'False', reason: 'NoForeignPods' });
    const ungate = '--patch={"spec":{"schedulingGates":[]}}';
    await cluster.kubectl(['patch', 'pod', 'waiting', `--namespace=${namespace}`, '--type=merge', ungate]);
    const message = `pods of namespaces that are no tenants run on the VMs: ${namespace} (1); delete ${namespace}/waiting, or add the namespaces to spec.tenants of VMPool ${name}`;
    await poolConditionIs(name, 'Trespassed', { status: 'True', reason: 'ForeignPods', message });
    await cluster.kubectl(['label', 'namespace', namespace, `tenant=${name}`]);
    await poolConditionIs(name, 'Trespassed', { status: 'False', reason: 'NoForeignPods' });
  });

  test('two pools that match the same VM both report it, until they do not', async ({ vms }) => {
    const [name, other] = [uniqueName(), uniqueName()];
    await vms.nodes({ name, count: 2, labels: { also: other } });
    await vms.pool(name);
    await poolConditionIs(name, 'Overlapping', { status: 'False' });
    await vms.pool(other, { nodeSelector: { also: other } });
    await poolConditionIs(name, 'Overlapping', { status: 'True', message: `shared with ${other} (2 VMs)` });
    await poolConditionIs(other, 'Overlapping', { status: 'True', message: `shared with ${name} (2 VMs)` });
    await cluster.kubectl(['label', 'node', `${name}-0`, 'also-']);
    await poolConditionIs(other, 'Overlapping', { status: 'True', message: `shared with ${name} (1 VM)` });
    await admin.delete(VM_POOLS, { name: other });
    await poolConditionIs(name, 'Overlapping', { status: 'False', reason: 'NotOverlapping' });
  });

  test('a VM that is cordoned, marked by an autoscaler or dead is reported within seconds', async ({ vms }) => {
    const name = uniqueName();
    const [first = '', second = ''] = await vms.nodes({ name, count: 2 });
    await vms.pool(name);
    await poolConditionIs(name, 'Ready', { status: 'True', reason: 'NodesReady' });
    await cluster.kubectl(['cordon', first]);
    await until(async () => {
      expect((await statusOfPool(name)).nodes).toMatchObject({ total: 2, ready: 1, draining: 1, notReady: 0 });
    }, 15_000);
    await poolConditionIs(name, 'Draining', { status: 'True', message: `cordoned or being removed: ${first}` });
    await poolConditionIs(name, 'Ready', { status: 'False', reason: 'NodesNotReady' });
    await cluster.kubectl(['uncordon', first]);
    await poolConditionIs(name, 'Draining', { status: 'False', reason: 'NotDraining' });
    await cluster.kubectl(['taint', 'node', second, 'karpenter.sh/disrupted:NoSchedule']);
    await poolConditionIs(name, 'Draining', { status: 'True', message: `cordoned or being removed: ${second}` });
    await cluster.kubectl(['taint', 'node', second, 'karpenter.sh/disrupted-']);
    await setNodeReady(cluster, first, false);
    await statusIs(name, { nodes: { ready: 1, draining: 0, notReady: 1 } });
    await setNodeReady(cluster, first, true);
    await poolConditionIs(name, 'Ready', { status: 'True' });
    expect((await statusOfPool(name)).nodes?.zones).toEqual([
      { name: 'zone-0', total: 1, ready: 1 },
      { name: 'zone-1', total: 1, ready: 1 },
    ]);
  });

  test('the pool is skewed while VMs are patched one by one, and not afterwards', async ({ vms }) => {
    const name = uniqueName();
    await vms.nodes({ name, count: 2 });
    await vms.pool(name);
    await poolConditionIs(name, 'Skewed', { status: 'False' });
    const newer = { kernelVersion: '6.12.1-cloud-amd64', kubeletVersion: 'v1.36.4' };
    const replaced = { name: `${name}-new`, labels: { pool: name }, nodeInfo: newer, count: 2 };
    await vms.nodes(replaced);
    await poolConditionIs(name, 'Skewed', {
      status: 'True',
      reason: 'VersionsDiffer',
      message: 'kernels: 6.1.0-37-cloud-amd64 on 2, 6.12.1-cloud-amd64 on 2; kubelets: v1.36.3 on 2, v1.36.4 on 2',
    });
    expect(await row(name, '--output=wide')).toEqual(
      expect.arrayContaining(['v1.36.3 +1', '6.1.0-37-cloud-amd64 +1', 'True']),
    );
    await removeNodes(`${name}-0`, `${name}-1`);
    await poolConditionIs(name, 'Skewed', { status: 'False', reason: 'NotSkewed' });
    expect((await statusOfPool(name)).kernels).toEqual([{ name: newer.kernelVersion, nodes: 2 }]);
  });

  test('both pools report a VM that moves between them', async ({ vms }) => {
    const [name, other] = [uniqueName(), uniqueName()];
    await vms.nodes({ name, count: 2 });
    await vms.pool(name);
    await vms.pool(other);
    await statusIs(name, { readyNodes: '2/2' });
    await statusIs(other, { readyNodes: '0/0' });
    await cluster.kubectl(['label', 'node', `${name}-0`, `pool=${other}`, '--overwrite']);
    await statusIs(name, { readyNodes: '1/1' });
    await statusIs(other, { readyNodes: '1/1' });
  });

  test('overhead is the part that VMs reserve', async ({ vms }) => {
    const name = uniqueName();
    const [node = ''] = await vms.nodes({ name, count: 1 });
    const allocatable = { cpu: '3920m', memory: '14Gi', pods: '100' };
    await cluster.kubectl([
      'patch',
      'node',
      node,
      '--subresource=status',
      '--patch',
      JSON.stringify({ status: { allocatable } }),
    ]);
    await vms.pool(name);
    await statusIs(name, { allocatable, overhead: { cpu: '80m', memory: '2Gi', pods: '10' }, waste: allocatable });
  });
});

describe.concurrent('the pods in the status of a pool', () => {
  test('pods of every namespace count, as in kubectl describe node', async ({ vms }) => {
    const name = uniqueName();
    const [node = ''] = await vms.nodes({ name, count: 1 });
    await vms.pool(name);
    const [one, two] = [await vms.namespace(), await vms.namespace()];
    const image = 'example.com/app:1';
    const asks = (cpu: string, memory: string) => ({ image, resources: { requests: { cpu, memory } } });
    await placePod(one, node, 'plain', { containers: [{ name: 'a', ...asks('250m', '100Mi') }] });
    await placePod(one, node, 'init', {
      initContainers: [
        { name: 'side', restartPolicy: 'Always', ...asks('100m', '32Mi') },
        { name: 'migrate', ...asks('1', '64Mi') },
      ],
      containers: [{ name: 'a', ...asks('300m', '1Gi') }],
    });
    await placePod(two, node, 'whole', {
      resources: { requests: { cpu: '700m' }, limits: { memory: '300Mi' } },
      containers: [{ name: 'a', image }],
    });
    await placePod(two, node, 'limited', {
      containers: [{ name: 'a', image, resources: { limits: { memory: '1G' } } }],
    });
    await placePod(two, node, 'done', { restartPolicy: 'Never' });
    await until(async () => {
      expect(await admin.get(PODS, { namespace: two, name: 'done' })).toMatchObject({ status: { phase: 'Succeeded' } });
    });
    const status = await statusIs(name, { pods: 4, requested: { pods: '4' } });
    expect(status.density?.podsPerNode).toBe('4');
    const described = await cluster.kubectl(['describe', 'node', node]);
    const [, cpu] = /^ +cpu +(\S+) \(/m.exec(described) ?? [];
    const [, memory] = /^ +memory +(\S+) \(/m.exec(described) ?? [];
    expect(status.requested).toMatchObject({ cpu, memory });
    expect(cpu).toBe('2050m');
  });

  test('the status lists releases and their versions', async ({ vms }) => {
    const name = uniqueName();
    const namespace = await vms.namespace();
    await vms.pool(name, { nodeSelector: { 'apprelease.dev/pool': 'prod-a' } });
    const { image } = await pushImage(registry, 'shop/web', '1.0');
    const spec = release(image, { stages: oneStage });
    await admin.create(APP_RELEASES, {
      apiVersion: API_VERSION,
      kind: 'AppRelease',
      metadata: { name: 'web', namespace },
      spec,
    } as never);
    await until(async () => {
      const { releases = [] } = await statusOfPool(name);
      expect(releases.find((one) => one.namespace === namespace)).toEqual({
        namespace,
        name: 'web',
        versions: ['1.0'],
        pods: 2,
      });
    });
    await admin.delete(APP_RELEASES, { namespace, name: 'web' });
  });

  test('changing pods cost at most one write in ten seconds', async ({ vms }) => {
    const name = uniqueName();
    const [node = ''] = await vms.nodes({ name, count: 1 });
    const namespace = await vms.namespace();
    await vms.pool(name);
    await statusIs(name, { readyNodes: '1/1', pods: 0 });
    const versions = new Set<string>();
    const ending = new AbortController();
    const watching = (async () => {
      const { resourceVersion } = await admin.list(VM_POOLS);
      const options = { resourceVersion, timeoutSeconds: 600, idleTimeoutMs: 600_000, signal: ending.signal };
      for await (const event of admin.watch(VM_POOLS, options)) {
        if (event.type === 'MODIFIED' && event.object.metadata.name === name) {
          versions.add(event.object.metadata.resourceVersion);
        }
      }
    })().catch(() => undefined);
    const began = Date.now();
    for (let count = 0; Date.now() - began < 25_000; count += 1) {
      await placePod(namespace, node, `pod-${count}`);
      if (count % 3 === 0) await admin.delete(PODS, { namespace, name: `pod-${count}` });
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    const placed = await until(async () => {
      const { items } = await admin.list(PODS, { namespace });
      expect(items.every(({ metadata }) => !('deletionTimestamp' in metadata))).toBe(true);
      return items.length;
    });
    await statusIs(name, { pods: placed });
    ending.abort();
    await watching;
    expect(placed).toBeGreaterThan(20);
    expect(versions.size).toBeLessThanOrEqual(Math.ceil((Date.now() - began) / 10_000) + 1);
  });
});

describe.concurrent('the object', () => {
  test('an erased status is restored', async ({ vms }) => {
    const name = uniqueName();
    await vms.nodes({ name, count: 1 });
    await vms.pool(name);
    const before = await statusIs(name, { readyNodes: '1/1' });
    const body = { status: null };
    await admin.patch(statusOf(VM_POOLS), { name }, { type: 'merge', body }, { fieldManager: 'somebody' });
    const after = await statusIs(name, { readyNodes: '1/1', observedGeneration: 1 });
    expect(after.capacity).toEqual(before.capacity);
  });

  test('a changed spec gets a status with its generation', async ({ vms }) => {
    const name = uniqueName();
    await vms.nodes({ name, count: 2, labels: { half: name } });
    await cluster.kubectl(['label', 'node', `${name}-0`, 'half-']);
    await vms.pool(name);
    await statusIs(name, { observedGeneration: 1, readyNodes: '2/2' });
    const body = { spec: { nodeSelector: { half: name } } };
    await admin.patch(VM_POOLS, { name }, { type: 'merge', body }, { fieldManager: 'git' });
    const { conditions } = await statusIs(name, { observedGeneration: 2, readyNodes: '1/1' });
    expect(conditions?.map(({ observedGeneration }) => observedGeneration)).toEqual([2, 2, 2, 2, 2, 2, 2]);
    const waited = await cluster.kubectl(['wait', `vmpool/${name}`, '--for=condition=Ready', '--timeout=30s']);
    expect(waited).toMatch(/condition met/);
  });

  test('a deleted pool stays deleted, and its successor gets a new status', async ({ vms }) => {
    const name = uniqueName();
    await vms.nodes({ name, count: 1 });
    await vms.pool(name);
    await statusIs(name, { readyNodes: '1/1' });
    await admin.delete(VM_POOLS, { name });
    await cluster.kubectl(['cordon', `${name}-0`]);
    await expect(admin.get(VM_POOLS, { name })).rejects.toSatisfy(isNotFound);
    await vms.pool(name, { nodeSelector: { pool: 'nobody' } });
    await poolConditionIs(name, 'Empty', { status: 'True', message: 'no VM has pool=nobody' });
  });

  test('amounts are printed as by the API server', async ({ vms }) => {
    const namespace = await vms.namespace();
    const quotas: Resource = { apiVersion: 'v1', kind: 'ResourceQuota', plural: 'resourcequotas', namespaced: true };
    const amounts = [
      [0, 0],
      [100, 1],
      [1000, 1024],
      [1500, 1536],
      [16_000, 16 * 2 ** 20],
      [2_000_000, 2 ** 30 + 1],
      [12_345, 999],
    ] as const;
    for (const [millis, kibibytes] of amounts) {
      const hard = { 'requests.cpu': `${millis}m`, 'requests.memory': `${kibibytes}Ki` };
      const name = `q-${millis}`;
      const object = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name, namespace }, spec: { hard } };
      const { spec } = (await admin.create(quotas, object)) as unknown as { spec: { hard: object } };
      expect(spec.hard).toEqual({
        'requests.cpu': formatResource('cpu', millis),
        'requests.memory': formatResource('memory', kibibytes * 1024),
      });
    }
  });
});

test('boots are kept across a restart of the operator, and a new boot is detected', async ({ vms }) => {
  const name = uniqueName();
  const [first = '', second = ''] = await vms.nodes({ name, count: 2 });
  const boot = (node: string, bootID: string) =>
    admin.patch(
      statusOf(NODES),
      { name: node },
      { type: 'merge', body: { status: { nodeInfo: { bootID } } } },
      { fieldManager: 'test' },
    );
  await boot(first, 'boot-1');
  await boot(second, 'boot-1');
  await vms.pool(name);
  const before = await statusIs(name, { oldestBoots: [{ node: first }, { node: second }] });
  await operator.restart();
  await boot(first, 'boot-2');
  const after = await until(async () => {
    const status = await statusOfPool(name);
    expect(bootOf(status, first)?.bootID).toBe('boot-2');
    return status;
  });
  expect(bootOf(after, second)).toEqual(bootOf(before, second));
});

function bootOf({ oldestBoots = [] }: VmPoolStatus, node: string) {
  return oldestBoots.find((boot) => boot.node === node);
}
