/** The status of a VMPool, computed from its VMs and their pods. Pure. */
import { LABEL } from '../api/meta.ts';
import type { Tenants, VmPool, VmPoolStatus } from '../api/vm-pool.ts';
import { conditionIs, withConditions } from '../api/conditions.ts';
import { oldestBoots } from './boots.ts';
import { poolConditions } from './conditions.ts';
import type { PoolFigures, PoolUse } from './figures.ts';
import { poolFigures } from './figures.ts';
import type { ReleaseTraffic } from './evacuated.ts';
import { maintenanceOf } from './maintenance.ts';
import type { PoolMembers } from './members.ts';
import { sharedMembers } from './members.ts';
import { isOpen } from '../scheduling/nodes.ts';
import type { Node, PlacedPod } from '../scheduling/objects.ts';
import type { Resources } from '../scheduling/quantity.ts';
import { formatResource } from '../scheduling/quantity.ts';
import type { Neighbours } from './trespass.ts';
import { trespassers } from './trespass.ts';
import { countBy, shortForm } from './versions.ts';

export interface VmPoolView {
  pool: VmPool;
  /** The members of all pools (poolMembers). */
  members: ReadonlyMap<string, PoolMembers>;
  nodeOf: (name: string) => Node | undefined;
  /** The pods on a node, of any owner. Absent if not all pods are known. */
  podsOn?: (node: string) => readonly PlacedPod[];
  neighbours: Neighbours;
  /** What the releases with the pool say about their traffic there; needed while it is in maintenance. */
  traffic?: readonly ReleaseTraffic[];
}

/** The status, and its numbers for metrics. */
export interface PoolOutcome {
  status: VmPoolStatus;
  figures: PoolFigures;
  /** The number of pods of namespaces that are no tenants. Absent if not all pods are known. */
  trespassing?: number;
}

const ZONE = 'topology.kubernetes.io/zone';
const GIB = 2 ** 30;
/** Limits of the API for the lists. */
const MAX_ZONES = 32;
const MAX_RELEASES = 128;
const MAX_VERSIONS = 8;
/** Maximum number of tenants in the printer column. */
const MAX_TENANTS = 4;

export function poolStatus(view: VmPoolView, now: number): VmPoolStatus {
  return poolOutcome(view, now).status;
}

export function poolOutcome(view: VmPoolView, now: number): PoolOutcome {
  const { pool, members, nodeOf, podsOn, neighbours, traffic = [] } = view;
  const { metadata, spec, status: before } = pool;
  const maintenance = maintenanceOf(pool);
  const { selector, nodes: names = [] } = members.get(metadata.name) ?? {};
  const nodes = names.map(nodeOf).filter((node) => node !== undefined);
  const pods = podsOn && nodes.flatMap((node) => podsOn(node.metadata.name));
  const figures = poolFigures(nodes, pods);
  const shared = sharedMembers(metadata.name, members);
  const strangers = pods && trespassers(spec.tenants, pods, neighbours);
  const drafts = poolConditions({
    name: metadata.name,
    selector,
    nodes,
    counts: figures.nodes,
    shared,
    isClosed: spec.tenants !== undefined,
    ...(strangers && { strangers }),
    ...(maintenance && { maintenance }),
    traffic,
  });
  const [poolLabel] = spec.nodeSelector ? [] : Object.keys(selector ?? {});
  const status: VmPoolStatus = {
    ...(metadata.generation !== undefined && { observedGeneration: metadata.generation }),
    conditions: withConditions(before?.conditions, drafts, now, metadata.generation),
    ...(poolLabel !== undefined && { poolLabel }),
    nodes: { ...figures.nodes, zones: zones(nodes) },
    readyNodes: `${figures.nodes.ready}/${figures.nodes.total}`,
    capacity: amounts(figures.capacity),
    allocatable: amounts(figures.allocatable),
    overhead: amounts(figures.overhead),
    ...(pods && { releases: releases(pods) }),
    ...(figures.use && used(figures, figures.use)),
    ...versions(nodes),
    oldestBoots: oldestBoots(before?.oldestBoots, nodes, now),
    tenants: tenantsText(spec.tenants),
  };
  return { status, figures, ...(strangers && { trespassing: strangers.length }) };
}

