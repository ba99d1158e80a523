import { describe, expect, test } from 'vitest';
import type { Node } from '../../scheduling/objects.ts';
import { vm } from '../../scheduling/testing.ts';
import { plan } from '../plan.ts';
import { capacityAvailable, stalled } from '../status/ready.ts';
import { NOW } from '../testing.ts';
import { view } from '../view.ts';
import type { PoolWords, Words } from '../world-testing.ts';
import { GOOD, keyOn, placedOn, unscheduled, viewOf, world } from '../world-testing.ts';

const COME = [vm('new-1', { labels: { pool: 'new' } })];
const THERE = [vm('old-1', { labels: { pool: 'b' } })];
const CORDONED = [vm('old-1', { labels: { pool: 'b' }, unschedulable: true })];
const NO_VM = unscheduled('0/1 nodes are available');

/** Pool b serves revision 2 on the VMs with label new, which the spec names. Its standby of revision 1 runs on those with label b. */
function standby(ready: number, vms: readonly Node[], pool: PoolWords = {}): Words {
  const b = { vms: 'new', serves: 2, beside: { 1: ready }, besideOn: 'b', unready: NO_VM, ...pool };
  return { pools: { a: { serves: 0 }, b }, revisions: { 1: { in: { a: GOOD, b: GOOD } } }, more: { vms } };
}

/** Pool b is rolled back to revision 1. */
function returning(words: Words, minutes: number): Words {
  return { ...words, rollback: { against: 2, to: { b: 1 }, accepted: minutes } };
}

describe('the VMs that a rollback goes to', () => {
  test.each<[string, number, Node[], number, string]>([
    ['are those of a standby with ready pods', 2, COME, 1, 'b'],
    ['are those of a standby whose VMs admit pods', 0, [...THERE, ...COME], 1, 'b'],
    ['are those of the spec if the VMs of the standby are gone', 0, COME, 1, 'new'],
    ['are those of the spec if the VMs of the standby are cordoned', 0, [...CORDONED, ...COME], 1, 'new'],
    ['are those of the standby until the deadline if no VM admits pods', 0, CORDONED, 1, 'b'],
    ['are those of the spec after the deadline', 0, CORDONED, 11, 'new'],
  ])('%s', (_title, ready, vms, minutes, label) => {
    const [, pool] = viewOf(returning(standby(ready, vms), minutes)).pools;
    const target = pool?.target;
    expect(target).toMatchObject({ mode: 'Return', placement: placedOn(label), key: keyOn(label) });
    expect(target?.revision.number).toBe(1);
  });

  test('are those of the spec for a RollingUpdate without ready pods', () => {
    const inPlace = standby(0, COME, { on: 'b', ready: 0, beside: {} });
    const spec = { strategy: { type: 'RollingUpdate' }, service: undefined };
    const [, pool] = viewOf(returning({ ...inPlace, spec }, 1)).pools;
    expect(pool?.target).toMatchObject({ placement: placedOn('new'), workload: { name: 'web-b' } });
  });
});

describe('a rollback whose pods no VM admits', () => {
  function waiting(minutes: number): Words {
    return returning(standby(0, [], { besideOn: 'new' }), minutes);
  }

  test('fails after the deadline with the reason in the message', () => {
    expect(stalled(viewOf(waiting(9)))).toBeUndefined();
    const found = stalled(viewOf(waiting(11)));
    expect(found?.reason).toBe('RollbackFailed');
    expect(found?.message).toMatch(
      /in pool b: its pods have found no VM before the deadline: pod web-b-1-.*: 0\/1 nodes are available$/,
    );
  });

  test('has its next pass at the deadline', () => {
    expect(plan(world(waiting(9)), NOW).due).toBe(NOW + 60_000);
  });
});

describe('a standby whose pods no VM admits', () => {
  test('is deleted and does not change CapacityAvailable', () => {
    const seen = world(standby(0, COME));
    const [, left] = seen.deployments;
    expect(capacityAvailable(view(seen, NOW)).status).toBe('True');
    const removed = plan(seen, NOW).actions.filter(({ kind }) => kind === 'DeleteDeployment');
    expect(removed).toMatchObject([{ target: { name: left?.metadata.name } }]);
  });
});
