// The operator as a process: the real bundle, with the rights of its service account.
import { readFile } from 'node:fs/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { LABEL } from '../../src/api/meta.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { LEASES } from '../../src/kube/lease.ts';
import type { WireMetadata } from '../../src/kube/types.ts';
import { pushImage } from '../cluster/images.ts';
import { startRegistry } from '../cluster/registry.ts';
import type { OperatorProcess } from './operator-process.ts';
import { installOperator, QUICK_LEASE, startOperatorProcess, sumOf } from './operator-process.ts';
import { ownCluster } from './own-cluster.ts';
import type { ProcessWorld } from './process-world.ts';
import { createProcessWorld } from './process-world.ts';
import { release } from './release-objects.ts';

const cluster = ownCluster();
const LEASE = { namespace: 'apprelease-system', name: 'apprelease-operator' };
const IMAGE = `registry.example.com/shop/web:1.0@sha256:${'01'.repeat(32)}`;
const NEXT_IMAGE = `registry.example.com/shop/web:2.0@sha256:${'02'.repeat(32)}`;

let kubeconfig: string;
let world: ProcessWorld;
const running: OperatorProcess[] = [];

beforeAll(async () => {
  kubeconfig = await installOperator(cluster);
});

beforeEach(async () => {
  world = await createProcessWorld(cluster);
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((operator) => operator.stop()));
  await world.end();
});

async function start(...flags: string[]): Promise<OperatorProcess> {
  const all = [`--namespace=${world.namespace}`, ...QUICK_LEASE, ...flags];
  const operator = await startOperatorProcess(cluster, { kubeconfig, flags: all });
  running.push(operator);
  return operator;
}

async function holder(): Promise<string> {
  return (await world.admin.get(LEASES, LEASE)).spec?.holderIdentity ?? '';
}

/** The user agent and the user at the API server. */
async function token(): Promise<string> {
  const { users } = JSON.parse(await readFile(kubeconfig, 'utf8')) as { users: { user: { token: string } }[] };
  return users[0]?.user.token ?? 'none';
}

async function leads(operator: OperatorProcess): Promise<boolean> {
  return sumOf(await operator.metrics(), 'apprelease_leader') === 1;
}

async function deployments() {
  return (await world.admin.list(DEPLOYMENTS, { namespace: world.namespace })).items;
}

async function everySelected(revision: string): Promise<boolean> {
  return Object.values(await world.selected()).every((selected) => selected === revision);
}

describe('one process', () => {
  test('releases, reports its actions, and ends in order', async () => {
    const operator = await start();
    await world.until('ready', async () => (await operator.health('/readyz'))[0] === 200);
    expect(await operator.health('/healthz')).toEqual([200, 'ok']);
    await world.apply(release(IMAGE));
    await world.released('1.0');

    const samples = await operator.metrics();
    expect(sumOf(samples, 'apprelease_leader')).toBe(1);
    expect(sumOf(samples, 'apprelease_promotions_total')).toBe(2);
    expect(sumOf(samples, 'apprelease_reconcile_total', { result: 'success' })).toBeGreaterThan(0);
    expect(sumOf(samples, 'apprelease_reconcile_duration_seconds_count')).toBeGreaterThan(0);
    expect(sumOf(samples, 'workqueue_queue_duration_seconds_count', { name: 'apprelease' })).toBeGreaterThan(0);
    expect(sumOf(samples, 'workqueue_depth')).toBe(0);
    // One in each pool, and a dry run.
    expect(sumOf(samples, 'apprelease_api_requests_total', { verb: 'create', resource: 'deployments' })).toBe(3);
    expect(sumOf(samples, 'nodejs_version_info')).toBe(1);

    const actions = operator.log().filter(({ action }) => action !== undefined);
    expect(actions.length).toBeGreaterThan(5);
    for (const line of actions) {
      expect(line).toMatchObject({ release: `${world.namespace}/web` });
      expect(line.level).toBe(line.action === 'DryRun' ? 'debug' : 'info');
      expect(line.reconcileID).toMatch(/^[0-9a-f-]{36}$/);
      expect(Date.parse(line.time)).toBeGreaterThan(0);
    }
    expect(JSON.stringify(operator.log())).not.toContain(await token());

    expect(await holder()).not.toBe('');
    const began = Date.now();
    expect(await operator.stop()).toBe(0);
    expect(Date.now() - began).toBeLessThan(15_000);
    expect(await holder()).toBe('');
    expect(await world.invariant.violations()).toEqual([]);
  });

  test('measures the number and duration of rollbacks', async () => {
    const operator = await start();
    await world.apply(release(IMAGE));
    await world.released('1.0');
    await world.apply(release(NEXT_IMAGE));
    await world.released('2.0');
    await world.rollBack('back');
    await world.rolledBack('back');
    await world.until(
      'the count',
      async () => sumOf(await operator.metrics(), 'apprelease_rollbacks_completed_total') > 0,
    );
    const samples = await operator.metrics();
    expect(sumOf(samples, 'apprelease_rollbacks_total')).toBe(1);
    expect(sumOf(samples, 'apprelease_rollbacks_completed_total')).toBe(1);
    expect(sumOf(samples, 'apprelease_rollback_duration_seconds_count')).toBe(1);
    // Both pools, there and back.
    expect(sumOf(samples, 'apprelease_switches_total')).toBeGreaterThanOrEqual(4);
    expect(sumOf(samples, 'apprelease_failures_total')).toBe(0);
  });

  test('records events for people', async () => {
    const operator = await start();
    await world.apply(release(IMAGE));
    await world.released('1.0');
    await operator.stop();
    const jsonpath = '{range .items[*]}{.reason} {.regarding.kind} {.reportingController}{"\\n"}{end}';
    const get = [
      'get',
      'events.events.k8s.io',
      `--namespace=${world.namespace}`,
      '--field-selector=regarding.name=web',
    ];
    const events = (await cluster.kubectl([...get, `--output=jsonpath=${jsonpath}`])).trim().split('\n');
    for (const reason of ['RevisionRecorded', 'PoolEntered', 'PoolPromoted']) {
      expect(events).toContain(`${reason} AppRelease apprelease.dev/operator`);
    }
  });

  test('reports a moved tag, and changes no workload', async () => {
    const registry = await startRegistry();
    try {
      const pushed = await pushImage(registry, 'shop/web', '1.0');
      const operator = await start(`--insecure-registry=${registry.host}`, '--registry-recheck-interval=500ms');
      await world.apply(release(pushed.image));
      await world.released('1.0');
      const before = (await deployments()).map(({ spec }) => spec);
      const moved = await pushImage(registry, 'shop/web', '1.0', { content: 'another' });
      await world.until('TagMoved', async () => (await world.condition('DigestsPinned'))?.reason === 'TagMoved');
      expect((await world.condition('DigestsPinned'))?.message).toContain(moved.digest);
      expect((await world.condition('Ready'))?.status).toBe('True');
      expect((await deployments()).map(({ spec }) => spec)).toEqual(before);
      expect(sumOf(await operator.metrics(), 'apprelease_moved_tags_total')).toBe(1);
    } finally {
      await registry.stop();
    }
  });

  test('works without an election', async () => {
    const operator = await start('--leader-elect=false');
    await world.apply(release(IMAGE));
    await world.released('1.0');
    expect(await operator.stop()).toBe(0);
    expect(await holder()).toBe('');
  });

  test('ends at SIGTERM also while it cannot get the Lease', async () => {
    const nowhere = await startOperatorProcess(cluster, {
      kubeconfig,
      flags: [...QUICK_LEASE, '--lease-namespace=kube-system'],
    });
    running.push(nowhere);
    await nowhere.says('cannot acquire or renew the lease');
    expect(await nowhere.stop()).toBe(0);
  });
});

