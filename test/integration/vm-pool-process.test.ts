// The bundled operator with its own rights writes VMPools, and exports metrics of them.
import { isDeepStrictEqual } from 'node:util';
import { describe, expect } from 'vitest';
import { VM_POOLS } from '../../src/controller/kinds/api-kinds.ts';
import { admin, cluster } from './harness.ts';
import { installOperator, QUICK_LEASE, startOperatorProcess } from './operator-process.ts';
import { readPage } from './page.ts';
import { placePod, statusIs, test, uniqueName, until } from './vm-pool-world.ts';

describe('the operator as a process, with its own rights', () => {
  test('exports metrics of a pool until it is deleted', async ({ vms }) => {
    const name = uniqueName();
    const own = await startOperatorProcess(cluster, { kubeconfig: await installOperator(cluster), flags: QUICK_LEASE });
    try {
      await vms.nodes({ name, count: 2, nodeInfo: { kernelVersion: '6.12.1' } });
      await vms.pool(name);
      await cluster.kubectl(['cordon', `${name}-1`]);
      await statusIs(name, { readyNodes: '1/2', requested: { pods: '0' } });
      const samples = (await own.metrics()).filter(({ labels }) => labels['pool'] === name);
      const valueOf = (metric: string, labels: Record<string, string> = {}) =>
        samples.find((sample) => sample.name === metric && isDeepStrictEqual(sample.labels, { pool: name, ...labels }))
          ?.value;
      expect(valueOf('apprelease_vmpool_nodes', { state: 'ready' })).toBe(1);
      expect(valueOf('apprelease_vmpool_nodes', { state: 'draining' })).toBe(1);
      expect(valueOf('apprelease_vmpool_waste_cpu_cores')).toBe(8);
      expect(valueOf('apprelease_vmpool_allocatable_memory_bytes')).toBe(32 * 2 ** 30);
      expect(valueOf('apprelease_vmpool_skewed')).toBe(0);
      expect(valueOf('apprelease_vmpool_version_nodes', { component: 'kernel', version: '6.12.1' })).toBe(2);
      await admin.delete(VM_POOLS, { name });
      await until(async () => {
        expect((await own.metrics()).filter(({ labels }) => labels['pool'] === name)).toEqual([]);
      });
    } finally {
      await own.stop();
    }
  });

  test('of one namespace reports no pods, because it does not see all of them', async ({ vms }) => {
    const name = uniqueName();
    const namespace = await vms.namespace();
    const [node = ''] = await vms.nodes({ name, count: 1 });
    await placePod(namespace, node, 'one');
    const flags = [...QUICK_LEASE, `--namespace=${namespace}`];
    const own = await startOperatorProcess(cluster, { kubeconfig: await installOperator(cluster), flags });
    try {
      await vms.pool(name);
      const status = await statusIs(name, { readyNodes: '1/1', allocatable: { cpu: '4' } });
      for (const field of ['pods', 'requested', 'waste', 'density', 'releases'])
        expect(status).not.toHaveProperty(field);
    } finally {
      await own.stop();
    }
  });
});

test('the API server accepts the VMPools of docs/vm-pools.md', async () => {
  const page = await readPage('vm-pools.md');
  const manifests = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text);
  const pools = manifests.filter((text) => text.includes('kind: VMPool'));
  expect(pools).not.toEqual([]);
  for (const input of pools) await cluster.kubectl(['apply', '--dry-run=server', '-f', '-'], { input });
});
