/** The part of a pod template that the scheduler's filters read. Pure. */
import type { PodTemplate, Toleration } from '../api/app-release.ts';
import { own } from '../lib/own.ts';
import { isPassing } from './nodes.ts';
import type { Node, Taint } from './objects.ts';
import type { Resources } from './quantity.ts';
import type { RequestingPodSpec } from './requests.ts';
import { podRequests } from './requests.ts';
import { matchesSelector } from './select.ts';

export interface Requirement {
  key: string;
  operator: string;
  values?: string[];
}

export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: Requirement[];
}

interface NodeTerm {
  matchExpressions?: Requirement[];
  matchFields?: Requirement[];
}

/** core/v1 TopologySpreadConstraint. */
export interface Spread {
  topologyKey: string;
  maxSkew: number;
  minDomains?: number;
  whenUnsatisfiable?: string;
  labelSelector?: LabelSelector;
  matchLabelKeys?: string[];
  nodeAffinityPolicy?: string;
  nodeTaintsPolicy?: string;
}

export interface PodShape {
  requests: Resources;
  labels: Readonly<Record<string, string>>;
  nodeSelector: Readonly<Record<string, string>>;
  tolerations: readonly Toleration[];
  /** The terms; one of them must match. Without terms, every node matches. */
  nodeTerms: readonly NodeTerm[] | undefined;
  /** The constraints that keep a pod pending. */
  spreads: readonly Spread[];
}

interface PlacedSpec extends RequestingPodSpec {
  nodeSelector?: Record<string, string>;
  tolerations?: Toleration[];
  affinity?: {
    nodeAffinity?: { requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms?: NodeTerm[] } };
  };
  topologySpreadConstraints?: Spread[];
}

export function podShape({ metadata, spec }: PodTemplate): PodShape {
  const { nodeSelector = {}, tolerations = [], affinity, topologySpreadConstraints = [] } = spec as PlacedSpec;
  return {
    requests: podRequests(spec),
    labels: metadata?.labels ?? {},
    nodeSelector,
    tolerations,
    nodeTerms: affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms,
    spreads: topologySpreadConstraints.filter(({ whenUnsatisfiable }) => whenUnsatisfiable !== 'ScheduleAnyway'),
  };
}

/** Whether a pod may run there, apart from resources. */
export function admits(node: Node, shape: PodShape): boolean {
  return isSelected(node, shape) && toleratesTaints(node, shape);
}

/** Whether the VM is for such pods, whatever its current state. */
export function isFor(node: Node, shape: PodShape): boolean {
  const steady = { ...node, unschedulable: false, taints: node.taints.filter((taint) => !isPassing(taint)) };
  return admits(steady, shape);
}

/** Matches nodeSelector and required node affinity. */
export function isSelected(node: Node, { nodeSelector, nodeTerms }: PodShape): boolean {
  return matchesSelector(node, nodeSelector) && (nodeTerms?.some((term) => termHolds(node, term)) ?? true);
}

const CORDONED: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

/** PreferNoSchedule keeps nothing out. A cordoned node counts as tainted even before it has the taint. */
export function toleratesTaints({ taints, unschedulable }: Node, shape: PodShape): boolean {
  return [...taints, ...(unschedulable ? [CORDONED] : [])].every((taint) => !isKeptOutBy(taint, shape));
}

/** Whether a taint keeps the pods off its VM. */
export function isKeptOutBy(taint: Taint, { tolerations }: PodShape): boolean {
  const isHard = taint.effect === 'NoSchedule' || taint.effect === 'NoExecute';
  return isHard && !tolerations.some((toleration) => tolerates(toleration, taint));
}

/** (https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/); Lt and Gt compare whole numbers (KEP-5471). */
export function tolerates({ key = '', operator = 'Equal', value = '', effect }: Toleration, taint: Taint): boolean {
  if (effect !== undefined && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  switch (operator) {
    case 'Exists':
      return true;
    case 'Lt':
      return Number(taint.value) < Number(value);
    case 'Gt':
      return Number(taint.value) > Number(value);
    default:
      return value === (taint.value ?? '');
  }
}

/** A term without any requirement matches no node. */
function termHolds({ metadata }: Node, { matchExpressions = [], matchFields = [] }: NodeTerm): boolean {
  return (
    matchExpressions.length + matchFields.length > 0 &&
    matchExpressions.every((requirement) => holds(requirement, metadata.labels)) &&
    matchFields.every((requirement) => holds(requirement, { 'metadata.name': metadata.name }))
  );
}

export function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  return (
    Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
    (selector.matchExpressions ?? []).every((requirement) => holds(requirement, labels))
  );
}

function holds({ key, operator, values = [] }: Requirement, labels: Readonly<Record<string, string>>): boolean {
  const value = own(labels, key);
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}
