/** Caches the VMs of a placement with their pods, and the counts of their room, until one of them changes. */
import { LRUCache } from 'lru-cache';
import { onceForObject } from '../../lib/once.ts';
import type { CountRoom, RoomCount } from '../../scheduling/fit.ts';
import type { Demand, Room } from '../../scheduling/demand.ts';
import { countRoom } from '../../scheduling/fit.ts';
import type { Node } from '../../scheduling/objects.ts';
import { matchesSelector } from '../../scheduling/select.ts';
import type { LookUpRooms } from '../../release/state/observed.ts';
import type { Caches } from '../kinds/caches.ts';
import { NODE_INDEX } from '../kinds/indexes.ts';

/** Returns the identical array as long as the VMs and their pods are the same, so that identity tells a change. */
export function createRooms({ nodes, placed }: Pick<Caches, 'nodes' | 'placed'>): LookUpRooms {
  let seen: readonly Node[] = [];
  const rooms = new Map<string, Room>();
  const members = new Map<string, { nodes: readonly Node[]; rooms: readonly Room[] }>();

  function roomOf(node: Node): Room {
    const pods = placed.byIndex(NODE_INDEX, node.metadata.name);
    const kept = rooms.get(node.metadata.name);
    if (kept?.node === node && kept.pods === pods) return kept;
    const room = { node, pods };
    rooms.set(node.metadata.name, room);
    return room;
  }

  return (nodeSelector) => {
    const all = nodes.list();
    if (all !== seen) {
      const names = new Set(all.map(({ metadata }) => metadata.name));
      for (const name of rooms.keys()) if (!names.has(name)) rooms.delete(name);
      members.clear();
      seen = all;
    }
    const key = JSON.stringify(Object.entries(nodeSelector).toSorted());
    const known = members.get(key);
    const own = known?.nodes ?? all.filter((node) => matchesSelector(node, nodeSelector));
    const now = own.map(roomOf);
    if (known && known.rooms.every((room, index) => room === now[index])) return known.rooms;
    members.set(key, { nodes: own, rooms: now });
    return now;
  };
}

/** A release counts the room of one or two stages, in each pass while it waits. */
const KEPT_COUNTS = 256;
/** Shapes of pods that many releases reserve room for at the same time. */
const KEPT_SHAPES = 1_000;

/** Counts equal demands on the same VMs once. Rooms, labels and leaving pods are compared by identity. */
export function createRoomCounter(count: CountRoom = countRoom): CountRoom {
  const counts = new LRUCache<string, RoomCount>({ max: KEPT_COUNTS });
  const shapes = new LRUCache<string, number>({ max: KEPT_SHAPES });
  let last = 0;
  const idOf = onceForObject((_object: object) => (last += 1));
  /** A number for each shape, so that the keys stay short: each has the claims of all releases on the same VMs. */
  const idOfShape = onceForObject((shape: Demand['shape']) => {
    const text = JSON.stringify(shape);
    const id = shapes.get(text) ?? (last += 1);
    shapes.set(text, id);
    return id;
  });

  function keyOf({ pool, shape, count: pods, rooms, leaving, labelled }: Demand): string {
    return `${pool} ${pods} ${idOf(rooms)} ${idOf(leaving)} ${idOf(labelled)} ${idOfShape(shape)}`;
  }

  return (demands, reserved = []) => {
    const key = `${demands.map(keyOf).join()}|${reserved.map(keyOf).join()}`;
    const found = counts.get(key) ?? count(demands, reserved);
    counts.set(key, found);
    return found;
  };
}
