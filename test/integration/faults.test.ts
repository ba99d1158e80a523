// An API server that misbehaves through a release, a promotion and a rollback, or is slow while the operator
// is to stop. What broke the invariant is
// judged by a watcher of the API server itself, past the proxy.
import { afterEach, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { ROLLBACKS } from '../../src/controller/kinds/api-kinds.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { PODS } from '../../src/controller/kinds/pods.ts';
import { LEASES } from '../../src/kube/lease.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { addNodes, standardPools } from '../cluster/nodes.ts';
import type { ClusterAccess } from '../cluster/types.ts';
import type { Asked, Fault, FaultProxy, FaultRule } from './fault-proxy.ts';
import { chaos, startFaultProxy } from './fault-proxy.ts';
import type { OperatorProcess } from './operator-process.ts';
import { installOperator, QUICK_LEASE, startOperatorProcess, sumOf, superviseOperator } from './operator-process.ts';
import { ownCluster } from './own-cluster.ts';
import type { ProcessWorld } from './process-world.ts';
import { createProcessWorld } from './process-world.ts';
import { connectAs } from './release-operator.ts';
import type { Spec } from './release-objects.ts';
import { pool, release, template } from './release-objects.ts';

const cluster = ownCluster();

interface Scene {
  readonly world: ProcessWorld;
  readonly proxy: FaultProxy;
  readonly operator: () => OperatorProcess;
}

let kubeconfig: string;
const endings: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  kubeconfig = await installOperator(cluster);
});

afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

/** An operator behind a fault proxy. */
async function setUp(
  { on = cluster, as = kubeconfig }: { on?: ClusterAccess; as?: string } = {},
  flags: readonly string[] = [],
): Promise<Scene> {
  const world = await createProcessWorld(on);
  endings.push(world.end);
  const proxy = await startFaultProxy(on, as);
  endings.push(proxy.close);
  const start = () =>
    startOperatorProcess(on, {
      kubeconfig: proxy.kubeconfig,
      flags: [`--namespace=${world.namespace}`, ...flags],
    });
  const supervised = await superviseOperator(start);
  endings.push(supervised.stop);
  onTestFailed(() => {
    const lines = supervised.current().log().slice(-25);
    console.log(lines.map((line) => JSON.stringify(line)).join('\n'));
  });
  return { world, proxy, operator: supervised.current };
}

function version(number: number): Spec {
  const digest = `sha256:${String(number).padStart(2, '0').repeat(32)}`;
  return release(`registry.example.com/shop/web:${number}.0@${digest}`, {
    stages: [
      { name: 'canary', soak: '500ms', pools: [pool('canary-vms', 1)] },
      { name: 'production', approval: 'Manual', pools: [pool('prod-a', 2), pool('prod-b', 2)] },
    ],
  });
}

