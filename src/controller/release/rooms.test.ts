import { expect, test, vi } from 'vitest';
import { createStore } from '../../kube/store.ts';
import type { Demand } from '../../scheduling/demand.ts';
import type { CountRoom } from '../../scheduling/fit.ts';
import { countRoom } from '../../scheduling/fit.ts';
import type { Node, PlacedPod } from '../../scheduling/objects.ts';
import { podShape } from '../../scheduling/shape.ts';
import { placedPod, vm } from '../../scheduling/testing.ts';
import { NODE_INDEX } from '../kinds/indexes.ts';
import { createRoomCounter, createRooms } from './rooms.ts';

function cached() {
  const nodes = createStore<Node>({ onChange: () => undefined });
  const placed = createStore<PlacedPod>({
    indexes: { [NODE_INDEX]: ({ nodeName }) => [nodeName] },
    onChange: () => undefined,
  });
  for (const name of ['a-1', 'a-2', 'b-1']) nodes.put(vm(name, { labels: { vms: name.charAt(0) } }), 'stream');
  const ignored = { observeWrite: () => undefined, observeDelete: () => undefined };
  return { nodes: { ...nodes, ...ignored }, placed: { ...placed, ...ignored } };
}

function pod(node: string, name: string, resourceVersion = '1'): PlacedPod {
  return placedPod(node, name, { metadata: { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion } });
}

test('the rooms of a placement are the same objects until one of its VMs or pods changes', () => {
  const caches = cached();
  const rooms = createRooms(caches);
  const before = rooms({ vms: 'a' });
  expect(before.map(({ node }) => node.metadata.name)).toEqual(['a-1', 'a-2']);
  caches.placed.put(pod('b-1', 'elsewhere'), 'stream');
  expect(rooms({ vms: 'a' })).toBe(before);
  caches.placed.put(pod('a-1', 'here'), 'stream');
  const after = rooms({ vms: 'a' });
  expect(after[0]?.pods).toHaveLength(1);
  expect(after[1]).toBe(before[1]);
  caches.nodes.put(
    {
      ...vm('a-2', { labels: { vms: 'b' } }),
      metadata: { ...vm('a-2').metadata, labels: { vms: 'b' }, resourceVersion: '2' },
    },
    'stream',
  );
  expect(rooms({ vms: 'a' }).map(({ node }) => node.metadata.name)).toEqual(['a-1']);
});

test('the same demands on the same rooms are counted once', () => {
  const caches = cached();
  const rooms = createRooms(caches);
  const counted = vi.fn<CountRoom>(countRoom);
  const count = createRoomCounter(counted);
  const shape = podShape({ spec: { containers: [{ name: 'main', image: 'web' }] } });
  const leaving = new Set<string>();
  const labelled: Demand['labelled'] = [];
  function ask(pods: number) {
    return count([{ pool: 'a', shape, count: pods, rooms: rooms({ vms: 'a' }), leaving, labelled }]);
  }
  expect(ask(220)).toEqual({ kind: 'Fits' });
  expect(ask(220)).toEqual({ kind: 'Fits' });
  expect(counted).toHaveBeenCalledTimes(1);
  expect(ask(221)).toMatchObject({ kind: 'Short', fits: 220 });
  caches.placed.put(pod('a-1', 'here'), 'stream');
  expect(ask(220)).toMatchObject({ kind: 'Short', fits: 219 });
  expect(counted).toHaveBeenCalledTimes(3);
});
