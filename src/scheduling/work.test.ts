import { expect, it } from 'vitest';
import { vm } from './testing.ts';
import { isBeingDrained, vmWork } from './work.ts';

const NOW = Date.parse('2026-02-01T12:00:00Z');
const minutesAgo = (minutes: number) => new Date(NOW - minutes * 60_000).toISOString();
const steady = vm('steady', { readySince: minutesAgo(600) });
const cordoned = (name: string, minutes: number) => vm(name, { unschedulable: true, markedAt: minutesAgo(minutes) });

it('is none if no VM has changed', () => {
  expect(vmWork([steady, vm('new', { readySince: minutesAgo(1) })], NOW)).toBeUndefined();
});

it('is a drain, until it counts as forgotten', () => {
  expect(vmWork([steady, cordoned('a', 4)], NOW)).toEqual({
    message: 'VM a is being drained',
    until: NOW + 6 * 60_000,
    vms: new Set(['a']),
  });
  expect(vmWork([cordoned('a', 9), cordoned('b', 2), cordoned('c', 10)], NOW)).toEqual({
    message: 'VM a and 1 more are being drained',
    until: NOW + 8 * 60_000,
    vms: new Set(['a', 'b']),
  });
  expect(vmWork([steady, cordoned('a', 10)], NOW)).toBeUndefined();
  expect([9, 10].map((minutes) => isBeingDrained(cordoned('a', minutes), NOW))).toEqual([true, false]);
});

it('is a VM that is not ready, until it counts as lost', () => {
  const down = vm('a', { ready: false, readySince: minutesAgo(9) });
  expect(vmWork([steady, down], NOW)).toEqual({
    message: 'VM a is not ready',
    until: NOW + 60_000,
    vms: new Set(['a']),
  });
  expect(vmWork([steady, { ...down, readySince: minutesAgo(10) }], NOW)).toBeUndefined();
});

it('ends for a VM whose clock is wrong', () => {
  const ahead = vm('a', { ready: false, readySince: minutesAgo(-120) });
  expect(vmWork([steady, ahead], NOW)).toBeUndefined();
  expect(vmWork([steady, { ...ahead, readySince: minutesAgo(-1) }], NOW)).toMatchObject({ until: NOW + 11 * 60_000 });
});

it('is no VM that was never ready', () => {
  expect(vmWork([steady, vm('a', { ready: false, neverReady: true, readySince: minutesAgo(1) })], NOW)).toBeUndefined();
});

it('is a patch while VMs differ and one came back recently', () => {
  const patched = vm('a', { info: { kernelVersion: '6.1.0-38' }, readySince: minutesAgo(4) });
  expect(vmWork([steady, patched], NOW)).toEqual({
    message: 'a patch is in progress: VMs run different systems, and VM a became Ready less than 10 min ago',
    until: NOW + 6 * 60_000,
    vms: new Set(['a']),
  });
  expect(vmWork([steady, { ...patched, readySince: minutesAgo(11) }], NOW)).toBeUndefined();
});

it('is no patch if only VMs of another architecture differ from a VM that joins', () => {
  const info = { architecture: 'arm64', kernelVersion: '6.1.0-37-cloud-arm64' };
  expect(vmWork([steady, vm('a', { info, readySince: minutesAgo(1) })], NOW)).toBeUndefined();
});

it('names the first kind of work, and all VMs that are worked on', () => {
  const down = vm('b', { ready: false, readySince: minutesAgo(1) });
  expect(vmWork([steady, cordoned('a', 4), down], NOW)).toMatchObject({
    message: 'VM a is being drained',
    vms: new Set(['a', 'b']),
  });
});
