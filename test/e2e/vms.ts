// The VMPools of the kind cluster's workers, and actions on their VMs.
import type { TestContext } from 'vitest';
import { API_VERSION } from '../../src/api/meta.ts';
import type { VmPoolSpec } from '../../src/api/vm-pool.ts';
import { VM_POOLS } from '../../src/controller/kinds/api-kinds.ts';
import type { KubeObject, Live, Resource } from '../../src/kube/types.ts';
import { parseResources, type Resources } from '../../src/scheduling/quantity.ts';
import type { Spec } from '../integration/release-objects.ts';
import { POOL_LABEL } from '../kind/cluster.ts';
import { forget } from './nodes.ts';
import { evictable, POOLS } from './releases.ts';
import { api, kubectl, send, type World } from './world.ts';

interface WireVm extends KubeObject {
  readonly status: {
    readonly nodeInfo: Readonly<Record<'osImage' | 'kernelVersion' | 'kubeletVersion', string>>;
    readonly allocatable: Readonly<Record<string, string>>;
  };
}

export type Vm = Live<WireVm>;

const NODES: Resource<WireVm> = { apiVersion: 'v1', kind: 'Node', plural: 'nodes', namespaced: false };

/** Node selector and tolerations for the VMs of a pool. */
export function placeOf(pool: string) {
  return {
    nodeSelector: { [POOL_LABEL]: pool },
    tolerations: [{ key: POOL_LABEL, operator: 'Equal', value: pool, effect: 'NoSchedule' }],
  };
}

/** VMPools for the named pools, with additions for some; removed with the test. */
export async function makeVmPools(
  onTestFinished: TestContext['onTestFinished'],
  pools: Readonly<Record<string, VmPoolSpec>> = EVERY_POOL,
): Promise<void> {
  const names = Object.keys(pools);
  onTestFinished(async () => {
    await kubectl('delete', 'vmpools', ...names, '--ignore-not-found');
  });
  for (const [name, more] of Object.entries(pools)) {
    await send(['create', '--filename=-'], {
      apiVersion: API_VERSION,
      kind: 'VMPool',
      metadata: { name },
      spec: { ...placeOf(name), ...more },
    });
  }
  await kubectl('wait', ...names.map((name) => `vmpool/${name}`), '--for=condition=Ready', '--timeout=60s');
}

const EVERY_POOL = Object.fromEntries(POOLS.map((name) => [name, {}]));

export function getVmPool(name: string) {
  return api.get(VM_POOLS, { name });
}

export async function vmsOf(pool: string): Promise<Vm[]> {
  return (await api.list(NODES, { labelSelector: `${POOL_LABEL}=${pool}` })).items;
}

export async function namesOf(pool: string): Promise<string[]> {
  return (await vmsOf(pool)).map(({ metadata }) => metadata.name);
}

/** The requests on a VM in `kubectl describe node`. */
export async function describedRequests(node: string): Promise<Resources> {
  const text = await kubectl('describe', 'node', node);
  const allocated = text.slice(text.indexOf('Allocated resources:'));
  const rows = [...allocated.matchAll(/^ {2}(cpu|memory) +(\S+) \(/gm)];
  const pods = /Non-terminated Pods: +\((\d+) in total\)/.exec(text)?.[1];
  const amounts: Record<string, unknown> = { pods };
  for (const [, name = '', amount] of rows) amounts[name] = amount;
  return parseResources(amounts);
}

/** A release on pools that only VMPools describe, with pods that may be evicted. */
export async function onVmPools(
  world: World,
  version: string,
  stages: Spec['stages'],
  requests: Readonly<Record<string, string>> = { cpu: '30m', memory: '24Mi' },
): Promise<Spec> {
  const spec = await evictable(world, version, { stages });
  const [container] = spec.template.spec.containers;
  if (container) container['resources'] = { requests };
  return spec;
}

/** Requests of this percentage of the memory for pods of the pool's smallest VM. */
export async function memoryOf(pool: string, percentage: number): Promise<Record<string, string>> {
  const amounts = (await vmsOf(pool)).map(({ status }) => parseResources(status.allocatable)['memory'] ?? 0);
  return { memory: String(Math.floor((Math.min(...amounts) * percentage) / 100)) };
}

export function drain(node: string): Promise<string> {
  return kubectl('drain', node, '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=120s', '--force');
}

/** Replaces a VM like a cloud: drains it, removes its Node, and joins a VM of the same name without the app's images. */
export async function replaceVm(world: World, node: string, versions: readonly string[]): Promise<void> {
  await drain(node);
  await world.engine.run(['exec', node, 'systemctl', 'stop', 'kubelet']);
  try {
    await kubectl('delete', 'node', node, '--timeout=60s');
    for (const version of versions) await forget(world, version, [node]);
  } finally {
    await world.engine.run(['exec', node, 'systemctl', 'start', 'kubelet']);
  }
  await kubectl('wait', `node/${node}`, '--for=create', '--timeout=60s');
  await kubectl('wait', `node/${node}`, '--for=condition=Ready', '--timeout=120s');
}

/** Whether a VM has the image of a version, by its container runtime. */
export async function hasImage(world: World, node: string, version: string): Promise<boolean> {
  const { digest } = await world.images.push(version);
  const images = await world.engine.run(['exec', node, 'ctr', '--namespace=k8s.io', 'images', 'list']);
  return images.includes(`@${digest}`);
}
