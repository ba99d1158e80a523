/** Creates the digest resolver from the configuration, with credentials, CA certificates and metrics. */
import { readFileSync } from 'node:fs';
import { getIfThere } from '../kube/client.ts';
import type { KubeClient, KubeObject, Resource } from '../kube/types.ts';
import type { Endpoint } from '../registry/address-rules.ts';
import { createDigestResolver } from '../registry/digest-resolver.ts';
import { createDockerConfigFile } from '../registry/credentials.ts';
import type { GetObject, PullSecret, PullServiceAccount } from '../registry/pull-secrets.ts';
import { createCredentialLoader, createOwnCredentialLoader } from '../registry/pull-secrets.ts';
import { createRegistryClient } from '../registry/resolver.ts';
import type { DigestResolver } from '../registry/types.ts';
import type { Config } from './config.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

const SECRETS: Resource<KubeObject & PullSecret> = {
  apiVersion: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
};
const SERVICE_ACCOUNTS: Resource<KubeObject & PullServiceAccount> = {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  namespaced: true,
};

export interface Registries {
  createResolver: (onChange: (key: string) => void) => DigestResolver;
  close: () => Promise<void>;
}

export interface RegistriesOptions {
  client: Pick<KubeClient, 'get'>;
  /** The URL of the API server in the kubeconfig. */
  server: string | undefined;
  metrics: Metrics;
  log: Log['log'];
}

/** Throws if the CA file cannot be read. */
export function createRegistries(config: Config, { client, server, metrics, log }: RegistriesOptions): Registries {
  const { registryCaFile, registryDockerConfig, insecureRegistry, registryRecheckInterval, readPullSecrets } = config;
  const registry = createRegistryClient({
    insecureHosts: new Set(insecureRegistry),
    networks: {
      denyPrivate: config.registryPrivateNetworks === 'deny',
      allow: config.registryAllowNetwork,
      apiServers: apiServersOf(server, process.env),
    },
    tokenServers: config.registryTokenServer,
    onRequest: metrics.registryRequest,
    onUnreachable: (event) => {
      log('warn', { ...event }, 'a registry cannot be reached');
    },
    ...(registryCaFile !== undefined && { caBundle: readFileSync(registryCaFile, 'utf8') }),
  });
  const ownKeyring = registryDockerConfig === undefined ? undefined : createDockerConfigFile(registryDockerConfig);
  const loadCredentials = readPullSecrets
    ? createCredentialLoader(getter(client, SECRETS), getter(client, SERVICE_ACCOUNTS), ownKeyring)
    : createOwnCredentialLoader(ownKeyring);
  return {
    createResolver: (onChange) =>
      createDigestResolver({
        resolve: registry.resolveDigest,
        loadCredentials,
        onChange,
        onResolution: metrics.resolution,
        recheckIntervalMs: registryRecheckInterval,
      }),
    close: registry.close,
  };
}

/** The addresses of the API server: the one that the operator uses, and the one that every pod knows. */
export function apiServersOf(
  server: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Endpoint[] {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = environment;
  const url = server === undefined ? null : URL.parse(server);
  return [
    ...(url
      ? [{ host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(url.port || portOf(url.protocol)) }]
      : []),
    ...(host ? [{ host: host.toLowerCase(), port: Number(port) }] : []),
  ];
}

function portOf(protocol: string): number {
  return protocol === 'http:' ? 80 : 443;
}

function getter<T extends KubeObject>(client: Pick<KubeClient, 'get'>, resource: Resource<T>): GetObject<T> {
  return (namespace, name, signal) => getIfThere(client, resource, { namespace, name }, signal ? { signal } : {});
}
