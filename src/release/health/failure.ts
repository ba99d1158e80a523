/** Whether a revision has failed in a pool, or another cause keeps its pods from being ready. Pure. */
import { isDraining } from '../../scheduling/nodes.ts';
import type { Deployment, ReleaseNode, Pod } from '../record/kube-objects.ts';
import type { Revision } from '../record/revision.ts';
import { poolFacts } from '../record/revision.ts';
import type { Workload } from '../state/view.ts';
import { podsOf } from '../state/target.ts';

export type HealthVerdict =
  | { kind: 'Progressing' }
  /** The cause is not the version: the clock of the progress deadline stops. */
  | { kind: 'Excused'; reason: string; message: string }
  | { kind: 'Failed'; reason: string; message: string };

/** A back-off with fewer restarts does not count as a crash loop. */
const CRASH_LOOP_RESTARTS = 3;

interface Case {
  workload: Workload;
  /** The pods that run the revision. */
  pods: readonly Pod[];
  /** The pods whose crashes and missing images count as failures of the revision. */
  own: readonly Pod[];
  nodes: ReadonlyMap<string, ReleaseNode>;
  deadline: number;
  clock: { start: string; stopped?: string } | undefined;
  now: number;
}

type HealthRule = (judged: Case) => HealthVerdict | undefined;

/** The first rule that applies decides: failures of the pods, then causes outside the version, then the deadline. */
const RULES: readonly HealthRule[] = [
  crashLoop,
  imageMissing,
  nodeLost,
  nodeDraining,
  evicted,
  unschedulable,
  quotaExceeded,
  registryDown,
  notStarted,
  deadlinePassed,
];

export function judgeHealth(
  workload: Workload,
  revision: Revision,
  context: { nodes: readonly ReleaseNode[]; deadlineSeconds: number; now: number; clock?: Case['clock'] },
): HealthVerdict {
  const nodes = new Map(context.nodes.map((node) => [node.metadata.name, node]));
  const pods = podsOf(workload, revision);
  const judged: Case = {
    workload,
    pods,
    own: hasStrangers(workload) ? [] : pods.filter((pod) => !isLost(pod, nodes) && !isOlder(pod, workload)),
    nodes,
    deadline: context.deadlineSeconds * 1000,
    clock: context.clock ?? poolFacts(revision, workload.pool).clock,
    now: context.now,
  };
  for (const rule of RULES) {
    const verdict = rule(judged);
    if (verdict) return verdict;
  }
  return { kind: 'Progressing' };
}

/** Whether a pod has ended, for example by an eviction: the object stays long after another pod has replaced it. */
function hasEnded({ phase }: Pod): boolean {
  return phase === 'Failed' || phase === 'Succeeded';
}

/** Whether there are more pods than the Deployment counts: some belong to a deleted Deployment of the same name. */
function hasStrangers({ pods, deployment }: Workload): boolean {
  return pods.filter((pod) => !hasEnded(pod)).length > (deployment.status?.replicas ?? 0);
}

/** Whether a pod belongs to a deleted Deployment of the same name: the cache of pods may lag behind that of Deployments. */
function isOlder({ metadata }: Pod, { deployment }: Workload): boolean {
  return Date.parse(metadata.creationTimestamp) < Date.parse(deployment.metadata.creationTimestamp);
}

function isLost({ ready, nodeName }: Pod, nodes: Case['nodes']): boolean {
  return !ready && nodeName !== undefined && nodes.get(nodeName)?.ready === false;
}

function nodeLost({ pods, nodes }: Case): HealthVerdict | undefined {
  const pod = pods.find((candidate) => isLost(candidate, nodes));
  return (
    pod && {
      kind: 'Excused',
      reason: 'NodeNotReady',
      message: `pod ${pod.metadata.name}: node ${pod.nodeName ?? ''} is not ready`,
    }
  );
}

/** A pod on a node that is being drained is evicted soon: its replacement has the whole deadline. */
function nodeDraining({ pods, nodes }: Case): HealthVerdict | undefined {
  const pod = pods.find(({ ready, nodeName = '' }) => {
    const node = nodes.get(nodeName);
    return !ready && node !== undefined && isDraining(node);
  });
  return (
    pod && {
      kind: 'Excused',
      reason: 'NodeDraining',
      message: `pod ${pod.metadata.name}: node ${pod.nodeName ?? ''} is being drained`,
    }
  );
}

function evicted({ pods, workload }: Case): HealthVerdict | undefined {
  const running = workload.pods.filter((pod) => !hasEnded(pod)).length;
  if (running >= (workload.deployment.spec.replicas ?? 0)) return undefined;
  const pod = pods.find(({ phase, reason }) => phase === 'Failed' && reason === 'Evicted');
  return (
    pod && {
      kind: 'Excused',
      reason: 'Evicted',
      message: `pod ${pod.metadata.name} was evicted from node ${pod.nodeName ?? ''}`,
    }
  );
}

function unschedulable({ pods }: Case): HealthVerdict | undefined {
  const pod = pods.find((candidate) => candidate.unschedulable !== undefined);
  return (
    pod && { kind: 'Excused', reason: 'Unschedulable', message: `pod ${pod.metadata.name}: ${pod.unschedulable ?? ''}` }
  );
}

function quotaExceeded({ workload }: Case): HealthVerdict | undefined {
  const failure = replicaFailure(workload.deployment);
  return failure?.includes('exceeded quota')
    ? { kind: 'Excused', reason: 'QuotaExceeded', message: failure }
    : undefined;
}