test('the next container of a pod acquires the Lease of the previous one at once', async () => {
  const flags = ['--lease-duration=1h', '--renew-deadline=30m', '--retry-period=300ms'];
  const options = { kubeconfig, flags, env: { POD_NAME: 'operator-1' } };
  const first = await startOperatorProcess(cluster, options);
  running.push(first);
  await first.says('leads');
  first.signal('SIGKILL');
  await first.exited;
  const second = await startOperatorProcess(cluster, options);
  running.push(second);
  await second.says('leads');
  expect(await holder()).toMatch(/^operator-1_/);
});

describe('two processes', () => {
  async function startTwo(): Promise<{ leader: OperatorProcess; standby: OperatorProcess }> {
    const leader = await start();
    await world.until('the first to lead', () => leads(leader));
    const standby = await start();
    await world.until('a ready standby', async () => (await standby.health('/readyz'))[0] === 200);
    expect(await leads(standby)).toBe(false);
    return { leader, standby };
  }

  test('the standby takes over when the leader is killed', async () => {
    const { leader, standby } = await startTwo();
    await world.apply(release(IMAGE));
    await world.released('1.0');
    await world.apply(release(NEXT_IMAGE));
    await world.until('a second revision', async () => Object.values(await world.selected()).includes('2'));
    leader.signal('SIGKILL');
    expect(await leader.exited).toBe('SIGKILL');
    await world.released('2.0');
    await world.until('the standby to lead', () => leads(standby));
    expect(await world.invariant.violations()).toEqual([]);
    expect(await world.invariant.judged()).toBeGreaterThan(1);
  });

  test('the standby takes over at once when the leader ends in order', async () => {
    const { leader, standby } = await startTwo();
    expect(await leader.stop()).toBe(0);
    await world.until('the standby to lead', () => leads(standby));
    await world.apply(release(IMAGE));
    await world.released('1.0');
  });

  test('a leader that was frozen in a rollout writes nothing when it wakes, and exits', async () => {
    const { leader, standby } = await startTwo();
    await world.apply(release(IMAGE));
    await world.released('1.0');
    await world.apply(release(NEXT_IMAGE));
    await world.until('a rollout', async () => (await deployments()).length > 2);
    leader.signal('SIGSTOP');
    await world.until('the standby to lead', () => leads(standby));
    await world.rollBack('back');
    await world.rolledBack('back');
    await world.until('the end of what was rolled back', async () => {
      return (await deployments()).every(({ metadata }) => (metadata as WireMetadata).labels?.[LABEL.revision] === '1');
    });
    const before = await world.written();
    leader.signal('SIGCONT');
    expect(await leader.exited).toBe(1);
    const message = 'lost the leadership: another process may lead already';
    expect(leader.log().at(-1)).toMatchObject({ level: 'fatal', msg: message });
    expect(await world.written()).toEqual(before);
    await world.until('the hold', async () => (await world.condition('RolledBack'))?.status === 'True');
    expect(await everySelected('1')).toBe(true);
    expect(await world.invariant.violations()).toEqual([]);
  });

  test('a leader that was frozen in a rollback writes nothing when it wakes, and exits', async () => {
    const { leader, standby } = await startTwo();
    await world.apply(release(IMAGE));
    await world.released('1.0');
    await world.apply(release(NEXT_IMAGE));
    await world.released('2.0');
    await world.rollBack('back');
    leader.signal('SIGSTOP');
    await world.until('the standby to lead', () => leads(standby));
    await world.until('the rollback', () => everySelected('1'));
    leader.signal('SIGCONT');
    expect(await leader.exited).toBe(1);
    expect(await world.invariant.violations()).toEqual([]);
    expect(await everySelected('1')).toBe(true);
  });
});
