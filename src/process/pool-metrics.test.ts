// The metrics cover every VMPool, and no deleted one.
import { expect, test } from 'vitest';
import { poolMembers } from '../vmpool/members.ts';
import type { PoolOutcome } from '../vmpool/status.ts';
import { poolOutcome } from '../vmpool/status.ts';
import { nodeOf, placedPod, vm, vmPool } from '../scheduling/testing.ts';
import { createMetrics } from './metrics.ts';

const labels = { pool: 'prod' };
const pool = vmPool('prod', { nodeSelector: labels, tenants: { namespaces: [] } });

function outcome(kernel: string, seesPods = true): PoolOutcome {
  const info = { kernelVersion: kernel };
  const nodes = [
    vm('a', { labels }),
    vm('b', { labels, unschedulable: true }),
    vm('c', { labels, info, ready: false }),
  ];
  const pods = [placedPod('a', 'x', { requests: { cpu: 1500, memory: 2 ** 30 } })];
  const neighbours = { labelsOf: () => undefined, system: [] };
  const podsOn = (node: string) => pods.filter(({ nodeName }) => nodeName === node);
  return poolOutcome(
    { pool, members: poolMembers([pool], nodes), nodeOf: nodeOf(nodes), neighbours, ...(seesPods && { podsOn }) },
    0,
  );
}

async function samples(metrics: ReturnType<typeof createMetrics>): Promise<Record<string, number>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line.startsWith('apprelease_vmpool_'));
  return Object.fromEntries(
    lines.map((line) => [
      line.slice('apprelease_vmpool_'.length, line.lastIndexOf(' ')),
      Number(line.split(' ').at(-1)),
    ]),
  );
}

test('the numbers of a pool in base units', async () => {
  const metrics = createMetrics('1');
  metrics.pool('prod', outcome('6.12'));
  expect(await samples(metrics)).toMatchObject({
    'nodes{pool="prod",state="ready"}': 1,
    'nodes{pool="prod",state="draining"}': 1,
    'nodes{pool="prod",state="not_ready"}': 1,
    'pods{pool="prod"}': 1,
    'capacity_cpu_cores{pool="prod"}': 12,
    'allocatable_memory_bytes{pool="prod"}': 48 * 2 ** 30,
    'requested_cpu_cores{pool="prod"}': 1.5,
    'waste_cpu_cores{pool="prod"}': 10.5,
    'waste_memory_bytes{pool="prod"}': 47 * 2 ** 30,
    'waste_pod_slots{pool="prod"}': 329,
    'density_pods{pool="prod"}': 1 / 3,
    'skewed{pool="prod"}': 1,
    'trespassing_pods{pool="prod"}': 1,
    'version_nodes{pool="prod",component="kernel",version="6.12"}': 1,
  });
});

test('the series of an unused version and of a deleted pool disappear', async () => {
  const metrics = createMetrics('1');
  metrics.pool('prod', outcome('6.12'));
  await samples(metrics);
  metrics.pool('prod', outcome('6.13', false));
  const told = await samples(metrics);
  expect(told).not.toHaveProperty(['version_nodes{pool="prod",component="kernel",version="6.12"}']);
  expect(told).not.toHaveProperty(['pods{pool="prod"}']);
  metrics.pool('prod', undefined);
  expect(await samples(metrics)).toEqual({});
});
