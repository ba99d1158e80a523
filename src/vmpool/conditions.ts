/** The conditions of a VMPool (CONDITIONS has their meanings). Pure. */
import type { ConditionDraft } from '../api/conditions.ts';
import type { NodeCounts } from './figures.ts';
import type { PoolMembers } from './members.ts';
import { isDraining, isOpen, skewsOf } from '../scheduling/nodes.ts';
import type { Node, PlacedPod } from '../scheduling/objects.ts';
import type { ReleaseTraffic } from './evacuated.ts';
import { evacuated } from './evacuated.ts';
import { listed } from './listed.ts';
import type { Maintenance } from './maintenance.ts';
import { countBy } from './versions.ts';

export interface PoolSituation {
  name: string;
  selector: PoolMembers['selector'];
  nodes: readonly Node[];
  counts: NodeCounts;
  /** The other pools that match the same VMs. */
  shared: readonly { pool: string; nodes: number }[];
  /** Whether the pool has tenants. */
  isClosed: boolean;
  /** The pods of namespaces that are no tenants. Absent if not all pods are known. */
  strangers?: readonly PlacedPod[];
  maintenance?: Maintenance;
  /** What each release with the pool says about its traffic there. */
  traffic: readonly ReleaseTraffic[];
}

export function poolConditions(situation: PoolSituation): ConditionDraft[] {
  const { nodes, shared } = situation;
  return [
    ready(situation),
    draining(nodes),
    skewed(nodes),
    overlapping(shared),
    empty(situation),
    trespassed(situation),
    evacuated(situation),
  ];
}

function ready(situation: PoolSituation): ConditionDraft {
  const type = 'Ready';
  const { nodes, counts } = situation;
  if (counts.total === 0) return { type, status: 'False', reason: 'NoNodes', message: whyEmpty(situation) };
  if (counts.ready === counts.total) {
    return { type, status: 'True', reason: 'NodesReady', message: `${vms(counts.total)} ready for pods` };
  }
  const closed = nodes.filter((node) => !isOpen(node));
  const message = `${counts.ready} of ${vms(counts.total)} ready for pods; not ready: ${listed(closed.map(closedNode))}`;
  return { type, status: 'False', reason: 'NodesNotReady', message };
}

function closedNode(node: Node): string {
  return isDraining(node) ? `${node.metadata.name} (draining)` : node.metadata.name;
}

function draining(nodes: readonly Node[]): ConditionDraft {
  const leaving = nodes.filter(isDraining).map((node) => node.metadata.name);
  if (leaving.length === 0) {
    return { type: 'Draining', status: 'False', reason: 'NotDraining', message: 'no VM is cordoned or being removed' };
  }
  const message = `cordoned or being removed: ${listed(leaving)}`;
  return { type: 'Draining', status: 'True', reason: 'NodesDraining', message };
}

const KINDS = { osImage: 'operating systems', kernelVersion: 'kernels', kubeletVersion: 'kubelets' } as const;

function skewed(nodes: readonly Node[]): ConditionDraft {
  const skews = skewsOf(nodes);
  if (skews.length === 0) {
    return { type: 'Skewed', status: 'False', reason: 'NotSkewed', message: 'all VMs run the same versions' };
  }
  const message = skews
    .map(({ field, platform, nodes: compared }) => {
      const of = platform === undefined || compared.length === nodes.length ? '' : ` of ${platform}`;
      const versions = countBy(compared, field).map(({ name, nodes: count }) => `${name} on ${count}`);
      return `${KINDS[field]}${of}: ${listed(versions)}`;
    })
    .join('; ');
  return { type: 'Skewed', status: 'True', reason: 'VersionsDiffer', message };
}

function overlapping(shared: PoolSituation['shared']): ConditionDraft {
  if (shared.length === 0) {
    return {
      type: 'Overlapping',
      status: 'False',
      reason: 'NotOverlapping',
      message: 'no other pool matches these VMs',
    };
  }
  const pools = listed(shared.map(({ pool, nodes }) => `${pool} (${nodes === 1 ? '1 VM' : `${nodes} VMs`})`));
  return { type: 'Overlapping', status: 'True', reason: 'SharedNodes', message: `shared with ${pools}` };
}

function empty(situation: PoolSituation): ConditionDraft {
  const { counts } = situation;
  return counts.total === 0
    ? { type: 'Empty', status: 'True', reason: 'NoNodes', message: whyEmpty(situation) }
    : { type: 'Empty', status: 'False', reason: 'NotEmpty', message: `${vms(counts.total)} matched` };
}

function trespassed({ name, isClosed, strangers }: PoolSituation): ConditionDraft {
  const type = 'Trespassed';
  if (!isClosed) {
    return { type, status: 'False', reason: 'NoForeignPods', message: 'every namespace may use the pool' };
  }
  if (!strangers) {
    const message = 'the operator watches some namespaces only, and does not know the pods of the others';
    return { type, status: 'Unknown', reason: 'PodsUnknown', message };
  }
  if (strangers.length === 0) {
    return { type, status: 'False', reason: 'NoForeignPods', message: 'all pods on the VMs are of tenants' };
  }
  const namespaces = Map.groupBy(strangers, ({ metadata }) => metadata.namespace);
  const counted = listed([...namespaces].map(([namespace, pods]) => `${namespace} (${pods.length})`));
  const pods = listed(strangers.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`));
  const message = `pods of namespaces that are no tenants run on the VMs: ${counted}; delete ${pods}, or add the namespaces to spec.tenants of VMPool ${name}`;
  return { type, status: 'True', reason: 'ForeignPods', message };
}

function whyEmpty({ name, selector }: PoolSituation): string {
  if (!selector) return `no VM has a cloud label that names the pool ${name}: set spec.nodeSelector`;
  const labels = Object.entries(selector).map(([key, value]) => `${key}=${value}`);
  return `no VM has ${labels.toSorted().join(', ')}`;
}

function vms(count: number): string {
  return count === 1 ? '1 VM is' : `${count} VMs are`;
}
