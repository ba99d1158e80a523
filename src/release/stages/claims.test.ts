import { expect, test } from 'vitest';
import type { Demand, Room } from '../../scheduling/demand.ts';
import { podShape } from '../../scheduling/shape.ts';
import { vm } from '../../scheduling/testing.ts';
import { besides } from './claims.ts';

const shape = podShape({ spec: { containers: [{ name: 'main', image: 'web' }] } });
const [a, b, c] = ['a', 'b', 'c'].map((name): Room => ({ node: vm(name), pods: [] })) as [Room, Room, Room];

function demand(pool: string, ...rooms: Room[]): Demand {
  return { pool, shape, count: 1, rooms, leaving: new Set(), labelled: [] };
}

test.each<[what: string, reserved: Demand[], counted: string[]]>([
  ['on the same VMs', [demand('same', a)], ['same']],
  ['on some of the same VMs', [demand('more', a, b)], ['more']],
  ['on other VMs', [demand('other', b)], []],
  ['on VMs of a reservation on the same VMs', [demand('far', b, c), demand('near', a, b)], ['far', 'near']],
  ['without VMs', [demand('none')], []],
])('a reservation %s', (_what, reserved, counted) => {
  expect(besides([demand('asked', a)], reserved).map(({ pool }) => pool)).toEqual(counted);
});
