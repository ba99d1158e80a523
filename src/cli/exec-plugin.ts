/**
 * Logins by a credential plugin, as client-go runs it: the plugin's messages reach the person, who may answer. The client library
 * shows neither, and tells the plugin nothing of the cluster.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { isAbsolute, join, sep } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Cluster } from '@kubernetes/client-node/dist/config_types.js';
import * as z from 'zod';
import { CliError } from './exit-codes.ts';

const API_VERSIONS = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'] as const;

const execConfig = z.object({
  apiVersion: z.enum(API_VERSIONS, `must be ${API_VERSIONS.join(' or ')}: update the plugin’s configuration`),
  command: z.string().min(1),
  args: z.array(z.string()).nullish(),
  env: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
  installHint: z.string().nullish(),
  interactiveMode: z.enum(['Never', 'IfAvailable', 'Always']).nullish(),
  provideClusterInfo: z.boolean().nullish(),
});
type ExecConfig = z.infer<typeof execConfig>;

const execCredential = z.object({
  apiVersion: z.string(),
  kind: z.literal('ExecCredential'),
  status: z.object({
    token: z.string().optional(),
    clientCertificateData: z.string().optional(),
    clientKeyData: z.string().optional(),
    expirationTimestamp: z.string().optional(),
  }),
});
export type ExecStatus = z.infer<typeof execCredential>['status'];

export interface PluginHost {
  readonly cluster: Cluster;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A person can answer the plugin. */
  readonly canAsk: boolean;
}

/**
 * The credential of the plugin, which runs again when the credential expires.
 * `given`: the field exec of a user of a kubeconfig.
 */
export function createPluginLogin(given: unknown, host: PluginHost): () => Promise<ExecStatus> {
  const parsed = execConfig.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new CliError(`the kubeconfig's user.exec.${issue?.path.join('.') ?? ''} is wrong: ${issue?.message ?? ''}`);
  }
  let kept: ExecStatus | undefined;
  return async () => {
    if (kept && !isExpired(kept)) return kept;
    kept = await runPlugin(parsed.data, host);
    return kept;
  };
}

function isExpired({ expirationTimestamp }: ExecStatus): boolean {
  return expirationTimestamp !== undefined && Date.parse(expirationTimestamp) <= Date.now();
}

/** A command with a folder is relative to the kubeconfig, one without is looked up on PATH. */
export function fromFolder(exec: unknown, folder: string): unknown {
  const command = z.object({ command: z.string() }).loose().safeParse(exec).data;
  const isRelative = command && (command.command.includes('/') || command.command.includes(sep));
  return isRelative && !isAbsolute(command.command) ? { ...command, command: join(folder, command.command) } : exec;
}

async function runPlugin(config: ExecConfig, { cluster, env, canAsk }: PluginHost): Promise<ExecStatus> {
  const { apiVersion, command, args, env: own, interactiveMode } = config;
  if (interactiveMode === 'Always' && !canAsk)
    throw new CliError(`the login ${command} has to ask a person: run the command on a terminal`);
  const interactive = canAsk && interactiveMode !== 'Never';
  const info = {
    apiVersion,
    kind: 'ExecCredential',
    spec: { interactive, ...(config.provideClusterInfo === true && { cluster: clusterInfo(cluster) }) },
  };
  const child = spawn(command, args ?? [], {
    env: {
      ...env,
      ...Object.fromEntries((own ?? []).map(({ name, value }) => [name, value])),
      KUBERNETES_EXEC_INFO: JSON.stringify(info),
    },
    stdio: [interactive ? 'inherit' : 'ignore', 'pipe', 'inherit'],
  });
  const [output, [code]] = await Promise.all([
    text(child.stdout),
    (once(child, 'close') as Promise<[number | null]>).catch((error: unknown) => {
      throw startFailure(config, error);
    }),
  ]);
  if (code !== 0)
    throw new CliError(`the login ${command} failed with exit code ${code ?? 'none'}: see its messages above`);
  return statusOf(output, config);
}

function startFailure({ command, installHint }: ExecConfig, error: unknown): CliError {
  const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
  const why = isMissing ? 'there is no such program' : error instanceof Error ? error.message : String(error);
  return new CliError(
    `cannot run the login ${command} of the kubeconfig: ${why}${installHint ? `\n${installHint}` : ''}`,
  );
}

/** The output holds the credential: no message quotes it. */
function statusOf(output: string, { command, apiVersion }: ExecConfig): ExecStatus {
  let answer: unknown;
  try {
    answer = JSON.parse(output);
  } catch {
    throw new CliError(`the login ${command} printed no JSON: it must print an ExecCredential`);
  }
  const { data } = execCredential.safeParse(answer);
  if (!data) throw new CliError(`the login ${command} printed no ExecCredential with a status`);
  if (data.apiVersion !== apiVersion)
    throw new CliError(
      `the login ${command} answered with ${data.apiVersion}, and the kubeconfig asks for ${apiVersion}`,
    );
  const { token, clientCertificateData, clientKeyData } = data.status;
  if (token === undefined && (clientCertificateData === undefined || clientKeyData === undefined))
    throw new CliError(`the login ${command} printed neither a token nor a certificate with its key`);
  return data.status;
}

function clusterInfo({ server, tlsServerName, skipTLSVerify, caData, proxyUrl }: Cluster): object {
  return {
    server,
    ...(tlsServerName !== undefined && { 'tls-server-name': tlsServerName }),
    ...(skipTLSVerify && { 'insecure-skip-tls-verify': true }),
    ...(caData !== undefined && { 'certificate-authority-data': caData }),
    ...(proxyUrl !== undefined && { 'proxy-url': proxyUrl }),
    config: null,
  };
}
