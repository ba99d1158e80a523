import { expect, it } from 'vitest';
import { paintFor } from './paint.ts';
import type { LivePool } from './pools.ts';
import { poolDetails, poolTable } from './pools.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const plain = paintFor(false);

function livePool(name: string, status?: object): LivePool {
  const metadata = { name, uid: `uid-${name}`, resourceVersion: '1', creationTimestamp: '2026-01-01T11:00:00Z' };
  return {
    apiVersion: 'apprelease.dev/v1alpha1',
    kind: 'VMPool',
    metadata,
    spec: {},
    ...(status && { status }),
  };
}

const PATCHED = livePool('prod', {
  nodes: {
    total: 3,
    ready: 2,
    draining: 1,
    notReady: 0,
    zones: [
      { name: 'a', total: 2, ready: 2 },
      { name: '', total: 1, ready: 0 },
    ],
  },
  readyNodes: '2/3',
  pods: 12,
  cpuRequested: '40%',
  memoryRequested: '55%',
  os: 'Debian 13 (+1)',
  kernel: '6.12',
  kubelet: 'v1.34.1',
  tenants: 'shop',
  osImages: [
    { name: 'Debian 13', nodes: 2 },
    { name: 'Debian 12', nodes: 1 },
  ],
  oldestBoots: [{ node: 'vm-1', bootID: 'x', seenAt: '2025-12-22T12:00:00Z' }],
  releases: [{ namespace: 'shop', name: 'web', versions: ['1.0', '1.1'], pods: 4 }],
  conditions: [
    { type: 'Ready', status: 'False', reason: 'NodesNotReady', message: '2 of 3' },
    { type: 'Draining', status: 'True', reason: 'NodesDraining', message: 'vm-3' },
    { type: 'Skewed', status: 'False', reason: 'NotSkewed', message: '' },
    { type: 'Trespassed', status: 'Unknown', reason: 'PodsUnknown', message: 'not all\u001B pods' },
    { type: 'Evacuated', status: 'False', reason: 'TrafficStays', message: 'web' },
    { type: 'OfANewerOperator', status: 'True', reason: 'Well', message: '' },
  ],
});

it('prints a table', () => {
  expect(poolTable([PATCHED, livePool('new')], NOW, false, plain)).toBe(`\
NAME   READY   DRAINING   PODS   CPU%   MEM%   OS               KUBELET   TENANTS   AGE
prod   2/3     1          12     40%    55%    Debian 13 (+1)   v1.34.1   shop      60m
new    -       -          -      -      -      -                -         -         60m
`);
});

it('prints kernels, zones and reasons where there is room', () => {
  expect(poolTable([PATCHED], NOW, true, plain)).toMatch(
    /shop {6}6\.12 +a 2\/2, \? 0\/1 +NodesNotReady,NodesDraining,PodsUnknown +60m\n$/,
  );
});

it('prints one in detail', () => {
  expect(poolDetails(PATCHED, NOW, plain)).toBe(`
Conditions that are not well:
  Ready=False          NodesNotReady   2 of 3
  Draining=True        NodesDraining   vm-3
  Trespassed=Unknown   PodsUnknown     not all\\u001b pods
  Evacuated=False      TrafficStays    web

Zones:
  ZONE     READY   VMS
  a        2       2
  (none)   0       1

Systems:
  WHAT        VMS
  Debian 13   2
  Debian 12   1

Longest since a boot:
  VM     UP FOR AT LEAST
  vm-1   10d

Releases:
  NAMESPACE   NAME   VERSIONS   PODS
  shop        web    1.0,1.1    4
`);
});

it('leaves out what a new one has not', () => {
  expect(poolDetails(livePool('new'), NOW, plain)).toBe('');
});
