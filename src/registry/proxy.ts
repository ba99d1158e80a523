/** Proxy settings for registries, with the rules of kubelets and container runtimes. */
import { Agent, EnvHttpProxyAgent } from 'undici';
import type { Dispatcher } from 'undici';
import { isWithin, networkList } from './networks.ts';

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
  // undici supports only names and single addresses.
  const networks = networkList(noProxy.split(/[,\s]+/).filter((entry) => entry.includes('/')));
  return {
    to: (url) => (isWithin(networks, url.hostname.replace(/^\[(.*)\]$/, '$1')) ? direct : proxied),
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
