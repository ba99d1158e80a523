import { describe, expect, it } from 'vitest';
import { createAddressRules } from './address-rules.ts';
import type { NetworkRules } from './address-rules.ts';

function whyNot(address: string, rules: NetworkRules = {}, more = {}): string | undefined {
  return createAddressRules(rules)({ address, isApiServer: false, isApiPort: false, ...more });
}

describe('without flags', () => {
  it.each([
    ['0.0.0.0', 'an unspecified address'],
    ['::', 'an unspecified address'],
    ['127.0.0.1', 'a loopback address'],
    ['127.255.0.1', 'a loopback address'],
    ['::1', 'a loopback address'],
    ['::ffff:127.0.0.1', 'a loopback address'],
    ['64:ff9b::7f00:1', 'a loopback address'],
    ['169.254.169.254', 'a link-local address'],
    ['::ffff:a9fe:a9fe', 'a link-local address'],
    ['64:ff9b::a9fe:a9fe', 'a link-local address'],
    ['2002:a9fe:a9fe::', 'a link-local address'],
    ['fe80::1', 'a link-local address'],
    ['168.63.129.16', "an address of a cloud's metadata service"],
    ['100.100.100.200', "an address of a cloud's metadata service"],
    ['fd00:ec2::254', "an address of a cloud's metadata service"],
    ['224.0.0.1', 'a multicast address'],
    ['ff02::1', 'a multicast address'],
    ['255.255.255.255', 'a reserved address'],
    ['2001::1', 'a reserved address'],
  ])('refuses %s as %s', (address, why) => {
    expect(whyNot(address)).toBe(why);
  });

  it.each([
    '10.0.0.1',
    '172.31.0.1',
    '192.168.1.1',
    '100.64.0.1',
    'fd00::1',
    '93.184.216.34',
    '2606:4700::1111',
    '64:ff9b::5db8:d822',
  ])('allows %s', (address) => {
    expect(whyNot(address)).toBeUndefined();
  });
});

it.each([
  '10.0.0.1',
  '172.31.0.1',
  '192.168.1.1',
  '100.64.0.1',
  'fd00::1',
  'fec0::1',
  '::ffff:10.0.0.1',
  '64:ff9b::a00:1',
])('refuses %s if private networks are denied', (address) => {
  expect(whyNot(address, { denyPrivate: true })).toContain('--registry-private-networks=deny');
  expect(whyNot(address, { denyPrivate: true, allow: ['0.0.0.0/0', 'fc00::/6'] })).toBeUndefined();
});

it.each([
  [{ isApiServer: true, isApiPort: true }, [], 'the API server'],
  [{ isApiServer: true, isApiPort: true }, ['10.0.0.1'], 'the API server'],
  [{ isApiServer: true, isApiPort: false }, [], "the API server's address"],
  [{ isApiServer: true, isApiPort: false }, ['10.0.0.1'], undefined],
  [{ isApiServer: false, isApiPort: true }, [], undefined],
])('10.0.0.1 with %j and the exceptions %j: %s', (more, allow, why) => {
  expect(whyNot('10.0.0.1', { allow }, more)).toBe(why);
});
