// A pool of two real virtual machines with their own kernel, as the machines of one customer.
import { expect, inject, onTestFinished } from 'vitest';
import { errorsOf, runsOf, startAsker } from '../e2e/asker.ts';
import { pool } from '../integration/release-objects.ts';
import { drain, makeVmPools, memoryOf, onVmPools, getVmPool } from '../e2e/vms.ts';
import { e2e, kubectl, test as base, type World } from '../e2e/world.ts';
import { POOL, prepareVms, type Vm, type Vms } from './vms.ts';

const builds = inject('builds');
const SERVICES = { 'canary-vms': 'web-canary-vms', [POOL]: `web-${POOL}` };
const STAGES = [
  { name: 'canary', soak: '2s', pools: [pool('canary-vms', 1)] },
  { name: 'acme', pools: [{ name: POOL, replicas: 2 }] },
];

/** Emulated processors are slow: what is asked of them is less, and takes longer. */
const TIMEOUT_MS = 10_000;
const PATIENT = ['-every=100ms', `-timeout=${TIMEOUT_MS}ms`];

const test = base.extend<{ vms: Vms }>({
  vms: [
    // eslint-disable-next-line no-empty-pattern -- vitest requires this form
    async ({}, use) => {
      const vms = await prepareVms(2);
      try {
        await Promise.all(vms.all.map((vm) => vm.install(builds.older)));
        await use(vms);
      } finally {
        await vms.remove();
      }
    },
    { scope: 'file' },
  ],
});

interface NodeInfo {
  readonly kernelVersion: string;
  readonly bootID: string;
}

async function infoOf(node: string): Promise<NodeInfo> {
  return JSON.parse(await kubectl('get', 'node', node, '--output=jsonpath={.status.nodeInfo}')) as NodeInfo;
}

/** Waits until the VMPool's condition matches. */
async function poolIs(type: string, status: 'True' | 'False'): Promise<void> {
  await kubectl('wait', `vmpool/${POOL}`, `--for=condition=${type}=${status}`, '--timeout=120s');
}

/** The output for users; printed for docs/vm-pools.md. */
async function tableOf(when: string): Promise<string> {
  const table = await kubectl('get', 'vmpools', '--output=wide');
  console.log(`${when}\n$ kubectl get vmpools -o wide\n${table}`);
  return table.split('\n').find((line) => line.startsWith(POOL)) ?? '';
}

/** The machines are the customer's own, and their pool is made of nothing but a VMPool. */
async function releaseOn(world: World, vms: Vms, requests?: Record<string, string>): Promise<void> {
  await makeVmPools(onTestFinished, { [POOL]: { tenants: { namespaces: [world.namespace] } } });
  expect((await getVmPool(POOL)).status?.nodes?.total).toBe(vms.all.length);
  await want(world, '1.0.0', requests);
  await world.released('1.0.0');
}

async function want(world: World, version: string, requests?: Record<string, string>): Promise<void> {
  await world.apply({ ...(await onVmPools(world, version, STAGES, requests)), progressDeadlineSeconds: 300 });
}

test('a release is promoted to them and rolled back, without a failed request', async ({ world, vms }) => {
  await releaseOn(world, vms);
  const asker = await startAsker(world, SERVICES, PATIENT);
  await want(world, '2.0.0');
  await world.released('2.0.0');
  await asker.hears(POOL, '2.0.0');
  const names = vms.all.map(({ name }) => name);
  for (const { node } of await world.pods(POOL)) expect(names).toContain(node);

  const [own, ofContainers] = await Promise.all([infoOf(names[0] ?? ''), infoOf(e2e.cluster.nodes[0] ?? '')]);
  expect(own.kernelVersion).toBe(builds.older.kernel.release);
  // A container has its machine's.
  expect(ofContainers.kernelVersion).not.toBe(own.kernelVersion);
  expect(await tableOf('Released:')).toMatch(new RegExp(`2/2 .*build 1.* ${own.kernelVersion} +False`));

  await world.rollback('back');
  await world.kubectl('wait', 'releaserollback/back', '--for=condition=Complete', '--timeout=90s');
  await asker.hears(POOL, '1.0.0');
  const answers = await asker.answers();
  await asker.stop();
  expect(errorsOf(answers)).toEqual([]);
  expect(runsOf(answers, POOL).map(({ version }) => version)).toEqual(['1.0.0', '2.0.0', '1.0.0']);
});

