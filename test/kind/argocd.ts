// Argo CD for a kind cluster: its components as local processes, its objects in the cluster.
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { ensureTool } from '../cluster/go-tool.ts';
import { freePort, removeWithUs, start, waitFor, type Running } from '../cluster/processes.ts';
import { execute } from './engine.ts';
import { argocd, helm } from './tools.ts';

const NAMESPACE = 'argocd';
const HOST = '127.0.0.1';

export interface ArgoCD {
  /** Of the cluster, as Applications name it. */
  readonly server: string;
  /** The URL of the repositories in the folder, for Argo CD and the test. */
  readonly repositories: { readonly folder: string; readonly url: string };
  /** Environment with configured `argocd` and `kubectl`. */
  readonly env: Readonly<Record<string, string>>;
  readonly stop: () => Promise<void>;
}

export interface ArgoCDOptions {
  readonly kubeconfigPath: string;
  readonly kubectl: string;
}

/** Installs and starts it; the settings for AppReleases are not among what is installed. */
export async function startArgoCD(options: ArgoCDOptions): Promise<ArgoCD> {
  const dir = await mkdtemp(join(tmpdir(), 'argocd-'));
  const keep = await removeWithUs(dir);
  const running: Running[] = [];
  async function stop(): Promise<void> {
    await uninstall(options);
    for (const process of running.toReversed()) await process.stop();
    await keep();
    await rm(dir, { recursive: true, force: true });
  }
  try {
    const server = await install(options);
    const started = await startProcesses(dir, options, running);
    return { server, ...started, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Processes = Pick<ArgoCD, 'repositories' | 'env'>;

async function startProcesses(dir: string, options: ArgoCDOptions, running: Running[]): Promise<Processes> {
  const bin = await ensureTool(argocd);
  const env = await environment(dir);
  const ports = {
    redis: await freePort(),
    git: await freePort(),
    repoServer: await freePort(),
    api: await freePort(),
  };
  const repositories = join(dir, 'repositories');
  await mkdir(repositories);

  async function run(name: string, file: string, ...args: string[]): Promise<Running> {
    const process = await start({ name, file, args, env, logFile: join(dir, `${name}.log`), detached: false });
    running.push(process);
    return process;
  }
  /** For programs that do not end with their parent: the kernel kills them when this process ends. */
  function runTied(name: string, file: string, ...args: string[]): Promise<Running> {
    return run(name, 'setpriv', '--pdeathsig=KILL', file, ...args);
  }

  await runTied('redis', 'redis-server', `--bind ${HOST}`, `--port ${ports.redis}`, '--save', '', `--dir ${dir}`);
  // Not `git daemon`, which would be killed alone, and leave the server that it has started.
  const gitDaemon = join((await execute('git', ['--exec-path'])).trim(), 'git-daemon');
  const access = ['--export-all', `--base-path=${repositories}`, '--reuseaddr'];
  await runTied('git', gitDaemon, ...access, `--listen=${HOST}`, `--port=${ports.git}`);

  const redis = `--redis=${HOST}:${ports.redis}`;
  const kube = [`--kubeconfig=${options.kubeconfigPath}`, `--namespace=${NAMESPACE}`];
  const client = [redis, ...kube, `--repo-server=${HOST}:${ports.repoServer}`, '--repo-server-plaintext'];
  await run(
    'repo-server',
    join(bin, 'argocd-repo-server'),
    ...[redis, '--disable-tls', `--address=${HOST}`, `--port=${ports.repoServer}`],
    ...[`--metrics-address=${HOST}`, `--metrics-port=${await freePort()}`],
  );
  await run(
    'application-controller',
    join(bin, 'argocd-application-controller'),
    ...[
      ...client,
      '--app-resync=5',
      '--app-resync-jitter=0',
      '--persist-resource-health',
      `--metrics-port=${await freePort()}`,
    ],
    // Every self-heal without delay, however many there were.
    ...['--self-heal-backoff-timeout-seconds=0', '--self-heal-backoff-cap-seconds=0'],
  );
  await run(
    'server',
    join(bin, 'argocd-server'),
    ...[...client, '--insecure', '--disable-auth', `--address=${HOST}`, `--port=${ports.api}`],
    ...[`--metrics-address=${HOST}`, `--metrics-port=${await freePort()}`, `--staticassets=${dir}`],
  );
  const user = {
    ...env,
    PATH: `${bin}:${dirname(options.kubectl)}:${env['PATH'] ?? ''}`,
    KUBECONFIG: options.kubeconfigPath,
    ARGOCD_OPTS: `--server=${HOST}:${ports.api} --plaintext --config=${join(dir, 'cli')}`,
  };
  const answers = async () => (await execute(join(bin, 'argocd'), ['app', 'list'], { env: user })) !== '';
  await waitFor('answer of Argo CD', answers, { timeoutSeconds: 120, needs: running });
  return { repositories: { folder: repositories, url: `git://${HOST}:${ports.git}` }, env: user };
}

/** Writes everything into the folder. */
async function environment(dir: string): Promise<Record<string, string>> {
  const folders = { GNUPGHOME: 'gnupg', TLS_DATA_PATH: 'tls', SSH_DATA_PATH: 'ssh', PLUGINSOCKFILEPATH: 'plugins' };
  const env: Record<string, string> = {
    ARGOCD_GPG_ENABLED: 'false',
    HOME: dir,
    TMPDIR: join(dir, 'tmp'),
    PATH: `${await ensureTool(helm)}:${process.env['PATH'] ?? ''}`,
  };
  for (const [name, folder] of Object.entries(folders)) {
    env[`ARGOCD_${name}`] = join(dir, folder);
    await mkdir(join(dir, folder));
  }
  await mkdir(join(dir, 'tmp'));
  return env;
}

/** The objects that Argo CD needs in the cluster; returns the address of the cluster. */
async function install({ kubeconfigPath, kubectl }: ArgoCDOptions): Promise<string> {
  const run = (...args: string[]) => execute(kubectl, [`--kubeconfig=${kubeconfigPath}`, ...args]);
  await run('apply', '--server-side', '--force-conflicts', '-k', await crds());
  // Not by `kubectl wait`, which fails where one has no status yet.
  const served = async () => (await run('get', 'appprojects', '--all-namespaces', '--output=name')) === '';
  await waitFor('the kinds of Argo CD', served, { timeoutSeconds: 60 });
  const { server, objects } = objectsFor(parse(await readFile(kubeconfigPath, 'utf8')) as Kubeconfig);
  await execute(kubectl, [`--kubeconfig=${kubeconfigPath}`, 'apply', '--filename=-'], {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
  });
  return server;
}

async function uninstall({ kubeconfigPath, kubectl }: ArgoCDOptions): Promise<void> {
  const flags = [`--kubeconfig=${kubeconfigPath}`, '--ignore-not-found', '--timeout=120s'];
  await execute(kubectl, ['delete', 'namespace', NAMESPACE, ...flags]);
  await execute(kubectl, ['delete', '-k', await crds(), ...flags]);
}

/** In the module, which the executables were built from. */
async function crds(): Promise<string> {
  const module = await execute('go', ['list', '-m', '-f', '{{.Dir}}', argocd.module], { cwd: argocd.source });
  return join(module.trim(), 'manifests/crds');
}

interface Kubeconfig {
  clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }];
  users: [{ user: { 'client-certificate-data': string; 'client-key-data': string } }];
}

function objectsFor({ clusters, users }: Kubeconfig): { server: string; objects: object[] } {
  const [{ cluster }] = clusters;
  const [{ user }] = users;
  const labels = { 'app.kubernetes.io/part-of': 'argocd' };
  const inNamespace = (kind: string, name: string, more: object) => ({
    apiVersion: kind === 'AppProject' ? 'argoproj.io/v1alpha1' : 'v1',
    kind,
    metadata: { name, namespace: NAMESPACE, labels },
    ...more,
  });
  const tlsClientConfig = {
    caData: cluster['certificate-authority-data'],
    certData: user['client-certificate-data'],
    keyData: user['client-key-data'],
  };
  const secret = inNamespace('Secret', 'kind', {
    stringData: { name: 'kind', server: cluster.server, config: JSON.stringify({ tlsClientConfig }) },
  });
  const clusterLabels = { ...labels, 'argocd.argoproj.io/secret-type': 'cluster' };
  const any = [{ group: '*', kind: '*' }];
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    ...['argocd-cm', 'argocd-rbac-cm', 'argocd-cmd-params-cm', 'argocd-gpg-keys-cm'].map((name) =>
      inNamespace('ConfigMap', name, {}),
    ),
    inNamespace('Secret', 'argocd-secret', { stringData: { 'server.secretkey': 'only for tests' } }),
    { ...secret, metadata: { ...secret.metadata, labels: clusterLabels } },
    inNamespace('AppProject', 'default', {
      spec: { sourceRepos: ['*'], destinations: [{ server: '*', namespace: '*' }], clusterResourceWhitelist: any },
    }),
  ];
  return { server: cluster.server, objects };
}
