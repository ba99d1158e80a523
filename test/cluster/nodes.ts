// Simulated VM nodes.
import { kubeletLabel } from './stages.ts';
import type { ClusterAccess, NodeGroup, SimulatedNodeInfo } from './types.ts';
import { waitFor } from './processes.ts';

type Kubectl = Pick<ClusterAccess, 'kubectl'>;

const defaultCapacity = { cpu: '4', memory: '16Gi', pods: '110', 'ephemeral-storage': '100Gi' };

const defaultNodeInfo: SimulatedNodeInfo = {
  osImage: 'Debian GNU/Linux 12 (bookworm)',
  kernelVersion: '6.1.0-37-cloud-amd64',
  kubeletVersion: 'v1.36.3',
  containerRuntimeVersion: 'containerd://2.2.1',
};

/** Four pools of two VMs each; the VMs have their pool's taint. */
export const standardPools: readonly NodeGroup[] = ['canary-vms', 'prod-a', 'prod-b', 'prod-c'].map((pool) => ({
  name: pool,
  count: 2,
  labels: { 'apprelease.dev/pool': pool },
  taints: [{ key: 'apprelease.dev/pool', value: pool, effect: 'NoSchedule' }],
}));

/** Creates the nodes and waits until they are Ready and schedulable; returns their names. */
export async function addNodes(cluster: Kubectl, ...groups: readonly NodeGroup[]): Promise<string[]> {
  const nodes = groups.flatMap((group) => Array.from({ length: group.count }, (_, index) => makeNode(group, index)));
  await cluster.kubectl(['create', '-f', '-'], {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: nodes }),
  });
  const names = nodes.map((node) => node.metadata.name);
  await waitFor('schedulable nodes', async () => (await schedulable(cluster, names)).every(Boolean), {
    timeoutSeconds: 60,
  });
  return names;
}

/**
 * Stops the kubelet of a node, as when its VM dies, or starts it again; waits until the node's Ready condition says so.
 * The node controller taints the node, and evicts its pods after their tolerationSeconds, as in any cluster.
 */
export async function setNodeReady(cluster: Kubectl, name: string, ready: boolean): Promise<void> {
  const node = `node/${name}`;
  await cluster.kubectl(['label', node, ready ? `${kubeletLabel}=running` : `${kubeletLabel}-`, '--overwrite']);
  if (!ready) await reportSilence(cluster, name);
  await cluster.kubectl(['wait', node, `--for=condition=Ready=${ready ? 'True' : 'Unknown'}`, '--timeout=60s']);
}

/**
 * Writes what the node controller would write when it has missed heartbeats for --node-monitor-grace-period. A grace
 * period short enough for tests would make nodes fail at random on a busy machine.
 */
async function reportSilence(cluster: Kubectl, name: string): Promise<void> {
  const lastTransitionTime = new Date().toISOString();
  const unknown = { type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown', lastTransitionTime };
  await patchStatus(cluster, ['node', name], unknown);
  const output = await cluster.kubectl([
    'get',
    'pods',
    '--all-namespaces',
    `--field-selector=spec.nodeName=${name}`,
    '--output=json',
  ]);
  const pods = (JSON.parse(output) as { items: { metadata: { name: string; namespace: string } }[] }).items;
  const notReady = { type: 'Ready', status: 'False', reason: 'NodeNotReady', lastTransitionTime };
  for (const [namespace, group] of Map.groupBy(pods, (pod) => pod.metadata.namespace)) {
    const names = group.map((pod) => pod.metadata.name);
    await patchStatus(cluster, ['pod', ...names, `--namespace=${namespace}`], notReady);
  }
}

async function patchStatus(cluster: Kubectl, target: readonly string[], condition: object): Promise<void> {
  const patch = JSON.stringify({ status: { conditions: [condition] } });
  await cluster.kubectl(['patch', ...target, '--subresource=status', '--patch', patch]);
}

async function schedulable(cluster: Kubectl, names: readonly string[]): Promise<boolean[]> {
  const output = await cluster.kubectl(['get', 'nodes', ...names, '--output=json']);
  const list = JSON.parse(output) as { items?: NodeObject[] };
  // One name yields the object itself, not a list.
  const nodes = list.items ?? [list as NodeObject];
  return nodes.map(
    ({ spec, status }) =>
      status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True') &&
      !(spec.taints ?? []).some(({ key }) => key.startsWith('node.kubernetes.io/')),
  );
}

interface NodeObject {
  readonly spec: { readonly taints?: readonly { readonly key: string }[] };
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
}

function makeNode(group: NodeGroup, index: number) {
  const name = `${group.name}-${index}`;
  const capacity = { ...defaultCapacity, ...group.capacity };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        'topology.kubernetes.io/region': 'region-1',
        'topology.kubernetes.io/zone': `zone-${index % 3}`,
        [kubeletLabel]: 'running',
        ...group.labels,
      },
    },
    spec: { taints: group.taints ?? [] },
    // A kubelet registers its node together with its status, too.
    status: {
      capacity,
      allocatable: capacity,
      addresses: [
        { type: 'InternalIP', address: addressOf(name) },
        { type: 'Hostname', address: name },
      ],
      nodeInfo: {
        ...defaultNodeInfo,
        architecture: 'amd64',
        operatingSystem: 'linux',
        bootID: '',
        machineID: name,
        systemUUID: name,
        kubeProxyVersion: '',
        ...group.nodeInfo,
      },
    },
  };
}

/** An address in 172.16.0.0/12 that depends only on the name. */
function addressOf(name: string): string {
  let hash = 0;
  for (const char of name) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) % 2 ** 20;
  return [172, 16 + (hash >> 16), (hash >> 8) & 255, hash & 255].join('.');
}
