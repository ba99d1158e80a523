// An API server that misbehaves through a release, a promotion and a rollback, or is slow while the operator is to stop.
import { describe, expect } from 'vitest';
import { ROLLBACKS } from '../../src/controller/kinds/api-kinds.ts';
import { PODS } from '../../src/controller/kinds/pods.ts';
import { LEASES } from '../../src/kube/lease.ts';
import type { Asked, Fault, FaultRule } from './fault-proxy.ts';
import { chaos } from './fault-proxy.ts';
import { expectEnd, startWorld, story, test, version } from './faults-world.ts';
import type { OperatorProcess } from './operator-process.ts';
import { QUICK_LEASE, startOperatorProcess, sumOf } from './operator-process.ts';
import { ownCluster } from './own-cluster.ts';
import type { ProcessWorld } from './process-world.ts';
import { pool, template } from './release-objects.ts';

const cluster = ownCluster();

/** Applies the fault to the first matching requests, and records their times. */
function first(count: number, isMeant: (asked: Asked) => boolean, fault: Fault): { rule: FaultRule; times: number[] } {
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

describe.concurrent('faults at random', () => {
  test.for([1, 2, 3])('seed %i', { timeout: 300_000 }, async (seed, { setUp }) => {
    const scene = await setUp(cluster);
    scene.proxy.rules(chaos(seed, 0.2));
    await story(scene.world);
    scene.proxy.rules();
    await expectEnd(scene);
    expect(Object.values(scene.proxy.done()).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(20);
  });
});

describe.concurrent('one kind of fault', () => {
  test('the answers of all first writes are lost: no object is created twice', async ({ setUp }) => {
    const scene = await setUp(cluster);
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

  test('429 with Retry-After: the release waits as long as requested', async ({ setUp }) => {
    const scene = await setUp(cluster);
    const { rule, times } = first(1, isSwitch, { kind: 'status', code: 429, retryAfterSeconds: 2 });
    scene.proxy.rules(rule);
    await scene.world.apply(version(1));
    await scene.world.until('another try', () => Promise.resolve(times.length > 1));
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(1_900);
    scene.proxy.rules();
    await scene.world.promote('first', { version: '1.0', stage: 'production' });
    await scene.world.released('1.0');
  });

  test('a hanging write is cancelled and retried', async ({ setUp }) => {
    const scene = await setUp(cluster);
    const { rule, times } = first(1, isSwitch, { kind: 'hang' });
    scene.proxy.rules(rule);
    await scene.world.apply(version(1));
    await scene.world.promote('first', { version: '1.0', stage: 'production' });
    await scene.world.released('1.0');
    expect(times.length).toBeGreaterThan(1);
    const samples = await scene.operator().metrics();
    expect(sumOf(samples, 'apprelease_api_requests_total', { resource: 'services', code: '0' })).toBe(1);
  });

  test('watches that expire or break off lose no event', async ({ setUp }) => {
    const scene = await setUp(cluster);
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

  test('a hanging watch of pods causes no rollback', async ({ setUp }) => {
    const scene = await setUp(cluster);
    const { world, proxy } = scene;
    const changes = { progressDeadlineSeconds: 8, stages: [{ name: 'all', pools: [pool('prod-a', 2)] }] };
    await world.apply({ ...version(1), ...changes });
    await world.released('1.0');
    const spec = { ...version(2), ...changes };
    const slow = template(spec.template.spec.containers[0]?.image ?? '', { 'sim.apprelease.dev/start-delay': '4s' });
    await world.apply({ ...spec, template: slow });
    await world.until('pods on their way', async () => {
      const { items } = await world.admin.list(PODS, { namespace: world.namespace });
      return items.filter(({ status }) => status?.startTime !== undefined).length === 4;
    });
    // The cache of the operator does not change until it gives up the watch, 10 s later: after the deadline.
    proxy.rules(({ verb, resource }) => (verb === 'watch' && resource === 'pods' ? { kind: 'hang' } : undefined));
    proxy.dropConnections();
    await world.released('2.0');
    expect(await world.admin.list(ROLLBACKS, { namespace: world.namespace })).toMatchObject({ items: [] });
  });

  test('connections break in the middle of a rollback', async ({ setUp }) => {
    const scene = await setUp(cluster);
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
});

// Not concurrent, because a busy machine must not keep the operator from renewing a Lease of a few seconds.
describe('a process that gets a signal during a write', () => {
  async function stopWhile(
    fault: Fault,
    ending: AsyncDisposableStack,
  ): Promise<{ operator: OperatorProcess; world: ProcessWorld }> {
    const { world, proxy, ownFlags } = await startWorld(cluster, ending);
    const lease = ['--lease-duration=6s', '--renew-deadline=5s', '--retry-period=300ms'];
    const flags = [...ownFlags, ...lease];
    const operator = await startOperatorProcess(cluster, { kubeconfig: proxy.kubeconfig, flags });
    ending.defer(async () => {
      await operator.stop();
    });
    const { rule, times } = first(1, isSwitch, fault);
    proxy.rules(rule);
    await world.apply(version(1));
    await world.until('the write', () => Promise.resolve(times.length > 0));
    operator.signal('SIGTERM');
    await operator.says('stopping: finishing running work');
    return { operator, world };
  }

  test('finishes its work, releases the Lease, and ends', async ({ ending }) => {
    const { operator, world } = await stopWhile({ kind: 'delay', ms: 7_000 }, ending);
    expect(await operator.exited).toBe(0);
    const messages = operator.log().map(({ msg, action }) => action ?? msg);
    const after = messages.slice(messages.indexOf('stopping: finishing running work'));
    // The write took longer than the lease duration: the Lease was renewed meanwhile.
    expect(after).toContain('ApplyService');
    expect(after.at(-1)).toBe('stopped');
    const lease = await world.admin.get(LEASES, { namespace: 'apprelease-system', name: world.namespace });
    expect(lease.spec?.holderIdentity ?? '').toBe('');
  });

  test('ends at once at the second signal', async ({ ending }) => {
    const { operator } = await stopWhile({ kind: 'hang' }, ending);
    operator.signal('SIGTERM');
    expect(await operator.exited).toBe(1);
    const messages = operator.log().map(({ msg }) => msg);
    expect(messages).not.toContain('stopped');
    expect(messages).not.toContain('running work does not end: exiting');
  });
});

test('a leader that cannot renew the Lease ends without another write', async ({ setUp }) => {
  const scene = await setUp(cluster, QUICK_LEASE);
  const operator = scene.operator();
  await operator.says('leads');
  scene.proxy.rules(({ resource }) => (resource === 'leases' ? { kind: 'hang' } : undefined));
  expect(await operator.exited).toBe(1);
  expect(operator.log().at(-1)).toMatchObject({ level: 'fatal' });
});
