// A real kind cluster: one control plane and four workers in three pools of VMs, two tenants, and a registry beside it.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { auditPolicy } from '../cluster/audit.ts';
import { waitFor } from '../cluster/processes.ts';
import { startProgress } from '../cluster/progress.ts';
import type { Engine } from './engine.ts';
import { execute, kindDir, NETWORK, prepareEngine, removeNetwork } from './engine.ts';
import { ensureNodeImage } from './node-image.ts';
import { ensureKind } from './tools.ts';

const NAME = 'apprelease-e2e';
export const POD_SUBNET = '10.244.0.0/16';
/** Name of the node, and of the API server among the nodes. */
export const controlPlane = `${NAME}-control-plane`;
export const kubeconfigPath = join(kindDir, 'kubeconfig');

/** The label and the taint of each pool's nodes. */
export const POOL_LABEL = 'apprelease.dev/pool';
export const TENANT_LABEL = 'apprelease.dev/tenant';

/** The pools, with their number of VMs. */
export const POOLS = [
  { name: 'canary-vms', tenant: 'shop', count: 1 },
  { name: 'prod-a', tenant: 'shop', count: 2 },
  { name: 'prod-b', tenant: 'bank', count: 1 },
] as const;

export interface KindCluster {
  readonly engine: Engine;
  readonly kubeconfigPath: string;
  /** Of the network that the nodes are on, as this machine sees it: servers of the tests listen there. */
  readonly gateway: string;
  /** Names of the nodes; each is a container of the same name. */
  readonly nodes: readonly string[];
}

export interface ClusterOptions {
  /** A VM without a sign of life is NotReady after 20 s instead of 50. Not where kubelets are slower than that. */
  readonly strict?: boolean;
}

/** Creates the cluster again; its nodes are Ready. */
export async function createCluster(options: ClusterOptions = {}): Promise<KindCluster> {
  const engine = await prepareEngine();
  const kind = await ensureKind();
  const image = engine.pulls ? [] : [`--image=${await ensureNodeImage(engine)}`];
  await removeCluster();
  await provideModules();
  await writeFile(auditPolicyFile, JSON.stringify(auditPolicy));
  const nodes = engine.pulls ? "kind's own nodes" : 'nodes that were built here';
  const progress = startProgress(`Creating the kind cluster with ${engine.name} and ${nodes} (about a minute)`);
  try {
    await execute(
      kind,
      ['create', 'cluster', `--name=${NAME}`, `--kubeconfig=${kubeconfigPath}`, '--config=-', ...image],
      { input: stringify(configuration(engine, options)), env: engine.env },
    );
    const cluster = await describe(engine, kind);
    if (!engine.pulls) await connectNodes(cluster);
    await whenReady(cluster);
    progress.end('done');
    return cluster;
  } catch (error) {
    progress.end('failed');
    throw error;
  }
}

/** The cluster of an earlier run, if it exists and every node runs. */
export async function findCluster(): Promise<KindCluster | undefined> {
  if (!existsSync(kubeconfigPath)) return undefined;
  const engine = await prepareEngine();
  const running = (await engine.run(['ps', '--quiet', '--filter=label=io.x-k8s.kind.role'])).trim().split('\n');
  const expected = 1 + POOLS.reduce((sum, { count }) => sum + count, 0);
  return running.length === expected ? describe(engine, await ensureKind()) : undefined;
}

/** Removes the cluster, its network and its local files. */
export async function removeCluster(): Promise<void> {
  const engine = await prepareEngine();
  const kind = await ensureKind();
  await execute(kind, ['delete', 'cluster', `--name=${NAME}`, `--kubeconfig=${kubeconfigPath}`], { env: engine.env });
  await removeNetwork(engine);
  await rm(kubeconfigPath, { force: true });
  if (existsSync(modulesMarker)) {
    await rmdir('/lib/modules').catch(() => undefined);
    await rm(modulesMarker);
  }
}

const modulesMarker = join(kindDir, 'made-lib-modules');

/** kind mounts the machine's kernel modules into its nodes; create the folder on a machine without modules. */
async function provideModules(): Promise<void> {
  if (existsSync('/lib/modules')) return;
  await writeFile(modulesMarker, '');
  await mkdir('/lib/modules');
}

const auditPolicyFile = join(kindDir, 'audit-policy.json');
const NODE_AUDIT_POLICY = '/kind/audit-policy.json';
const NODE_AUDIT_DIR = '/var/log/kubernetes';

