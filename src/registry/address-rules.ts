import { isWithin, networkList } from './networks.ts';

export interface NetworkRules {
  /** Whether to refuse the addresses of private networks. */
  readonly denyPrivate?: boolean;
  /** Networks (CIDR) that are exceptions from every rule but the one for the API server's own port. */
  readonly allow?: readonly string[];
  /** The addresses by which the operator reaches the API server. */
  readonly apiServers?: readonly Endpoint[];
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** An address that a registry's name leads to. */
export interface Candidate {
  readonly address: string;
  /** Whether the API server has this address. */
  readonly isApiServer: boolean;
  /** Whether it is also the API server's port. */
  readonly isApiPort: boolean;
}

/** Why the operator must not connect to the address; undefined if it may. */
export type RefuseAddress = (candidate: Candidate) => string | undefined;

const ALWAYS: readonly (readonly [string, readonly string[]])[] = [
  ['a loopback address', ['127.0.0.0/8', '::1']],
  ['an unspecified address', ['0.0.0.0/8', '::']],
  ['a link-local address', ['169.254.0.0/16', 'fe80::/10']],
  // Of Azure, Alibaba, Oracle, AWS and Google Cloud; all others are link-local.
  [
    "an address of a cloud's metadata service",
    ['168.63.129.16', '100.100.100.200', '192.0.0.192', 'fd00:ec2::/32', 'fd20:ce::254'],
  ],
  ['a multicast address', ['224.0.0.0/4', 'ff00::/8']],
  ['a reserved address', ['240.0.0.0/4', '192.0.0.0/24', '2001::/32']],
];

const PRIVATE = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '198.18.0.0/15',
  'fc00::/7',
  'fec0::/10',
];

export function createAddressRules({ denyPrivate = false, allow = [] }: NetworkRules): RefuseAddress {
  const allowed = networkList(allow);
  const rules = [
    ...ALWAYS.map(([what, networks]) => ({ what, list: networkList(networks) })),
    ...(denyPrivate
      ? [{ what: 'a private address (--registry-private-networks=deny)', list: networkList(PRIVATE) }]
      : []),
  ];
  return ({ address, isApiServer, isApiPort }) => {
    if (isApiServer && isApiPort) return 'the API server';
    if (isWithin(allowed, address)) return undefined;
    if (isApiServer) return "the API server's address";
    return rules.find(({ list }) => isWithin(list, address))?.what;
  };
}
