/** Creates the digest resolver from the configuration, with credentials, CA certificates and metrics. */
import { readFileSync } from 'node:fs';
import { getIfThere } from '../kube/client.ts';
import type { KubeClient, KubeObject, Resource } from '../kube/types.ts';
import { createDigestResolver } from '../registry/digest-resolver.ts';
import { createDockerConfigFile } from '../registry/credentials.ts';
import type { GetObject, PullSecret, PullServiceAccount } from '../registry/pull-secrets.ts';
import { createCredentialLoader, createOwnCredentialLoader } from '../registry/pull-secrets.ts';
import { createRegistryClient } from '../registry/resolver.ts';
import type { DigestResolver } from '../registry/types.ts';
import type { Config } from './config.ts';
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

/** Throws if the CA file cannot be read. */
export function createRegistries(config: Config, client: Pick<KubeClient, 'get'>, metrics: Metrics): Registries {
  const { registryCaFile, registryDockerConfig, insecureRegistry, registryRecheckInterval, readPullSecrets } = config;
  const registry = createRegistryClient({
    insecureHosts: new Set(insecureRegistry),
    onRequest: metrics.registryRequest,
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

function getter<T extends KubeObject>(client: Pick<KubeClient, 'get'>, resource: Resource<T>): GetObject<T> {
  return (namespace, name, signal) => getIfThere(client, resource, { namespace, name }, signal ? { signal } : {});
}
