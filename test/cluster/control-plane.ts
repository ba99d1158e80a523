// A Kubernetes control plane of local processes, without container engine and root.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBinaries } from './build.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { kubectlFor } from './kubectl.ts';
import { freePort, removeWithUs, start, waitFor, type Running } from './processes.ts';
import { kwokConfiguration } from './stages.ts';
import type { Binaries, Component, ControlPlane, ControlPlaneOptions } from './types.ts';

/** The controllers for workloads, access control and simulated nodes; others only cost time. */
const controllers = [
  'clusterrole-aggregation-controller',
  'cronjob-controller',
  'daemonset-controller',
  'deployment-controller',
  'disruption-controller',
  'endpoints-controller',
  'endpointslice-controller',
  'endpointslice-mirroring-controller',
  'garbage-collector-controller',
  'horizontal-pod-autoscaler-controller',
  'job-controller',
  'namespace-controller',
  'node-lifecycle-controller',
  'pod-garbage-collector-controller',
  'replicaset-controller',
  'resourcequota-controller',
  'root-ca-certificate-publisher-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'statefulset-controller',
  'taint-eviction-controller',
  'validatingadmissionpolicy-status-controller',
];

/** Rights in addition to Kubernetes' own roles. */
const kwokAccess = {
  apiVersion: 'v1',
  kind: 'List',
  items: [
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'kwok' },
      rules: [
        { apiGroups: [''], resources: ['nodes', 'pods'], verbs: ['get', 'list', 'watch'] },
        { apiGroups: [''], resources: ['nodes/status', 'pods/status'], verbs: ['patch', 'update'] },
        { apiGroups: [''], resources: ['pods'], verbs: ['delete'] },
        { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch', 'update'] },
        {
          apiGroups: ['coordination.k8s.io'],
          resources: ['leases'],
          verbs: ['get', 'list', 'watch', 'create', 'update', 'patch'],
        },
      ],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'kwok' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'kwok' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'kwok' }],
    },
  ],
};

/** Bearer tokens of the users that exist outside Kubernetes. */
type Tokens = Record<'admin' | 'kube-controller-manager' | 'kube-scheduler' | 'kwok', string>;

/** The configuration before the first process starts. */
interface Setup {
  readonly dir: string;
  readonly binaries: Binaries;
  readonly options: ControlPlaneOptions;
  readonly tokens: Tokens;
  readonly etcdPort: number;
  readonly peerPort: number;
  readonly apiPort: number;
}

