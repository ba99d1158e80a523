// The second disk of a machine, read by guest/machine, which makes it a node of the kind cluster.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { controlPlane, hostsFile, podNetwork, POD_SUBNET, type KindCluster } from '../kind/cluster.ts';
import { execute, NETWORK, type Engine } from '../kind/engine.ts';

/** The bridge of the machines. */
export interface Site {
  readonly bridge: string;
  readonly gateway: string;
  /** Of the control plane. */
  readonly controlPlane: string;
  /** Unused addresses, with the prefix length of the network. */
  readonly free: readonly string[];
}

export interface Member {
  readonly name: string;
  /** The address with its prefix length. */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly { readonly key: string; readonly value: string; readonly effect: string }[];
  /** Registries with plain HTTP, HOST:PORT. */
  readonly registries: readonly string[];
}

interface PodmanNetwork {
  readonly network_interface: string;
  readonly subnets: readonly { readonly subnet: string; readonly gateway: string }[];
}

export async function findSite({ engine, gateway, nodes }: KindCluster): Promise<Site> {
  const [network] = JSON.parse(await engine.run(['network', 'inspect', NETWORK])) as PodmanNetwork[];
  const own = network?.subnets.find((subnet) => subnet.gateway === gateway);
  if (!network || !own) throw new Error(`${engine.name} says nothing of the network ${NETWORK}`);
  const [base = '', prefix = ''] = own.subnet.split('/');
  const taken = new Map<string, string>();
  for (const node of nodes) {
    const addresses = (await engine.run(['exec', node, 'hostname', '--ip-address'])).split(/\s/);
    taken.set(node, addresses.find((address) => address.includes('.')) ?? '');
  }
  // The engine assigns addresses from the start of the network.
  const last = Array.from({ length: 100 }, (_, index) => base.replace(/\d+$/, String(254 - index)));
  const used = new Set(taken.values());
  return {
    bridge: network.network_interface,
    gateway,
    controlPlane: taken.get(controlPlane) ?? '',
    free: last.filter((address) => !used.has(address)).map((address) => `${address}/${prefix}`),
  };
}

/** Writes the archive; its token is valid for a day. */
export async function writeSeed(engine: Engine, site: Site, member: Member, archive: string): Promise<void> {
  const files: Record<string, string> = {
    'etc/machine.env': environment(site, member),
    'etc/hosts': `127.0.0.1 localhost\n${site.controlPlane} ${controlPlane}\n`,
    'etc/kubernetes/join.yaml': stringify(await joinConfiguration(engine, member)),
    'etc/machine.conflist': JSON.stringify(podNetwork('POD_CIDR')),
    ...Object.fromEntries(
      member.registries.map((host) => [`etc/containerd/certs.d/${host}/hosts.toml`, hostsFile(host)]),
    ),
  };
  const dir = await mkdtemp(join(tmpdir(), 'machine-seed-'));
  try {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(dir, path)), { recursive: true });
      await writeFile(join(dir, path), content);
    }
    await execute('tar', ['--create', `--directory=${dir}`, `--file=${archive}`, 'etc']);
  } finally {
    await rm(dir, { recursive: true });
  }
}

function environment(site: Site, { name, address }: Member): string {
  const variables = {
    NAME: name,
    ADDRESS: address,
    GATEWAY: site.gateway,
    CONTROL_PLANE: site.controlPlane,
    POD_SUBNET,
  };
  return Object.entries(variables)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

/** https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/ */
async function joinConfiguration(engine: Engine, member: Member): Promise<object> {
  const command = await engine.run(['exec', controlPlane, 'kubeadm', 'token', 'create', '--print-join-command']);
  const [, apiServerEndpoint, token, caCertHash] =
    /join (\S+) --token (\S+) --discovery-token-ca-cert-hash (\S+)/.exec(command) ?? [];
  const labels = Object.entries(member.labels).map(([key, value]) => `${key}=${value}`);
  return {
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'JoinConfiguration',
    discovery: { bootstrapToken: { apiServerEndpoint, token, caCertHashes: [caCertHash] } },
    nodeRegistration: {
      name: member.name,
      criSocket: 'unix:///run/containerd/containerd.sock',
      taints: member.taints,
      kubeletExtraArgs: [{ name: 'node-labels', value: labels.join(',') }],
    },
  };
}
