/** The cluster, the user and the namespace that a command works with, chosen as kubectl chooses them. */
import { existsSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import type { User } from '@kubernetes/client-node/dist/config_types.js';
import { getProxyForUrl } from 'proxy-from-env';
import type { KubeConfigSource } from '../kube/credentials.ts';
import type { ExecStatus } from './exec-plugin.ts';
import { createPluginLogin, fromFolder } from './exec-plugin.ts';
import { CliError } from './exit-codes.ts';
import type { Io } from './io.ts';

/** The options of kubectl that choose where a command works, and as whom. */
export interface ClusterOptions {
  readonly namespace?: string | undefined;
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly cluster?: string | undefined;
  readonly user?: string | undefined;
  readonly as?: string | undefined;
  readonly asGroup?: readonly string[] | undefined;
  readonly asUid?: string | undefined;
}

export interface Chosen {
  readonly source: KubeConfigSource;
  readonly namespace: string;
  /** Why the last login failed. The errors of the client name no cause, since a cause may quote a credential. */
  readonly loginError: () => unknown;
}

/** The library does not look at the field exec, which we read. */
type Login = Omit<User, 'exec'> & { readonly exec?: unknown };

/** The environment, and whether a person can answer a login. */
type Host = Pick<Io, 'env' | 'canAsk'>;

/**
 * @throws CliError for a file that cannot be read, a name that no file has, and options that contradict each other
 */
export function chooseCluster(options: ClusterOptions, host: Host): Chosen {
  const config = loadFiles(options, host);
  const name = options.context ?? config.currentContext;
  const context = config.getContexts().find((one) => one.name === name);
  if (options.context !== undefined && !context)
    throw new CliError(`there is no context ${options.context} in the kubeconfig: see kubectl config get-contexts`);
  const clusterName = options.cluster ?? context?.cluster;
  const userName = options.user ?? context?.user;
  const cluster = config.getClusters().find((one) => one.name === clusterName);
  const user: Login | undefined = config.getUsers().find((one) => one.name === userName);
  if (!cluster)
    throw new CliError(
      clusterName === undefined
        ? 'no cluster is chosen: set a current context (kubectl config use-context NAME), or name one by --context'
        : `there is no cluster ${clusterName} in the kubeconfig: see kubectl config get-clusters`,
    );
  if (options.user !== undefined && !user)
    throw new CliError(`there is no user ${options.user} in the kubeconfig: see kubectl config get-users`);
  const { exec, ...login } = user ?? { name: '' };
  const plugin = exec ? createPluginLogin(exec, { cluster, ...host }) : undefined;
  config.loadFromClusterAndUser(cluster, login);
  const proxyUrl = cluster.proxyUrl ?? proxyOfEnvironment(cluster.server);
  const headers = impersonation(options);
  let loginError: unknown;
  return {
    namespace: options.namespace ?? (context?.namespace || 'default'),
    loginError: () => loginError,
    source: {
      getCurrentCluster: () => ({ server: cluster.server, ...(proxyUrl !== undefined && { proxyUrl }) }),
      applyToHTTPSOptions: async (request) => {
        try {
          await config.applyToHTTPSOptions(request);
          request.headers = Object.assign(request.headers ?? {}, headers);
          if (plugin) applyPlugin(request, await plugin());
        } catch (error) {
          loginError = error;
          throw error;
        }
      },
    },
  };
}

function applyPlugin(request: RequestOptions, { token, clientCertificateData, clientKeyData }: ExecStatus): void {
  if (token !== undefined) request.headers = Object.assign(request.headers ?? {}, { Authorization: `Bearer ${token}` });
  if (clientCertificateData !== undefined) request.cert = clientCertificateData;
  if (clientKeyData !== undefined) request.key = clientKeyData;
}

/** HTTPS_PROXY, HTTP_PROXY and NO_PROXY. As in Go, they are not for servers on this machine. */
function proxyOfEnvironment(server: string): string | undefined {
  const { hostname } = new URL(server);
  const isLocal = hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
  return isLocal ? undefined : getProxyForUrl(server) || undefined;
}

/** https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation */
function impersonation({ as, asGroup = [], asUid }: ClusterOptions): Record<string, string | string[]> {
  if (as === undefined && (asGroup.length > 0 || asUid !== undefined))
    throw new CliError('--as-group and --as-uid need --as, the name of the user');
  return {
    ...(as !== undefined && { 'Impersonate-User': as }),
    ...(asUid !== undefined && { 'Impersonate-Uid': asUid }),
    ...(asGroup.length > 0 && { 'Impersonate-Group': [...asGroup] }),
  };
}

/** As kubectl: --kubeconfig, else the files of KUBECONFIG, else ~/.kube/config, else the account of the pod. */
export function loadFiles({ kubeconfig }: ClusterOptions, { env }: Pick<Host, 'env'>): KubeConfig {
  if (kubeconfig !== undefined) return loadFile(kubeconfig);
  const named = (env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  const files = named.length > 0 ? named : [join(env['HOME'] ?? homedir(), '.kube', 'config')];
  const found = files.filter((file) => existsSync(file)).map(loadFile);
  if (found.length > 0) return merged(found);
  if (named.length > 0) throw new CliError(`none of the files of KUBECONFIG exists: ${named.join(', ')}`);
  if (env['KUBERNETES_SERVICE_HOST'] === undefined)
    throw new CliError(`there is no kubeconfig: name one by --kubeconfig or KUBECONFIG, or create ${files.join('')}`);
  const config = new KubeConfig();
  config.loadFromCluster();
  return config;
}

function loadFile(file: string): KubeConfig {
  const config = new KubeConfig();
  try {
    config.loadFromFile(file);
    const folder = dirname(file);
    config.users = config.users.map((user) => ({ ...user, exec: fromFolder(user.exec, folder) }));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new CliError(`cannot read the kubeconfig ${file}: ${text.split('\n')[0] ?? ''}`);
  }
  return config;
}

/** The first file that has a name, or a current context, wins. The library's own merge refuses a name in two files. */
function merged(configs: readonly KubeConfig[]): KubeConfig {
  const all = new KubeConfig();
  all.loadFromOptions({
    clusters: firstByName(configs.flatMap((one) => one.getClusters())),
    users: firstByName(configs.flatMap((one) => one.getUsers())),
    contexts: firstByName(configs.flatMap((one) => one.getContexts())),
    currentContext: configs.map((one) => one.currentContext).find((name) => name) ?? '',
  });
  return all;
}

function firstByName<T extends { readonly name: string }>(items: readonly T[]): T[] {
  const byName = new Map<string, T>();
  for (const item of items) if (!byName.has(item.name)) byName.set(item.name, item);
  return [...byName.values()];
}