/** Kubelets send heartbeats more often if fewer may be missed. */
const STRICT = {
  kubelet: { nodeLeaseDurationSeconds: 16, nodeStatusUpdateFrequency: '4s', nodeStatusReportFrequency: '5m' },
  controllerManager: { 'node-monitor-grace-period': '20s' },
};

/** No leader election, because there is one replica of each: otherwise they would end with the API server and wait for their own Leases. */
const ONE_LEADER = { 'leader-elect': 'false' };

/** Logs the operator's requests in every test. A map of arguments is valid in every version of kubeadm's API. */
function controlPlaneNode({ strict = false }: ClusterOptions): object {
  const controlPlaneOptions = {
    kind: 'ClusterConfiguration',
    controllerManager: { extraArgs: { ...ONE_LEADER, ...(strict && STRICT.controllerManager) } },
    scheduler: { extraArgs: ONE_LEADER },
    apiServer: {
      extraArgs: {
        'audit-policy-file': NODE_AUDIT_POLICY,
        'audit-log-path': `${NODE_AUDIT_DIR}/audit.log`,
      },
      extraVolumes: [
        {
          name: 'audit-policy',
          hostPath: NODE_AUDIT_POLICY,
          mountPath: NODE_AUDIT_POLICY,
          readOnly: true,
          pathType: 'File',
        },
        { name: 'audit-log', hostPath: NODE_AUDIT_DIR, mountPath: NODE_AUDIT_DIR, pathType: 'DirectoryOrCreate' },
      ],
    },
  };
  return {
    role: 'control-plane',
    extraMounts: [{ hostPath: auditPolicyFile, containerPath: NODE_AUDIT_POLICY, readOnly: true }],
    kubeadmConfigPatches: [stringify(controlPlaneOptions)],
  };
}

/** The API server's audit log of the operator's requests. */
export function readAuditLog({ engine }: Pick<KindCluster, 'engine'>): Promise<string> {
  return engine.run(['exec', controlPlane, 'cat', `${NODE_AUDIT_DIR}/audit.log`]);
}

function configuration({ pulls }: Engine, options: ClusterOptions): object {
  const kubelet = {
    kind: 'KubeletConfiguration',
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    ...(options.strict && STRICT.kubelet),
    ...(!pulls && { failCgroupV1: false, featureGates: { KubeletInUserNamespace: true } }),
  };
  return {
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    networking: { disableDefaultCNI: !pulls, kubeProxyMode: 'nftables', podSubnet: POD_SUBNET },
    kubeadmConfigPatches: [stringify(kubelet)],
    containerdConfigPatches: [
      '[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/containerd/certs.d"\n',
    ],
    nodes: [
      controlPlaneNode(options),
      ...POOLS.flatMap(({ name, tenant, count }) =>
        Array.from({ length: count }, () => ({
          role: 'worker',
          labels: { [POOL_LABEL]: name, [TENANT_LABEL]: tenant },
          kubeadmConfigPatches: [
            stringify({
              kind: 'JoinConfiguration',
              nodeRegistration: { taints: [{ key: POOL_LABEL, value: name, effect: 'NoSchedule' }] },
            }),
          ],
        })),
      ),
    ],
  };
}

async function describe(engine: Engine, kind: string): Promise<KindCluster> {
  const nodes = (await execute(kind, ['get', 'nodes', `--name=${NAME}`], { env: engine.env })).trim().split('\n');
  // Docker and Podman have different outputs.
  const network = await engine.run(['network', 'inspect', NETWORK]);
  const gateway = /"gateway":\s*"([\d.]+)"/i.exec(network)?.[1];
  if (gateway === undefined) throw new Error(`the network ${NETWORK} has no IPv4 gateway`);
  return { engine, kubeconfigPath, gateway, nodes };
}

export interface NodeAddress {
  readonly name: string;
  /** The network of its pods. */
  readonly podCIDR: string;
  readonly address: string;
}

/** A flat pod network with CNI's own plugins and routes, because the image of kind's network plugin cannot be pulled. */
async function connectNodes(cluster: KindCluster): Promise<void> {
  const { engine } = cluster;
  const addresses = await nodeAddresses(cluster);
  await Promise.all(
    addresses.map(async ({ name, podCIDR }) => {
      const script = [
        'mkdir -p /etc/cni/net.d',
        'cat >/etc/cni/net.d/10-pods.conflist',
        // Traffic that leaves the cluster, for example to the registry, gets the node's address, because only the node has a route back.
        "nft 'add table ip pods; add chain ip pods leave { type nat hook postrouting priority srcnat; }'",
        `nft add rule ip pods leave ip saddr ${podCIDR} ip daddr != ${POD_SUBNET} masquerade`,
      ].join(' && ');
      await engine.run(['exec', '--interactive', name, 'sh', '-c', script], {
        input: JSON.stringify(podNetwork(podCIDR)),
      });
    }),
  );
  await addRoutes(cluster, addresses);
}

