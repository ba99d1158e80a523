// An operator behind a fault proxy, and the story that it has to bring to its end. What broke the invariant is judged by a
// watcher of the API server itself, past the proxy.
import { expect, test as base } from 'vitest';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import type { ClusterAccess } from '../cluster/types.ts';
import type { FaultProxy } from './fault-proxy.ts';
import { startFaultProxy } from './fault-proxy.ts';
import type { OperatorProcess } from './operator-process.ts';
import { installOperator, startOperatorProcess, superviseOperator } from './operator-process.ts';
import type { ProcessWorld } from './process-world.ts';
import { createProcessWorld } from './process-world.ts';
import type { Spec } from './release-objects.ts';
import { pool, release } from './release-objects.ts';

export interface Scene {
  readonly world: ProcessWorld;
  readonly proxy: FaultProxy;
  readonly operator: () => OperatorProcess;
}

interface Fixtures {
  /** Ends what the test starts. */
  ending: AsyncDisposableStack;
  /** A namespace with an operator behind a fault proxy. */
  setUp: (on: ClusterAccess, flags?: readonly string[]) => Promise<Scene>;
}

export const test = base.extend<Fixtures>({
  // eslint-disable-next-line no-empty-pattern -- vitest requires this form
  ending: async ({}, use) => {
    const ending = new AsyncDisposableStack();
    await use(ending);
    await ending.disposeAsync();
  },
  setUp: async ({ ending, onTestFailed }, use) => {
    await use(async (on, flags = []) => {
      const { world, proxy, ownFlags } = await startWorld(on, ending);
      const start = () => startOperatorProcess(on, { kubeconfig: proxy.kubeconfig, flags: [...ownFlags, ...flags] });
      const supervised = await superviseOperator(start);
      ending.defer(supervised.stop);
      onTestFailed(() => {
        const lines = supervised.current().log().slice(-25);
        console.log(lines.map((line) => JSON.stringify(line)).join('\n'));
      });
      return { world, proxy, operator: supervised.current };
    });
  },
});

const installed = new Map<ClusterAccess, Promise<string>>();

/** A namespace, a proxy, and the flags of an operator that has both for itself, with a Lease of its own. */
export async function startWorld(
  on: ClusterAccess,
  ending: AsyncDisposableStack,
): Promise<{ world: ProcessWorld; proxy: FaultProxy; ownFlags: string[] }> {
  const installing = installed.get(on) ?? install(on);
  installed.set(on, installing);
  const kubeconfig = await installing;
  const world = await createProcessWorld(on);
  ending.defer(world.end);
  const proxy = await startFaultProxy(on, kubeconfig);
  ending.defer(proxy.close);
  return { world, proxy, ownFlags: [`--namespace=${world.namespace}`, `--lease-name=${world.namespace}`] };
}

/** The operator's role allows one Lease: here each test has its own, so that tests can run side by side. */
async function install(on: ClusterAccess): Promise<string> {
  const kubeconfig = await installOperator(on);
  const namespace = '--namespace=apprelease-system';
  const leases = ['--verb=create,get,update', '--resource=leases'];
  await on.kubectl(['create', 'role', 'leases-of-tests', namespace, ...leases]);
  const account = '--serviceaccount=apprelease-system:apprelease-operator';
  await on.kubectl(['create', 'rolebinding', 'leases-of-tests', namespace, '--role=leases-of-tests', account]);
  return kubeconfig;
}

export function version(number: number): Spec {
  const digest = `sha256:${String(number).padStart(2, '0').repeat(32)}`;
  return release(`registry.example.com/shop/web:${number}.0@${digest}`, {
    stages: [
      { name: 'canary', soak: '500ms', pools: [pool('canary-vms', 1)] },
      { name: 'production', approval: 'Manual', pools: [pool('prod-a', 2), pool('prod-b', 2)] },
    ],
  });
}

/** Release, promotion with approval, rollback, under the current faults. */
export async function story(world: ProcessWorld): Promise<void> {
  await world.apply(version(1));
  await world.promote('first', { version: '1.0', stage: 'production' });
  await world.released('1.0');
  await world.apply(version(2));
  await world.until('wait for approval', async () => {
    return (await world.condition('Reconciling'))?.reason === 'WaitingForApproval';
  });
  await world.promote('second', { version: '2.0', stage: 'production' });
  await world.until('second version in production', async () => (await world.selected())['web-prod-a'] === '2');
  await world.rollBack('back', { reason: 'a test' });
  await world.rolledBack('back');
}

/** The final state, when there are no more faults. */
export async function expectEnd({ world }: Scene, judged = 4): Promise<void> {
  await world.until('hold', async () => (await world.condition('RolledBack'))?.status === 'True');
  await world.until('end of the second version', async () => {
    const { items } = await world.admin.list(DEPLOYMENTS, { namespace: world.namespace });
    return items.length === 3 && items.every(({ spec, status }) => status?.readyReplicas === spec.replicas);
  });
  expect(await world.selected()).toEqual({ 'web-canary-vms': '1', 'web-prod-a': '1', 'web-prod-b': '1' });
  await world.until('availability', async () => (await world.condition('Available'))?.status === 'True');
  await world.until('end of the return', async () => (await world.condition('Stalled'))?.reason === 'RolledBack');
  expect(await world.invariant.violations()).toEqual([]);
  expect(await world.invariant.judged()).toBeGreaterThanOrEqual(judged);
}