/** Release, promotion with approval, rollback, under the current faults. */
async function story(world: ProcessWorld): Promise<void> {
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
async function expectEnd({ world }: Scene, judged = 4): Promise<void> {
  await world.until('hold', async () => (await world.condition('RolledBack'))?.status === 'True');
  await world.until('end of the second version', async () => {
    const { items } = await world.admin.list(DEPLOYMENTS, { namespace: world.namespace });
    return items.length === 3 && items.every(({ spec, status }) => status?.readyReplicas === spec.replicas);
  });
  expect(await world.selected()).toEqual({ 'web-canary-vms': '1', 'web-prod-a': '1', 'web-prod-b': '1' });
  await world.until('availability', async () => (await world.condition('Available'))?.status === 'True');
  await world.until('no need of a person', async () => (await world.condition('Stalled'))?.status === 'False');
  expect(await world.invariant.violations()).toEqual([]);
  expect(await world.invariant.judged()).toBeGreaterThanOrEqual(judged);
}

describe('faults at random', () => {
  test.each([1, 2, 3])(
    'seed %i',
    async (seed) => {
      const scene = await setUp();
      scene.proxy.rules(chaos(seed, 0.2));
      await story(scene.world);
      scene.proxy.rules();
      await expectEnd(scene);
      expect(Object.values(scene.proxy.done()).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(20);
    },
    300_000,
  );
});

describe('one kind of fault', () => {
  /** Applies the fault to the first matching requests, and records their times. */
  function first(
    count: number,
    isMeant: (asked: Asked) => boolean,
    fault: Fault,
  ): { rule: FaultRule; times: number[] } {
    const times: number[] = [];
    const rule: FaultRule = (asked) => {
      if (!isMeant(asked)) return undefined;
      times.push(performance.now());
      return times.length <= count ? fault : undefined;
    };
    return { rule, times };
  }

  /** A POST creates the first Service. */
  const isSwitch = ({ verb, resource, name }: Asked) =>
    resource === 'services' && (verb === 'create' || (verb === 'patch' && name === 'web-canary-vms'));

  test('the answers of all first writes are lost: no object is created twice', async () => {
    const scene = await setUp();
    const seen = new Set<string>();
    scene.proxy.rules(({ verb, resource, name = '' }) => {
      const key = `${verb} ${resource} ${name}`;
      if (!['create', 'patch', 'delete'].includes(verb) || seen.has(key)) return undefined;
      seen.add(key);
      return { kind: 'lost' };
    });
    await story(scene.world);
    scene.proxy.rules();
    await expectEnd(scene);
  }, 200_000);

  test('429 with Retry-After: the release waits as long as requested', async () => {
    const scene = await setUp();
    const { rule, times } = first(1, isSwitch, { kind: 'status', code: 429, retryAfterSeconds: 2 });
    scene.proxy.rules(rule);
    await scene.world.apply(version(1));
    await scene.world.until('another try', () => Promise.resolve(times.length > 1));
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(1_900);
    scene.proxy.rules();
    await scene.world.promote('first', { version: '1.0', stage: 'production' });
    await scene.world.released('1.0');
  });

  test('a hanging write is cancelled and retried', async () => {
    const scene = await setUp();
    const { rule, times } = first(1, isSwitch, { kind: 'hang' });
    scene.proxy.rules(rule);
    await scene.world.apply(version(1));
    await scene.world.promote('first', { version: '1.0', stage: 'production' });
    await scene.world.released('1.0');
    expect(times.length).toBeGreaterThan(1);
    const samples = await scene.operator().metrics();
    expect(sumOf(samples, 'apprelease_api_requests_total', { resource: 'services', code: '0' })).toBe(1);
  });

  test('watches that expire or break off lose no event', async () => {
    const scene = await setUp();
    const counts = new Map<string, number>();
    scene.proxy.rules(({ verb, resource }) => {
      const count = counts.get(resource) ?? 0;
      // Repeated failures increase the delays: keep the test short.
      if (verb !== 'watch' || count === 4) return undefined;
      counts.set(resource, count + 1);
      return count % 2 === 0 ? { kind: 'expired' } : { kind: 'lost', afterMs: 700 };
    });
    scene.proxy.dropConnections();
    await story(scene.world);
    scene.proxy.rules();
    await expectEnd(scene);
    expect(scene.proxy.done()['expired']).toBeGreaterThan(3);
  }, 200_000);

  test('a hanging watch of pods causes no rollback', async () => {
    const scene = await setUp();
    const { world, proxy } = scene;
    const changes = { progressDeadlineSeconds: 6, stages: [{ name: 'all', pools: [pool('prod-a', 2)] }] };
    await world.apply({ ...version(1), ...changes });
    await world.released('1.0');
    const spec = { ...version(2), ...changes };
    const slow = template(spec.template.spec.containers[0]?.image ?? '', { 'sim.apprelease.dev/start-delay': '4s' });
    await world.apply({ ...spec, template: slow });
    await world.until('pods on their way', async () => {
      const { items } = await world.admin.list(PODS, { namespace: world.namespace });
      return items.filter(({ status }) => status?.startTime !== undefined).length === 4;
    });
    // The operator's cache does not change until it gives up the watch.
    proxy.rules(({ verb, resource }) => (verb === 'watch' && resource === 'pods' ? { kind: 'hang' } : undefined));
    proxy.dropConnections();
    await world.released('2.0');
    expect(await world.admin.list(ROLLBACKS, { namespace: world.namespace })).toMatchObject({ items: [] });
  });

  test('connections break in the middle of a rollback', async () => {
    const scene = await setUp();
    await scene.world.apply(version(1));
    await scene.world.promote('first', { version: '1.0', stage: 'production' });
    await scene.world.released('1.0');
    await scene.world.apply(version(2));
    await scene.world.promote('second', { version: '2.0', stage: 'production' });
    await scene.world.released('2.0');
    const { rule } = first(2, isSwitch, { kind: 'reset' });
    scene.proxy.rules(rule);
    await scene.world.rollBack('back');
    await scene.world.rolledBack('back');
    await expectEnd(scene);
  });

  describe('a process that gets a signal during a write', () => {
    async function stopWhile(fault: Fault): Promise<OperatorProcess> {
      const world = await createProcessWorld(cluster);
      endings.push(world.end);
      const proxy = await startFaultProxy(cluster, kubeconfig);
      endings.push(proxy.close);
      const lease = ['--lease-duration=6s', '--renew-deadline=5s', '--retry-period=300ms'];
      const flags = [`--namespace=${world.namespace}`, ...lease];
      const operator = await startOperatorProcess(cluster, { kubeconfig: proxy.kubeconfig, flags });
      endings.push(operator.stop);
      const { rule, times } = first(1, isSwitch, fault);
      proxy.rules(rule);
      await world.apply(version(1));
      await world.until('the write', () => Promise.resolve(times.length > 0));
      operator.signal('SIGTERM');
      await operator.says('stopping: finishing running work');
      return operator;
    }

    test('finishes its work, releases the Lease, and ends', async () => {
      const operator = await stopWhile({ kind: 'delay', ms: 7_000 });
      expect(await operator.exited).toBe(0);
      const messages = operator.log().map(({ msg, action }) => action ?? msg);
      const after = messages.slice(messages.indexOf('stopping: finishing running work'));
      // The write took longer than the lease duration: the Lease was renewed meanwhile.
      expect(after).toContain('ApplyService');
      expect(after.at(-1)).toBe('stopped');
      const admin = connectAs(cluster);
      endings.push(admin.close);
      const lease = await admin.get(LEASES, { namespace: 'apprelease-system', name: 'apprelease-operator' });
      expect(lease.spec?.holderIdentity ?? '').toBe('');
    });

    test('ends at once at the second signal', async () => {
      const operator = await stopWhile({ kind: 'hang' });
      operator.signal('SIGTERM');
      expect(await operator.exited).toBe(1);
      const messages = operator.log().map(({ msg }) => msg);
      expect(messages).not.toContain('stopped');
      expect(messages).not.toContain('running work does not end: exiting');
    });
  });

  test('a leader that cannot renew the Lease ends without another write', async () => {
    const scene = await setUp({}, QUICK_LEASE);
    const operator = scene.operator();
    await operator.says('leads');
    scene.proxy.rules(({ resource }) => (resource === 'leases' ? { kind: 'hang' } : undefined));
    expect(await operator.exited).toBe(1);
    expect(operator.log().at(-1)).toMatchObject({ level: 'fatal' });
  });
});

test('the API server is restarted in the middle of a promotion and of a rollback', async () => {
  const own = await startControlPlane();
  endings.push(() => own.stop());
  await addNodes(own, ...standardPools);
  const scene = await setUp({ on: own, as: await installOperator(own) });
  const { world } = scene;
  await world.apply(version(1));
  await world.promote('first', { version: '1.0', stage: 'production' });
  await world.released('1.0');
  await world.apply(version(2));
  await world.until('second revision', async () => {
    const { items } = await world.admin.list(DEPLOYMENTS, { namespace: world.namespace });
    return items.length > 3;
  });
  await own.restartApiServer();
  await world.invariant.resume();
  await world.promote('second', { version: '2.0', stage: 'production' });
  await world.until('second version in production', async () => {
    const selected = await world.selected();
    return selected['web-prod-a'] === '2' && selected['web-prod-b'] === '2';
  });
  // The watcher has seen both switches before the API server goes away again.
  expect(await world.invariant.judged()).toBeGreaterThanOrEqual(2);
  await world.rollBack('back');
  await own.restartApiServer();
  await world.rolledBack('back');
  // The other switches can come while the watcher is cut off: these are not judged.
  await expectEnd(scene, 2);
}, 300_000);
