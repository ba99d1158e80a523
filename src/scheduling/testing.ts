/** Builders for unit tests of pools. */
import type { VmPool, VmPoolSpec, VmPoolStatus } from '../api/vm-pool.ts';
import type { Shortage } from './fit.ts';
import type { Demand } from './demand.ts';
import { countRoom } from './fit.ts';
import type { Node, NodeInfo, PlacedPod } from './objects.ts';

const GIB = 2 ** 30;
const INFO: NodeInfo = {
  osImage: 'Debian GNU/Linux 12 (bookworm)',
  kernelVersion: '6.1.0-37-cloud-amd64',
  kubeletVersion: 'v1.36.3',
  containerRuntimeVersion: 'containerd://2.2.1',
  architecture: 'amd64',
  operatingSystem: 'linux',
  bootID: '',
};

interface NodeChanges extends Partial<Omit<Node, 'metadata' | 'info'>> {
  labels?: Readonly<Record<string, string>>;
  deletionTimestamp?: string;
  info?: Partial<NodeInfo>;
}

/** A VM of 4 cores and 16 GiB, all allocatable. */
export function vm(name: string, { labels = {}, deletionTimestamp, info, ...more }: NodeChanges = {}): Node {
  const capacity = { cpu: 4000, memory: 16 * GIB, pods: 110 };
  return {
    metadata: {
      name,
      uid: `uid-${name}`,
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels,
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    },
    ready: true,
    unschedulable: false,
    taints: [],
    capacity,
    allocatable: capacity,
    images: [],
    imagesTruncated: false,
    info: { ...INFO, ...info },
    ...more,
  };
}

export function vmPool(name: string, spec: VmPoolSpec = {}, status?: VmPoolStatus): VmPool {
  return {
    metadata: {
      name,
      uid: `uid-${name}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec,
    ...(status && { status }),
  };
}

export function placedPod(nodeName: string, name: string, more: Partial<PlacedPod> = {}): PlacedPod {
  return {
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion: '1' },
    nodeName,
    requests: {},
    limits: {},
    ...more,
  };
}

/** A node by its name, for views. */
export function nodeOf(nodes: readonly Node[]): (name: string) => Node | undefined {
  return (name) => nodes.find(({ metadata }) => metadata.name === name);
}

/** The first demand that finds too little room, with all demands together. */
export function shortage(demands: readonly Demand[], reserved: readonly Demand[] = []): Shortage | undefined {
  const { kind, ...found } = countRoom(demands, reserved);
  return kind === 'Short' ? (found as Shortage) : undefined;
}
