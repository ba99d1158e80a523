import { expect, it } from 'vitest';
import { isWithin, networkList, parseNetwork } from './networks.ts';

it.each([
  ['10.0.0.0/8', { address: '10.0.0.0', prefix: 8, version: 4 }],
  ['10.1.2.3', { address: '10.1.2.3', prefix: 32, version: 4 }],
  ['fd00::/8', { address: 'fd00::', prefix: 8, version: 6 }],
  ['::1', { address: '::1', prefix: 128, version: 6 }],
  ['10.0.0.0/33', undefined],
  ['10.0.0.0/8/8', undefined],
  ['10.0.0.0/', undefined],
  ['fe80::1%eth0/64', undefined],
  ['registry.example', undefined],
  ['', undefined],
])('reads %j as %j', (text, network) => {
  expect(parseNetwork(text)).toEqual(network);
});

it.each([
  ['10.1.2.3', true],
  ['11.1.2.3', false],
  ['::ffff:10.1.2.3', true],
  ['::ffff:a01:203', true],
  ['::10.1.2.3', true],
  ['::ffff:0:10.1.2.3', true],
  ['64:ff9b::a01:203', true],
  ['64:ff9b:1::a01:203', true],
  ['64:ff9b::b01:203', false],
  ['2002:a01:203::1', true],
  ['2002:b01:203::1', false],
  ['fe80::1%eth0', true],
  ['fd00::1', false],
  ['registry.example', false],
])('%s is within 10.0.0.0/8 or fe80::/10: %s', (address, expected) => {
  expect(isWithin(networkList(['10.0.0.0/8', 'not a network', 'fe80::/10']), address)).toBe(expected);
});
