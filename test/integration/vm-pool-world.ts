// The harness for tests of VMPools: VMs, pools and pods that are removed with the test.
import { randomBytes } from 'node:crypto';
import { expect, test as base } from 'vitest';
import type { Condition } from '../../src/api/common.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import type { VmPoolSpec, VmPoolStatus } from '../../src/api/vm-pool.ts';
import { VM_POOLS } from '../../src/controller/kinds/api-kinds.ts';
import { PODS } from '../../src/controller/kinds/pods.ts';
import { isNotFound } from '../../src/kube/errors.ts';
import type { Resource } from '../../src/kube/types.ts';
import { addNodes } from '../cluster/nodes.ts';
import type { NodeGroup } from '../cluster/types.ts';
import { admin, cluster } from './harness.ts';

const NAMESPACES: Resource = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false };
const TIMEOUT_MS = 40_000;

export async function until<T>(check: () => Promise<T>, timeoutMs = TIMEOUT_MS): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end)
        throw new Error(await cluster.kubectl(['get', 'vmpools', '--output=yaml']), { cause: error });
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A unique name that identifies the objects of a test. */
export function uniqueName(): string {
  return `vms-${randomBytes(3).toString('hex')}`;
}

/** Creates objects that are removed with the test. */
interface Vms {
  /** VMs without other pods. */
  nodes: (group: NodeGroup) => Promise<string[]>;
  /** A pool of the VMs that `nodes` created under the same name, unless a spec selects others. */
  pool: (name: string, spec?: VmPoolSpec) => Promise<void>;
  namespace: () => Promise<string>;
}

export const test = base.extend<{ vms: Vms }>({
  // eslint-disable-next-line no-empty-pattern -- vitest requires this form
  vms: async ({}, use) => {
    const made: (() => Promise<unknown>)[] = [];
    await use({
      nodes: async (group) => {
        const taints = [{ key: 'example.com/test', value: group.name, effect: 'NoSchedule' as const }];
        const names = await addNodes(cluster, { taints, ...group, labels: { pool: group.name, ...group.labels } });
        made.push(() => removeNodes(...names));
        return names;
      },
      pool: async (name, spec = { nodeSelector: { pool: name } }) => {
        await admin.create(VM_POOLS, { apiVersion: API_VERSION, kind: 'VMPool', metadata: { name }, spec });
        made.push(() => admin.delete(VM_POOLS, { name }));
      },
      namespace: async () => {
        const name = uniqueName();
        await admin.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
        made.push(() => admin.delete(NAMESPACES, { name }));
        await until(() => cluster.kubectl(['get', 'serviceaccount', 'default', `--namespace=${name}`]));
        return name;
      },
    });
    for (const remove of made.toReversed()) {
      await remove().catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
  },
});

export async function removeNodes(...names: string[]): Promise<void> {
  await cluster.kubectl(['delete', 'node', ...names, '--ignore-not-found', '--wait=false']);
}

/** A pod that is bound to a VM. */
export async function placePod(namespace: string, nodeName: string, name: string, spec: object = {}): Promise<void> {
  const containers = [{ name: 'main', image: 'example.com/app:1', resources: { requests: { cpu: '500m' } } }];
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: { nodeName, containers, ...spec },
  };
  await admin.create(PODS, object);
}

export async function statusOfPool(name: string): Promise<VmPoolStatus> {
  return (await admin.get(VM_POOLS, { name })).status ?? {};
}

export function statusIs(name: string, expected: object): Promise<VmPoolStatus> {
  return until(async () => {
    const status = await statusOfPool(name);
    expect(status).toMatchObject(expected);
    return status;
  });
}

export function poolConditionIs(name: string, type: string, expected: Partial<Condition>): Promise<void> {
  return until(async () => {
    expect((await statusOfPool(name)).conditions?.find((one) => one.type === type)).toMatchObject(expected);
  });
}

/** The cells of a pool's row; without a pool, those of the header. */
export async function row(...args: string[]): Promise<string[]> {
  const output = await cluster.kubectl(['get', 'vmpools', ...args]);
  return output.trim().split('\n').at(-1)?.trim().split(/ {2,}/) ?? [];
}