/** Adds routes to the pods of these nodes on the cluster's own nodes. */
export async function addRoutes({ engine, nodes }: KindCluster, to: readonly NodeAddress[]): Promise<void> {
  await Promise.all(
    nodes.map(async (node) => {
      const others = to.filter(({ name }) => name !== node);
      const script = others.map(({ podCIDR, address }) => `ip route replace ${podCIDR} via ${address}`).join(' && ');
      await engine.run(['exec', node, 'sh', '-c', script]);
    }),
  );
}

async function whenReady(cluster: KindCluster): Promise<void> {
  await kubectl(cluster, ['wait', '--for=condition=Ready', '--timeout=120s', 'nodes', '--all']);
  const system = ['deployment/coredns', 'daemonset/kube-proxy'];
  await kubectl(cluster, ['rollout', 'status', '--namespace=kube-system', '--timeout=120s', ...system]);
}

async function nodeAddresses(cluster: KindCluster): Promise<NodeAddress[]> {
  let addresses: NodeAddress[] = [];
  await waitFor(
    'pod network of every node',
    async () => {
      const { items } = JSON.parse(await kubectl(cluster, ['get', 'nodes', '--output=json'])) as {
        items: {
          metadata: { name: string };
          spec: { podCIDR?: string };
          status: { addresses: { type: string; address: string }[] };
        }[];
      };
      addresses = items.flatMap(({ metadata, spec, status }) => {
        const address = status.addresses.find(({ type }) => type === 'InternalIP')?.address;
        return spec.podCIDR === undefined || address === undefined
          ? []
          : [{ name: metadata.name, podCIDR: spec.podCIDR, address }];
      });
      return addresses.length === cluster.nodes.length;
    },
    { timeoutSeconds: 60 },
  );
  return addresses;
}

/** The configuration of CNI's plugins for the pods of a node. */
export function podNetwork(podCIDR: string): object {
  return {
    cniVersion: '1.0.0',
    name: 'pods',
    plugins: [
      {
        type: 'ptp',
        ipMasq: false,
        ipam: {
          type: 'host-local',
          dataDir: '/run/cni-ipam-state',
          ranges: [[{ subnet: podCIDR }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
}

/** Lets the nodes pull from a registry with plain HTTP. */
export async function trustRegistry({ engine, nodes }: KindCluster, host: string): Promise<void> {
  const folder = `/etc/containerd/certs.d/${host}`;
  await Promise.all(
    nodes.map((node) =>
      engine.run(['exec', '--interactive', node, 'sh', '-c', `mkdir -p ${folder} && cat >${folder}/hosts.toml`], {
        input: hostsFile(host),
      }),
    ),
  );
}

/** containerd's configuration for a registry with plain HTTP. */
export function hostsFile(host: string): string {
  return `server = "http://${host}"\n[host."http://${host}"]\n  capabilities = ["pull", "resolve"]\n`;
}

/** Loads an image of the engine on nodes. */
export async function loadImage({ engine }: KindCluster, image: string, nodes: readonly string[]): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'kind-image-'));
  try {
    const archive = join(dir, 'image.tar');
    await engine.run(['save', `--output=${archive}`, image]);
    const to = [`--name=${NAME}`, `--nodes=${nodes.join(',')}`];
    await execute(await ensureKind(), ['load', 'image-archive', archive, ...to], { env: engine.env });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function kubectl(cluster: KindCluster, args: readonly string[]): Promise<string> {
  return cluster.engine.run([
    'exec',
    '--interactive',
    controlPlane,
    'kubectl',
    '--kubeconfig=/etc/kubernetes/admin.conf',
    ...args,
  ]);
}

if (import.meta.main) {
  const commands: Readonly<Record<string, () => Promise<unknown>>> = { up: createCluster, down: removeCluster };
  const command = commands[process.argv[2] ?? ''];
  if (command === undefined) {
    console.error('usage: cluster.ts up|down');
    process.exit(2);
  }
  await command();
}
