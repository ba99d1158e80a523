import { expect, it } from 'vitest';
import { vm } from './testing.ts';
import { vmWork } from './work.ts';

const NOW = Date.parse('2026-02-01T12:00:00Z');
const minutesAgo = (minutes: number) => new Date(NOW - minutes * 60_000).toISOString();
const steady = vm('steady', { readySince: minutesAgo(600) });

it('is none if no VM has changed', () => {
  expect(vmWork([steady, vm('new', { readySince: minutesAgo(1) })], NOW)).toBeUndefined();
});

it('is a drain, however long it takes', () => {
  expect(vmWork([steady, vm('a', { unschedulable: true })], NOW)).toEqual({ message: 'VM a is being drained' });
  const two = [vm('a', { unschedulable: true }), vm('b', { unschedulable: true })];
  expect(vmWork(two, NOW)).toEqual({ message: 'VM a and 1 more are being drained' });
});

it('is a VM that is not ready, until it counts as lost', () => {
  const down = vm('a', { ready: false, readySince: minutesAgo(9) });
  expect(vmWork([steady, down], NOW)).toEqual({ message: 'VM a is not ready', until: NOW + 60_000 });
  expect(vmWork([steady, { ...down, readySince: minutesAgo(10) }], NOW)).toBeUndefined();
});

it('is a patch while VMs differ and one came back recently', () => {
  const patched = vm('a', { info: { kernelVersion: '6.1.0-38' }, readySince: minutesAgo(4) });
  expect(vmWork([steady, patched], NOW)).toEqual({
    message: 'a patch is in progress: VMs run different systems, and VM a became Ready less than 10 min ago',
    until: NOW + 6 * 60_000,
  });
  expect(vmWork([steady, { ...patched, readySince: minutesAgo(11) }], NOW)).toBeUndefined();
});
