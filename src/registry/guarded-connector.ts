import type { LookupAddress, LookupOptions } from 'node:dns';
import { isIP } from 'node:net';
import type { BlockList } from 'node:net';
import { buildConnector } from 'undici';
import { createAddressRules } from './address-rules.ts';
import type { Endpoint, NetworkRules } from './address-rules.ts';
import { isWithin, networkList } from './networks.ts';
import type { ResolveHost } from './resolve-host.ts';

/** How long the addresses of an API server that has a name are kept. */
const API_ADDRESSES_MS = 30_000;

type LookupCallback = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

/**
 * Connects only to addresses that the rules allow. The addresses that are checked are those that the connection uses, so
 * a name cannot lead elsewhere after the check. A name with one refused address is refused: see docs/adr/0013.
 */
export function createGuardedConnector(
  options: buildConnector.BuildOptions,
  rules: NetworkRules,
  resolveHost: ResolveHost,
): buildConnector.connector {
  const refuse = createAddressRules(rules);
  const apiServers = rules.apiServers ?? [];
  const apiPorts = new Set(apiServers.map(({ port }) => port));
  const apiAddresses = createApiAddresses(apiServers, resolveHost);

  async function findAddresses(hostname: string, isApiPort: boolean): Promise<readonly LookupAddress[]> {
    const family = isIP(hostname);
    const [found, own] = await Promise.all([
      family === 0 ? resolveHost(hostname) : [{ address: hostname, family }],
      apiAddresses(),
    ]);
    for (const { address } of found) {
      const why = refuse({ address, isApiServer: isWithin(own, address), isApiPort });
      if (why !== undefined) throw refused(`${address} is ${why}`);
    }
    return found;
  }

  const connectors = [false, true].map((isApiPort) => {
    const lookup = (hostname: string, { all }: LookupOptions, callback: LookupCallback): void => {
      findAddresses(hostname, isApiPort).then(
        (found) => {
          if (all) callback(null, [...found]);
          else callback(null, found[0]?.address ?? '', found[0]?.family);
        },
        (error: unknown) => {
          callback(error as Error, '');
        },
      );
    };
    return buildConnector({ ...options, lookup });
  });

  return (target, callback) => {
    const isApiPort = apiPorts.has(Number(target.port) || (target.protocol === 'https:' ? 443 : 80));
    const connect = connectors[Number(isApiPort)];
    // Node looks up no address.
    if (isIP(target.hostname) === 0) connect?.(target, callback);
    else {
      findAddresses(target.hostname, isApiPort).then(
        () => connect?.(target, callback),
        (error: unknown) => {
          callback(error as Error, null);
        },
      );
    }
  };
}

export const ADDRESS_REFUSED = 'ADDRESS_REFUSED';

function refused(message: string): Error {
  return Object.assign(new Error(message), { code: ADDRESS_REFUSED });
}

/** A name that is unknown at the moment has no address. */
function createApiAddresses(apiServers: readonly Endpoint[], resolveHost: ResolveHost): () => Promise<BlockList> {
  const hosts = [...new Set(apiServers.map(({ host }) => host))];
  let last: { readonly at: number; readonly addresses: Promise<BlockList> } | undefined;

  async function find(): Promise<BlockList> {
    const names = hosts.filter((host) => isIP(host) === 0);
    const found = await Promise.all(names.map((name) => resolveHost(name).catch(() => [])));
    return networkList([...hosts, ...found.flat().map(({ address }) => address)]);
  }
  return () => {
    const now = performance.now();
    if (last === undefined || now - last.at > API_ADDRESSES_MS) last = { at: now, addresses: find() };
    return last.addresses;
  };
}
