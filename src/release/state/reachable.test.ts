import { describe, expect, test } from 'vitest';
import type { Node } from '../../scheduling/objects.ts';
import { vm } from '../../scheduling/testing.ts';
import { heldAt, keyOn, onVms, placedOn, placedWorld } from '../stages/moves-testing.ts';
import type { Runs } from '../stages/moves-testing.ts';
import { plan } from '../plan.ts';
import { capacityAvailable, stalled } from '../status/ready.ts';
import { ago, NOW, revision, spec } from '../testing.ts';
import { view } from '../view.ts';

const first = spec();
const next = onVms(spec({ version: '2.0.0' }), { b: 'new' });
const good = { good: ago(60) };
const old = revision(1, first, { pools: { a: good, b: good }, approvals: {} });
const left = revision(2, next, { pools: {}, approvals: {} });
const serving: Runs = { pool: 'b', of: left, on: 'new', ready: 2, serves: true };
const COME = [vm('new-1', { labels: { pool: 'new' } })];
const THERE = [vm('old-1', { labels: { pool: 'b' } })];
const CORDONED = [vm('old-1', { labels: { pool: 'b' }, unschedulable: true })];

/** A pool that is rolled back. Its target ran on the VMs with label b, and the spec names the VMs with label new. */
function returning(standby: Omit<Runs, 'pool' | 'of' | 'on'>, vms: readonly Node[], minutes: number) {
  const rollbacks = [heldAt(1, ago(minutes), 2, ['b'])];
  const runs = [serving, { pool: 'b', of: old, on: 'b', ...standby }];
  return placedWorld(next, [old, left], runs, { rollbacks, vms });
}

const NO_VM = { replicas: 2, ready: 0, unschedulable: '0/1 nodes are available' };

describe('the VMs that a rollback goes to', () => {
  test.each<[string, Omit<Runs, 'pool' | 'of' | 'on'>, Node[], number, string]>([
    ['are those of a standby with ready pods', { ready: 2 }, COME, 1, 'b'],
    ['are those of a standby whose VMs admit pods', NO_VM, [...THERE, ...COME], 1, 'b'],
    ['are those of the spec if the VMs of the standby are gone', NO_VM, COME, 1, 'new'],
    ['are those of the spec if the VMs of the standby are cordoned', NO_VM, [...CORDONED, ...COME], 1, 'new'],
    ['are those of the standby until the deadline if no VM admits pods', NO_VM, CORDONED, 1, 'b'],
    ['are those of the spec after the deadline', NO_VM, CORDONED, 11, 'new'],
  ])('%s', (_title, standby, vms, minutes, label) => {
    const seen = view(returning(standby, vms, minutes), NOW);
    const [, pool] = seen.pools;
    const target = pool?.target;
    expect(target).toMatchObject({ mode: 'Return', placement: placedOn(label), key: keyOn(label) });
    expect(target?.revision.number).toBe(1);
  });

  test('are those of the spec for a RollingUpdate without ready pods', () => {
    const inPlace = onVms(spec({ version: '2.0.0', strategy: { type: 'RollingUpdate' }, service: undefined }), {
      b: 'new',
    });
    const of = revision(2, inPlace);
    const runs: Runs[] = [{ pool: 'b', of, on: 'b', strategy: 'RollingUpdate', ...NO_VM }];
    const rollbacks = [heldAt(1, ago(1), 2, ['b'])];
    const seen = view(placedWorld(inPlace, [old, of], runs, { rollbacks, vms: COME }), NOW);
    const [, pool] = seen.pools;
    expect(pool?.target).toMatchObject({ placement: placedOn('new'), workload: { name: 'web-b' } });
  });
});

describe('a rollback whose pods no VM admits', () => {
  function waiting(minutes: number) {
    const rollbacks = [heldAt(1, ago(minutes), 2, ['b'])];
    return placedWorld(next, [old, left], [serving, { pool: 'b', of: old, on: 'new', ...NO_VM }], { rollbacks });
  }

  test('fails after the deadline with the reason in the message', () => {
    expect(stalled(view(waiting(9), NOW))).toBeUndefined();
    const found = stalled(view(waiting(11), NOW));
    expect(found?.reason).toBe('RollbackFailed');
    expect(found?.message).toMatch(
      /in pool b: its pods have found no VM before the deadline: pod web-b-1-.*: 0\/1 nodes are available$/,
    );
  });

  test('has its next pass at the deadline', () => {
    expect(plan(waiting(9), NOW).due).toBe(NOW + 60_000);
  });
});

describe('a standby whose pods no VM admits', () => {
  test('is deleted and does not change CapacityAvailable', () => {
    const seen = placedWorld(next, [old, left], [serving, { pool: 'b', of: old, on: 'b', ...NO_VM }], { vms: COME });
    expect(capacityAvailable(view(seen, NOW)).status).toBe('True');
    const removed = plan(seen, NOW).actions.filter(({ kind }) => kind === 'DeleteDeployment');
    expect(removed).toMatchObject([{ target: { name: 'web-b-1' } }]);
  });
});