test('one loses its power: the app stays up, the pool reports it, and the VM comes back', async ({ world, vms }) => {
  await releaseOn(world, vms);
  const asker = await startAsker(world, SERVICES, PATIENT);
  const before = await world.pods(POOL);
  const [victim, other] = vms.all as [Vm, Vm];
  expect(before.map(({ node }) => node).toSorted()).toEqual([victim.name, other.name]);
  const { bootID } = await infoOf(victim.name);
  await victim.cutPower();
  await kubectl('wait', `node/${victim.name}`, '--for=condition=Ready=Unknown', '--timeout=120s');
  await poolIs('Ready', 'False');
  expect((await getVmPool(POOL)).status).toMatchObject({ readyNodes: '1/2', nodes: { ready: 1, notReady: 1 } });
  // From then on nobody is sent to it, nor waits for an answer of it.
  await world.until('answers by the other one alone', async () => {
    const latest = (await asker.answers()).findLast(({ error }) => error !== undefined);
    return (await readyEndpoints(world)) === 1 && (latest?.at ?? 0) < Date.now() - TIMEOUT_MS;
  });
  const since = Date.now();
  await tableOf(`${victim.name} without power:`);
  const after = async () => (await asker.answers()).filter(({ asked }) => asked > since);
  await world.until('a hundred answers', async () => (await after()).length > 100);
  expect(errorsOf(await after())).toEqual([]);

  await victim.start();
  expect((await infoOf(victim.name)).bootID).not.toBe(bootID);
  await poolIs('Ready', 'True');
  await world.until('both pods in the Service', async () => (await readyEndpoints(world)) === 2);
  await world.conditionIs('Ready', 'True');
  const answers = (await asker.answers()).filter(({ pool: name }) => name === POOL);
  await asker.stop();
  // The other one answered all along those who were sent to it.
  expect(longestSilence(answers)).toBeLessThan(3000);
  expect(await world.kubectl('get', 'releaserollbacks', '--output=name')).toBe('');
});

test('they are patched one after the other in the middle of a promotion, and no client notices', async ({
  world,
  vms,
}) => {
  // A machine takes three pods, and not two of each version.
  const requests = await memoryOf(POOL, 28);
  await releaseOn(world, vms, requests);
  const asker = await startAsker(world, SERVICES, PATIENT);
  const [first, second] = vms.all as [Vm, Vm];
  await kubectl('cordon', first.name);
  await want(world, '2.0.0', requests);
  await world.serves('canary-vms', '2.0.0');
  await world.conditionIs('Ready', 'False', 'VMsUnavailable');
  await patch(first);
  await poolIs('Skewed', 'True');
  const { kernelVersion } = await infoOf(first.name);
  expect(kernelVersion).toBe(builds.newer.kernel.release);
  const message = await kubectl(
    'get',
    'vmpool',
    POOL,
    '--output=jsonpath={.status.conditions[?(@.type=="Skewed")].message}',
  );
  expect(message).toContain(kernelVersion);
  expect(message).toContain(builds.older.kernel.release);
  await tableOf(`${first.name} patched:`);
  await patch(second);
  await poolIs('Skewed', 'False');
  await world.released('2.0.0');
  await asker.hears(POOL, '2.0.0');
  expect(await tableOf('Both patched:')).toMatch(new RegExp(`2/2 .*build 2.* ${kernelVersion} +False`));
  const answers = await asker.answers();
  await asker.stop();
  expect(errorsOf(answers)).toEqual([]);
  expect(runsOf(answers, POOL).map(({ version }) => version)).toEqual(['1.0.0', '2.0.0']);
  expect((await world.status()).history?.[0]).toMatchObject({ version: '2.0.0', outcome: 'Good' });
});

/** As clouds do it: emptied, taken out of the cluster, and one of its name with another build joins. */
async function patch(vm: Vm): Promise<void> {
  await drain(vm.name);
  await vm.cutPower();
  await kubectl('delete', 'node', vm.name);
  await vm.install(builds.newer);
}

async function readyEndpoints(world: World): Promise<number> {
  const path = 'jsonpath={.items[*].endpoints[?(@.conditions.ready==true)].targetRef.name}';
  const selector = `--selector=kubernetes.io/service-name=web-${POOL}`;
  const names = await world.kubectl('get', 'endpointslices', selector, `--output=${path}`);
  return names.split(' ').filter(Boolean).length;
}

/** Between two answers (ms). */
function longestSilence(answers: readonly { at: number; version?: string }[]): number {
  const times = answers.filter(({ version }) => version !== undefined).map(({ at }) => at);
  return Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? at)));
}
