// The status of a VMPool is kept up to date with few writes.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { AppRelease } from '../../api/app-release.ts';
import type { VmPool, VmPoolStatus } from '../../api/vm-pool.ts';
import { KubeError } from '../../kube/errors.ts';
import type { KubeClient } from '../../kube/types.ts';
import type { Namespace, Node, PlacedPod } from '../../scheduling/objects.ts';
import { placedPod, vm, vmPool } from '../../scheduling/testing.ts';
import type { Cache } from '../kinds/caches.ts';
import type { PoolController } from './reconcile.ts';
import { createPoolController } from './reconcile.ts';

const labels = { pool: 'prod' };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

interface World {
  controller: PoolController;
  writes: string[];
  figures: (string | undefined)[];
  /** The nodes whose pods were read. */
  podReads: string[];
  status: (pool: string) => VmPoolStatus | undefined;
  setPool: (pool: VmPool) => void;
  setNode: (node: Node) => void;
  removeNode: (name: string) => void;
  setPod: (pod: PlacedPod) => void;
  removePool: (name: string) => void;
  setNamespace: (name: string, labels: Record<string, string>) => void;
  failWith: (error: KubeError | undefined) => void;
}

function cacheOf<S>(list: () => S[], parts: Partial<Cache<S>>): Cache<S> {
  const none = () => undefined;
  return { get: none, list, byIndex: () => [], observeWrite: none, observeDelete: none, ...parts };
}

/** The caches of the controller, and an API server that accepts its writes. */
function makeWorld(seesAllPods = true): World {
  const pools = new Map<string, VmPool>();
  const nodes = new Map<string, Node>();
  const pods = new Map<string, PlacedPod>();
  const namespaces = new Map<string, Namespace>();
  const [writes, figures, podReads]: [string[], string[], string[]] = [[], [], []];
  let failure: KubeError | undefined;

  function byNode(_index: string, node: string): PlacedPod[] {
    podReads.push(node);
    return [...pods.values()].filter(({ nodeName }) => nodeName === node);
  }

  function setPool(pool: VmPool): void {
    const old = pools.get(pool.metadata.name);
    pools.set(pool.metadata.name, pool);
    controller.onChange({ kind: 'VMPool', object: pool, ...(old && { old }) });
  }

  const patch = (
    _resource: unknown,
    { name }: { name: string },
    { operations }: { operations: { value: unknown }[] },
  ) => {
    if (failure) return Promise.reject(failure);
    writes.push(name);
    const pool = pools.get(name);
    expect(operations[0]).toEqual({ op: 'test', path: '/metadata/uid', value: pool?.metadata.uid });
    return Promise.resolve({ ...pool, status: operations[1]?.value });
  };
  const controller = createPoolController({
    client: { patch } as unknown as KubeClient,
    caches: {
      releases: cacheOf<AppRelease>(() => [], {}),
      vmPools: cacheOf(() => [...pools.values()], {
        get: (_namespace, name) => pools.get(name),
        observeWrite: (object) => {
          setPool(object as unknown as VmPool);
        },
      }),
      nodes: cacheOf(() => [...nodes.values()], { get: (_namespace, name) => nodes.get(name) }),
      placed: cacheOf(() => [...pods.values()], { byIndex: byNode }),
      namespaces: cacheOf(() => [...namespaces.values()], { get: (_namespace, name) => namespaces.get(name) }),
    },
    seesAllPods,
    systemNamespaces: [],
    onFigures: (pool, outcome) => figures.push(`${pool}: ${outcome ? outcome.status.readyNodes : 'gone'}`),
    assertLeading: () => undefined,
    log: () => undefined,
  });
  controller.lead();
  return {
    controller,
    writes,
    figures,
    podReads,
    status: (pool) => pools.get(pool)?.status,
    setPool,
    setNode: (node) => {
      const old = nodes.get(node.metadata.name);
      nodes.set(node.metadata.name, node);
      controller.onChange({ kind: 'Node', object: node, ...(old && { old }) });
    },
    removeNode: (name) => {
      const object = nodes.get(name);
      nodes.delete(name);
      if (object) controller.onChange({ kind: 'Node', object });
    },
    setPod: (pod) => {
      pods.set(pod.metadata.name, pod);
      controller.onChange({ kind: 'Pod', object: pod });
    },
    removePool: (name) => {
      const object = pools.get(name);
      pools.delete(name);
      if (object) controller.onChange({ kind: 'VMPool', object });
    },
    setNamespace: (name, own) => {
      const old = namespaces.get(name);
      const object = { metadata: { name, uid: name, resourceVersion: '1', labels: own } };
      namespaces.set(name, object);
      controller.onChange({ kind: 'Namespace', object, ...(old && { old }) });
    },
    failWith: (error) => {
      failure = error;
    },
  };
}

