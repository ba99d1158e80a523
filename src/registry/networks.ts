import { BlockList, isIP } from 'node:net';

/** A network in CIDR form; a single address is a network of its own. */
export interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly version: 4 | 6;
}

/** `10.0.0.0/8`, `fd00::/8`, `10.1.2.3`; undefined for other text. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', prefix, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || address.includes('%') || rest.length > 0) return undefined;
  const bits = version === 4 ? 32 : 128;
  const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Infinity;
  return length <= bits ? { address, prefix: length, version: version === 4 ? 4 : 6 } : undefined;
}

/** Text that is not a network is left out. */
export function networkList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of networks) {
    const network = parseNetwork(text);
    if (network !== undefined) add(list, network);
  }
  return list;
}

/** `address` is of IPv4 or IPv6, without brackets. */
export function isWithin(list: BlockList, address: string): boolean {
  const [bare = ''] = address.split('%');
  const version = isIP(bare);
  return version !== 0 && list.check(bare, version === 4 ? 'ipv4' : 'ipv6');
}

/** NAT64 (RFC 6052, RFC 8215), IPv4-translated and IPv4-compatible. BlockList itself compares IPv4-mapped addresses. */
const EMBEDS_IPV4 = ['64:ff9b::', '64:ff9b:1::', '::ffff:0:', '::'];

/** With the IPv6 forms of an IPv4 network, because a router or kernel translates them to it. */
function add(list: BlockList, { address, prefix, version }: Network): void {
  if (version === 6) {
    list.addSubnet(address, prefix, 'ipv6');
    return;
  }
  list.addSubnet(address, prefix, 'ipv4');
  for (const form of EMBEDS_IPV4) list.addSubnet(form + address, 96 + prefix, 'ipv6');
  list.addSubnet(sixToFour(address), 16 + prefix, 'ipv6');
}

/** RFC 3056: `10.1.2.3` → `2002:a01:203::`. */
function sixToFour(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return `2002:${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}::`;
}