/**
 * Starts etcd, the API server, the controller manager, the scheduler and KWOK on 127.0.0.1; about 4 s. Builds them first if
 * need be. All of them end with this process, however it ends, unless `detached`.
 * @throws Error with the end of the log of the failed process
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const binaries = await ensureBinaries();
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'control-plane-')));
  await mkdir(dir, { recursive: true });
  const keepDir = options.dir === undefined ? await removeWithUs(dir) : undefined;
  const running = new Map<Component, Running>();
  const stop = async () => {
    // The data is useless without the processes, so an orderly shutdown is not needed.
    await Promise.all([...running.values()].map((process) => process.stop()));
    running.clear();
    if (keepDir === undefined) return;
    await rm(dir, { recursive: true, force: true });
    await keepDir();
  };
  try {
    const [etcdPort, peerPort, apiPort] = await Promise.all([freePort(), freePort(), freePort()]);
    const tokens = await writeTokens(dir);
    await writeServiceAccountKey(dir);
    return await startComponents({ dir, binaries, options, tokens, etcdPort, peerPort, apiPort }, running, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startComponents(
  setup: Setup,
  running: Map<Component, Running>,
  stop: () => Promise<void>,
): Promise<ControlPlane> {
  const { dir, binaries, tokens } = setup;
  const url = `https://127.0.0.1:${setup.apiPort}`;
  const caFile = join(dir, 'certs/apiserver.crt');
  const kubeconfigPath = join(dir, 'admin.kubeconfig');
  const kubectl = kubectlFor({ binaries, kubeconfigPath, dir });
  const begin = async (component: Component, file: string, args: readonly string[]) => {
    const command = {
      name: component,
      file,
      args: [...args, ...(setup.options.flags?.[component] ?? [])],
      logFile: join(dir, `${component}.log`),
      detached: setup.options.detached ?? false,
    };
    running.set(component, await start(command));
  };
  const killApiServer = async () => {
    await running.get('kube-apiserver')?.stop();
    running.delete('kube-apiserver');
  };
  const startApiServer = async () => {
    if (running.has('kube-apiserver')) throw new Error('the API server runs already');
    await begin('kube-apiserver', binaries.kubeApiserver, apiServerFlags(setup));
    const needs = [...running.values()];
    await waitFor('ready API server', () => isReady(url, caFile, tokens.admin), { timeoutSeconds: 60, needs });
  };

  await begin('etcd', binaries.etcd, etcdFlags(setup));
  await startApiServer();
  const ca = await readFile(caFile, 'utf8');
  await writeKubeconfig(kubeconfigPath, { url, ca, token: tokens.admin });
  const kubeconfigOf = (user: keyof Tokens) =>
    writeKubeconfig(join(dir, `${user}.kubeconfig`), { url, ca, token: tokens[user] });
  await begin('kube-controller-manager', binaries.kubeControllerManager, [
    ...controllerManagerFlags(dir),
    `--kubeconfig=${await kubeconfigOf('kube-controller-manager')}`,
  ]);
  await begin('kube-scheduler', binaries.kubeScheduler, [
    '--leader-elect=false',
    '--secure-port=0',
    `--kubeconfig=${await kubeconfigOf('kube-scheduler')}`,
  ]);
  await kubectl(['apply', '--validate=false', '-f', '-'], { input: JSON.stringify(kwokAccess) });
  await writeFile(join(dir, 'kwok.yaml'), kwokConfiguration());
  await begin('kwok', binaries.kwok, [
    `--config=${join(dir, 'kwok.yaml')}`,
    `--kubeconfig=${await kubeconfigOf('kwok')}`,
  ]);
  // Pods can be created in a namespace as soon as the controller manager has made its service account.
  const defaultAccount = async () => (await kubectl(['get', 'serviceaccount', 'default', '--output=name'])) !== '';
  await waitFor('default service account', defaultAccount, { timeoutSeconds: 60, needs: [...running.values()] });

  return {
    dir,
    kubeconfigPath,
    url,
    caFile,
    adminToken: tokens.admin,
    binaries,
    pids: () => Object.fromEntries([...running].map(([component, { pid }]) => [component, pid])),
    kubectl,
    stop,
    killApiServer,
    startApiServer,
    restartApiServer: async () => {
      await killApiServer();
      await startApiServer();
    },
  };
}

function etcdFlags({ dir, etcdPort, peerPort }: Setup): string[] {
  const client = `http://127.0.0.1:${etcdPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  return [
    `--data-dir=${join(dir, 'etcd')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}

function apiServerFlags({ dir, etcdPort, apiPort }: Setup): string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    '--bind-address=127.0.0.1',
    '--external-hostname=127.0.0.1',
    `--secure-port=${apiPort}`,
    // It generates a certificate of its own in there.
    `--cert-dir=${join(dir, 'certs')}`,
    `--token-auth-file=${join(dir, 'tokens.csv')}`,
    '--authorization-mode=Node,RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${join(dir, 'service-account.key')}`,
    `--service-account-signing-key-file=${join(dir, 'service-account.key')}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    // The Service `kubernetes` may not have an endpoint on a loopback address.
    '--endpoint-reconciler-type=none',
    '--profiling=false',
  ];
}

function controllerManagerFlags(dir: string): string[] {
  return [
    '--leader-elect=false',
    '--secure-port=0',
    // With the usual 20 requests/s its start alone takes 2 s longer.
    '--kube-api-qps=200',
    '--kube-api-burst=400',
    // An autoscaler is otherwise looked at every 15 s.
    '--horizontal-pod-autoscaler-sync-period=2s',
    '--use-service-account-credentials',
    `--service-account-private-key-file=${join(dir, 'service-account.key')}`,
    `--root-ca-file=${join(dir, 'certs/apiserver.crt')}`,
    `--controllers=${controllers.join(',')}`,
    '--profiling=false',
  ];
}

async function writeTokens(dir: string): Promise<Tokens> {
  const token = () => randomBytes(24).toString('hex');
  const tokens = { admin: token(), 'kube-controller-manager': token(), 'kube-scheduler': token(), kwok: token() };
  const lines = [
    `${tokens.admin},admin,admin,system:masters`,
    `${tokens['kube-controller-manager']},system:kube-controller-manager,kube-controller-manager`,
    `${tokens['kube-scheduler']},system:kube-scheduler,kube-scheduler`,
    `${tokens.kwok},kwok,kwok`,
  ];
  await writeFile(join(dir, 'tokens.csv'), lines.join('\n'), { mode: 0o600 });
  return tokens;
}

async function writeServiceAccountKey(dir: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'sec1', format: 'pem' });
  await writeFile(join(dir, 'service-account.key'), pem, { mode: 0o600 });
}

async function isReady(url: string, caFile: string, token: string): Promise<boolean> {
  const ca = await readFile(caFile);
  const get = request(`${url}/readyz`, { ca, agent: false, headers: { authorization: `Bearer ${token}` } }).end();
  const [response] = (await once(get, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode === 200;
}