/** Whether the change must be written at once, unlike numbers that change with the pods. */
export function hasTurned(before: VmPoolStatus | undefined, after: VmPoolStatus): boolean {
  const counts = ['total', 'ready', 'draining', 'notReady'] as const;
  return (
    before?.observedGeneration !== after.observedGeneration ||
    before?.poolLabel !== after.poolLabel ||
    counts.some((count) => before?.nodes?.[count] !== after.nodes?.[count]) ||
    (after.conditions ?? []).some(({ type, status }) => !conditionIs(before?.conditions, type, status))
  );
}

function used({ nodes, allocatable }: PoolFigures, use: PoolUse): Partial<VmPoolStatus> {
  const cpuRequested = percent(use.requested.cpu, allocatable.cpu);
  const memoryRequested = percent(use.requested.memory, allocatable.memory);
  const gib = (use.requested.memory ?? 0) / GIB;
  return {
    pods: use.pods,
    requested: amounts(use.requested),
    limits: amounts(use.limits),
    waste: amounts(use.waste),
    ...(nodes.total > 0 && {
      density: {
        podsPerNode: rounded(use.pods / nodes.total),
        ...(gib > 0 && { podsPerGiB: rounded(use.pods / gib) }),
      },
    }),
    ...(cpuRequested !== undefined && { cpuRequested }),
    ...(memoryRequested !== undefined && { memoryRequested }),
  };
}

function amounts({ cpu, memory, pods }: Resources): NonNullable<VmPoolStatus['capacity']> {
  return {
    ...(cpu !== undefined && { cpu: formatResource('cpu', cpu) }),
    ...(memory !== undefined && { memory: formatResource('memory', memory) }),
    ...(pods !== undefined && { pods: formatResource('pods', pods) }),
  };
}

function percent(part = 0, whole = 0): string | undefined {
  return whole > 0 ? `${Math.round((100 * part) / whole)}%` : undefined;
}

function rounded(value: number): string {
  return String(Number(value.toFixed(value < 10 ? 2 : 1)));
}

function zones(nodes: readonly Node[]): NonNullable<NonNullable<VmPoolStatus['nodes']>['zones']> {
  return [...Map.groupBy(nodes, ({ metadata }) => metadata.labels[ZONE] ?? '')]
    .map(([name, own]) => ({ name, total: own.length, ready: own.filter(isOpen).length }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .slice(0, MAX_ZONES);
}

function versions(nodes: readonly Node[]): Partial<VmPoolStatus> {
  const osImages = countBy(nodes, 'osImage');
  const kernels = countBy(nodes, 'kernelVersion');
  const kubelets = countBy(nodes, 'kubeletVersion');
  const [os, kernel, kubelet] = [osImages, kernels, kubelets].map(shortForm);
  return {
    osImages,
    kernels,
    kubelets,
    containerRuntimes: countBy(nodes, 'containerRuntimeVersion'),
    architectures: countBy(nodes, 'architecture'),
    ...(os !== undefined && { os }),
    ...(kernel !== undefined && { kernel }),
    ...(kubelet !== undefined && { kubelet }),
  };
}

function releases(pods: readonly PlacedPod[]): NonNullable<VmPoolStatus['releases']> {
  const ours = pods.filter(({ metadata }) => metadata.labels?.[LABEL.release] !== undefined);
  const byRelease = Map.groupBy(ours, ({ metadata }) => `${metadata.namespace}/${metadata.labels?.[LABEL.release]}`);
  return [...byRelease]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, MAX_RELEASES)
    .map(([key, own]) => {
      const [namespace = '', name = ''] = key.split('/');
      const named = own.map(({ metadata }) => metadata.labels?.[LABEL.version]).filter((one) => one !== undefined);
      return { namespace, name, versions: [...new Set(named)].toSorted().slice(0, MAX_VERSIONS), pods: own.length };
    });
}

/** "shop,bank", "selected", "everybody", "nobody". */
function tenantsText(tenants: Tenants | undefined): string {
  if (!tenants) return 'everybody';
  const { namespaces = [], namespaceSelector } = tenants;
  const more = namespaces.length - MAX_TENANTS;
  const named = [...namespaces.slice(0, MAX_TENANTS), ...(more > 0 ? [`+${more}`] : [])];
  return [...named, ...(namespaceSelector ? ['selected'] : [])].join(',') || 'nobody';
}
