/** Proxy settings for registries, with the rules of kubelets and container runtimes. */
import { BlockList, isIP } from 'node:net';
import { Agent, EnvHttpProxyAgent } from 'undici';
import type { Dispatcher } from 'undici';

/** Overrides HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment; an empty string means none. */
export interface ProxyConfig {
  readonly httpProxy?: string;
  readonly httpsProxy?: string;
  readonly noProxy?: string;
}

export interface Route {
  readonly to: (url: URL) => Dispatcher;
  readonly close: () => Promise<void>;
}

/** Options for connections, direct and through a proxy. @throws Error if a proxy is not a URL */
export function createRoute(options: Agent.Options & EnvHttpProxyAgent.Options, config: ProxyConfig = {}): Route {
  const { env } = process;
  const noProxy = config.noProxy ?? env.no_proxy ?? env.NO_PROXY ?? '';
  const httpProxy = proxyUrl('HTTP_PROXY', config.httpProxy ?? env.http_proxy ?? env.HTTP_PROXY);
  const httpsProxy = proxyUrl('HTTPS_PROXY', config.httpsProxy ?? env.https_proxy ?? env.HTTPS_PROXY);
  const proxied = new EnvHttpProxyAgent({ ...options, httpProxy, httpsProxy, noProxy });
  const direct = new Agent(options);
  const networks = readNetworks(noProxy);
  return {
    to: (url) => (isWithin(networks, url) ? direct : proxied),
    close: async () => {
      await Promise.all([direct.destroy(), proxied.destroy()]);
    },
  };
}

/** Go and curl read `proxy.example:3128` as http. An error does not quote the value, which may contain a password. */
function proxyUrl(variable: string, value = ''): string {
  const url = value === '' || value.includes('://') ? value : `http://${value}`;
  if (url !== '' && !URL.canParse(url)) throw new Error(`${variable} is not a URL such as http://proxy.example:3128`);
  return url;
}

/** The networks in NO_PROXY, such as 10.0.0.0/8. undici supports only names and single addresses. */
function readNetworks(noProxy: string): BlockList {
  const networks = new BlockList();
  for (const entry of noProxy.split(/[,\s]+/)) {
    const [, address = '', prefix = ''] = /^([^/]+)\/(\d{1,3})$/.exec(entry) ?? [];
    const version = isIP(address);
    if (version !== 0 && Number(prefix) <= (version === 4 ? 32 : 128)) {
      networks.addSubnet(address, Number(prefix), version === 4 ? 'ipv4' : 'ipv6');
    }
  }
  return networks;
}

function isWithin(networks: BlockList, { hostname }: URL): boolean {
  const address = hostname.replace(/^\[(.*)\]$/, '$1');
  const version = isIP(address);
  return version !== 0 && networks.check(address, version === 4 ? 'ipv4' : 'ipv6');
}