async function settled(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

/** A pool of one VM whose status has been written. */
async function oneVm(): Promise<World> {
  const world = makeWorld();
  world.setNode(vm('a', { labels }));
  world.setPool(vmPool('prod', { nodeSelector: labels }));
  await settled();
  expect(world.writes).toEqual(['prod']);
  return world;
}

test('constant changes of pods cost one write in ten seconds', async () => {
  const world = await oneVm();
  for (let second = 0; second < 60; second += 1) {
    for (let count = 0; count < 20; count += 1) world.setPod(placedPod('a', `${second}-${count}`));
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(world.writes.length - 1).toBe(6);
  expect(world.podReads.length).toBeLessThan(30);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(world.status('prod')?.pods).toBe(1200);
});

test('a cordon is written to the status at once, and an equal status is never written', async () => {
  const world = await oneVm();
  world.setNode(vm('a', { labels, unschedulable: true }));
  await settled();
  expect(world.writes).toHaveLength(2);
  expect(world.status('prod')?.nodes).toMatchObject({ ready: 0, draining: 1 });
  for (let count = 0; count < 5; count += 1) {
    world.setNode(vm('a', { labels, unschedulable: true }));
    await vi.advanceTimersByTimeAsync(60_000);
  }
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(world.writes).toHaveLength(2);
});

test('an unchanged report of a kubelet costs no pass', async () => {
  const world = await oneVm();
  world.figures.length = 0;
  for (let count = 0; count < 100; count += 1) {
    const node = vm('a', { labels, images: [`image-${count}`] });
    world.setNode({ ...node, metadata: { ...node.metadata, resourceVersion: `${count}` } });
    await settled();
  }
  expect(world.figures).toEqual([]);
});

test('the deletion of a VM is written to the status at once', async () => {
  const world = await oneVm();
  world.removeNode('a');
  await settled();
  expect(world.status('prod')?.readyNodes).toBe('0/0');
});

test('a VM that moves to another pool changes the status of both', async () => {
  const world = await oneVm();
  world.setPool(vmPool('next', { nodeSelector: { pool: 'next' } }));
  await settled();
  world.setNode(vm('a', { labels: { pool: 'next' } }));
  await settled();
  expect([world.status('prod')?.readyNodes, world.status('next')?.readyNodes]).toEqual(['0/0', '1/1']);
});

test('a pool that starts or stops sharing VMs changes the status of the other pool too', async () => {
  const world = await oneVm();
  const isShared = () => world.status('prod')?.conditions?.find(({ type }) => type === 'Overlapping')?.status;
  world.setPool(vmPool('twin', { nodeSelector: labels }));
  await settled();
  expect(isShared()).toBe('True');
  world.removePool('twin');
  await settled();
  expect(isShared()).toBe('False');
});

test('a change of a pod costs a pass only for the pools of its VM', async () => {
  const world = await oneVm();
  world.setNode(vm('b', { labels: { pool: 'other' } }));
  world.podReads.length = 0;
  world.setPod(placedPod('b', 'x'));
  world.setPod(placedPod('nowhere', 'y'));
  await vi.advanceTimersByTimeAsync(30_000);
  expect(world.podReads).toEqual([]);
});

test('a namespace that is no tenant any more is in the status soon', async () => {
  const world = await oneVm();
  const trespassed = () => world.status('prod')?.conditions?.find(({ type }) => type === 'Trespassed')?.status;
  world.setNamespace('shop', { team: 'a' });
  world.setPod(placedPod('a', 'x'));
  const pool = vmPool('prod', { nodeSelector: labels, tenants: { namespaceSelector: { matchLabels: { team: 'a' } } } });
  world.setPool({ ...pool, metadata: { ...pool.metadata, generation: 2 } });
  await settled();
  expect(trespassed()).toBe('False');
  world.setNamespace('shop', { team: 'b' });
  await vi.advanceTimersByTimeAsync(1000);
  expect(trespassed()).toBe('True');
});

test('an erased status is written again', async () => {
  const world = await oneVm();
  world.setPool(vmPool('prod', { nodeSelector: labels }));
  await settled();
  expect(world.status('prod')?.readyNodes).toBe('1/1');
});

test('a failed write is retried, except for a deleted pool', async () => {
  const world = await oneVm();
  const error = { reason: 'InternalError', message: 'no', verb: 'patch', path: '' };
  world.failWith(new KubeError({ code: 500, ...error }));
  world.setNode(vm('a', { labels, unschedulable: true }));
  await vi.advanceTimersByTimeAsync(1000);
  expect(world.status('prod')?.nodes?.draining).toBe(0);
  world.failWith(undefined);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(world.status('prod')?.nodes?.draining).toBe(1);
  world.failWith(new KubeError({ code: 404, ...error, reason: 'NotFound' }));
  world.setNode(vm('a', { labels }));
  await settled();
  world.removePool('prod');
  await vi.advanceTimersByTimeAsync(600_000);
  expect(world.figures.at(-1)).toBe('prod: gone');
  expect(world.writes).toHaveLength(2);
});

test('without the pods of all namespaces the status has no numbers of pods', async () => {
  const world = makeWorld(false);
  world.setNode(vm('a', { labels }));
  world.setPool(vmPool('prod', { nodeSelector: labels }));
  await settled();
  expect(world.status('prod')).not.toHaveProperty('pods');
  expect(world.podReads).toEqual([]);
});

test('no status is written after the stop', async () => {
  const world = await oneVm();
  await world.controller.stop();
  world.setNode(vm('a', { labels, unschedulable: true }));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(world.writes).toHaveLength(1);
});