function replicaFailure({ status }: Deployment): string | undefined {
  return status?.conditions?.find(({ type, status: is }) => type === 'ReplicaFailure' && is === 'True')?.message;
}

const PULL_REASONS = new Set(['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull']);
const MISSING = /not found|manifest unknown|name unknown|no match for platform|couldn't parse image/i;
const REGISTRY_DOWN =
  /\b(429|5\d\d)\b|too many requests|service unavailable|timeout|timed out|deadline exceeded|connection refused|no such host|i\/o|EOF/i;

function pullProblems(pods: readonly Pod[]): string[] {
  return pods.flatMap(({ metadata, containers }) =>
    containers.flatMap(({ waiting }) =>
      waiting && PULL_REASONS.has(waiting.reason ?? '')
        ? [`pod ${metadata.name}: ${waiting.message ?? waiting.reason ?? ''}`]
        : [],
    ),
  );
}

function registryDown({ pods }: Case): HealthVerdict | undefined {
  const message = pullProblems(pods).find((problem) => !MISSING.test(problem) && REGISTRY_DOWN.test(problem));
  return message === undefined ? undefined : { kind: 'Excused', reason: 'RegistryUnavailable', message };
}

function crashLoop({ own }: Case): HealthVerdict | undefined {
  for (const pod of own) {
    const container = pod.containers.find(
      ({ waiting, restartCount }) => waiting?.reason === 'CrashLoopBackOff' && restartCount >= CRASH_LOOP_RESTARTS,
    );
    if (container) {
      return {
        kind: 'Failed',
        reason: 'CrashLoop',
        message: `container ${container.name} of pod ${pod.metadata.name} crashes repeatedly (${container.restartCount} restarts)`,
      };
    }
  }
  return undefined;
}

function imageMissing({ own }: Case): HealthVerdict | undefined {
  const message = pullProblems(own).find((problem) => MISSING.test(problem));
  return message === undefined ? undefined : { kind: 'Failed', reason: 'ImageMissing', message };
}

/** The deadline has passed, but no pod has started: controllers, scheduler or kubelets are late. */
function notStarted(judged: Case): HealthVerdict | undefined {
  const { workload, pods } = judged;
  if (!isLate(judged) || allReady(judged) || replicaFailure(workload.deployment) !== undefined) return undefined;
  if (pods.some(({ ready, startedAt }) => !ready && startedAt !== undefined)) return undefined;
  const pod = pods.find(({ ready }) => !ready);
  return {
    kind: 'Excused',
    reason: 'NotStarted',
    message: pod
      ? `pod ${pod.metadata.name}: no kubelet has started it yet`
      : `${pods.length} of ${workload.deployment.spec.replicas ?? 0} pods exist`,
  };
}

function deadlinePassed(judged: Case): HealthVerdict | undefined {
  const { workload, pods, deadline, clock } = judged;
  if (!isLate(judged) || clock?.stopped !== undefined || allReady(judged)) return undefined;
  const replicas = workload.deployment.spec.replicas ?? 0;
  const ready = pods.filter((pod) => pod.ready).length;
  return {
    kind: 'Failed',
    reason: 'ProgressDeadlineExceeded',
    message:
      replicaFailure(workload.deployment) ??
      `${ready} of ${replicas} pods are ready after ${deadline / 1000} s${whyNotReady(pods)}`,
  };
}

/** Also true while the clock is stopped, so that a second outside cause after the first keeps it stopped. */
function isLate({ workload, pods, deadline, clock, now }: Case): boolean {
  return clock !== undefined && (clock.stopped !== undefined || now >= deadlineOf(workload, pods, clock, deadline));
}

/** If all pods are ready and the deadline has passed, the switch is late, for example because the operator was down. */
function allReady({ workload, pods }: Case): boolean {
  return pods.filter(({ ready }) => ready).length >= (workload.deployment.spec.replicas ?? 0);
}

function whyNotReady(pods: readonly Pod[]): string {
  const [waiting] = pods.flatMap(({ containers }) => containers.flatMap((container) => container.waiting ?? []));
  return waiting?.reason === undefined ? '' : ` (${waiting.reason}${waiting.message ? `: ${waiting.message}` : ''})`;
}

/**
 * When the deadline ends (ms since the epoch). It counts from the latest of: the start of the clock, the creation of the
 * Deployment, and the start of the oldest pod that is not ready, so that a replacement of an evicted pod has the whole
 * deadline. Progress of a rolling update restarts it, as with a Deployment's progressDeadlineSeconds; BlueGreen starts all
 * pods at once, so its progress does not.
 */
export function deadlineOf(
  { deployment, strategy }: Workload,
  pods: readonly Pod[],
  clock: { start: string },
  deadline: number,
): number {
  const progress = deployment.status?.conditions?.find(
    ({ type, status }) => type === 'Progressing' && status === 'True',
  );
  const moved = strategy === 'RollingUpdate' ? Date.parse(progress?.lastUpdateTime ?? '') || 0 : 0;
  const running = pods.filter((pod) => !hasEnded(pod));
  const starts = running.flatMap(({ ready, startedAt }) => (ready ? [] : Date.parse(startedAt ?? '') || []));
  const isComplete = starts.length > 0 && running.length >= (deployment.spec.replicas ?? 0);
  const oldest = isComplete ? Math.min(...starts) : 0;
  return Math.max(Date.parse(clock.start), Date.parse(deployment.metadata.creationTimestamp), moved, oldest) + deadline;
}
