import { expect, test } from 'vitest';
import { placesOf, type NodeView } from './places.ts';

const POOL = 'apprelease.dev/pool';
const ANYWHERE = { nodeSelector: {}, tolerations: [] };

function node(name: string, changes: Partial<NodeView> = {}): NodeView {
  return { name, labels: {}, taints: [], ready: true, schedulable: true, ...changes };
}

function vm(pool: string, changes: Partial<NodeView> = {}): NodeView {
  const taints = [{ key: POOL, value: pool, effect: 'NoSchedule' }];
  return node(`${pool}-0`, { labels: { [POOL]: pool }, taints, ...changes });
}

function on(pool: string) {
  return {
    nodeSelector: { [POOL]: pool },
    tolerations: [{ key: POOL, value: pool, effect: 'NoSchedule' }],
  };
}

test('a pool uses its own VMs, or any node if it has none', () => {
  const places = placesOf([vm('prod-a'), node('plain')], ['prod-a', 'prod-b']);
  expect([...places]).toEqual([
    ['prod-a', on('prod-a')],
    ['prod-b', ANYWHERE],
  ]);
});

test('if every node belongs to a pool, a pool without VMs uses those of another', () => {
  const controlPlane = node('control-plane', {
    taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }],
  });
  const places = placesOf([controlPlane, vm('prod-a'), vm('prod-b')], ['prod-b', 'prod-c']);
  expect([...places.values()]).toEqual([on('prod-b'), on('prod-a')]);
});

test('a PreferNoSchedule taint keeps no pod off', () => {
  const soft = node('soft', { taints: [{ key: 'spot', effect: 'PreferNoSchedule' }] });
  expect(placesOf([soft], ['prod-a']).get('prod-a')).toEqual(ANYWHERE);
});

test.each([
  ['not ready', node('a', { ready: false }), '  a: not ready'],
  ['cordoned', vm('prod-a', { schedulable: false }), '  prod-a-0: cordoned'],
  [
    'of a pool, and tainted by others too',
    vm('prod-a', { taints: [{ key: 'gpu', value: 'yes', effect: 'NoExecute' }] }),
    '  prod-a-0: has the taint gpu=yes:NoExecute',
  ],
])('a node that is %s is not used', (_what, useless, why) => {
  expect(() => placesOf([useless], ['prod-a'])).toThrow(`no node takes the demo's pods:\n${why}`);
});

test('a cluster without nodes', () => {
  expect(() => placesOf([], ['prod-a'])).toThrow('there is none');
});
