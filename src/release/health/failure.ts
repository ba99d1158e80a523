/** Whether a revision has failed in a pool, or something else is to blame. Pure. */
import { isDraining } from '../../scheduling/nodes.ts';
import type { Deployment, ReleaseNode, Pod } from '../record/kube-objects.ts';
import type { Revision } from '../record/revision.ts';
import { poolFacts } from '../record/revision.ts';
import type { Workload } from '../state/view.ts';
import { podsOf } from '../state/target.ts';

export type HealthVerdict =
  | { kind: 'Progressing' }
  /** Not the version's fault: the deadline's clock stands still. */
  | { kind: 'Excused'; reason: string; message: string }
  | { kind: 'Failed'; reason: string; message: string };

/** Restarts after which a back-off is a crash loop and no hiccup. */
const CRASH_LOOP_RESTARTS = 3;

interface Case {
  workload: Workload;
  /** Those that run the revision. */
  pods: readonly Pod[];
  /** Those of them that answer for what they do. */
  own: readonly Pod[];
  nodes: ReadonlyMap<string, ReleaseNode>;
  deadline: number;
  clock: { start: string; stopped?: string } | undefined;
  now: number;
}

type HealthRule = (judged: Case) => HealthVerdict | undefined;

/** The first that applies decides: what a pod did itself, then what no version could help, then the time. */
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

/** Ended for good, as after an eviction: the record of it stays long after the pod was replaced. */
function hasEnded({ phase }: Pod): boolean {
  return phase === 'Failed' || phase === 'Succeeded';
}

/** More pods than the Deployment counts: some are of a namesake that was just deleted. */
function hasStrangers({ pods, deployment }: Workload): boolean {
  return pods.filter((pod) => !hasEnded(pod)).length > (deployment.status?.replicas ?? 0);
}

/** A pod of a deleted namesake, such as of the try before: cached pods may lag behind their Deployment. */
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

/** It will be evicted in a moment: on another node it has all of its time. */
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
        message: `container ${container.name} of pod ${pod.metadata.name} crashes again and again (${container.restartCount} restarts)`,
      };
    }
  }
  return undefined;
}

function imageMissing({ own }: Case): HealthVerdict | undefined {
  const message = pullProblems(own).find((problem) => MISSING.test(problem));
  return message === undefined ? undefined : { kind: 'Failed', reason: 'ImageMissing', message };
}

/** Time is up, but nothing has run that could have used it: controllers, scheduler or kubelets are late. */
function notStarted(judged: Case): HealthVerdict | undefined {
  const { workload, pods } = judged;
  if (!isLate(judged) || allReady(judged) || replicaFailure(workload.deployment) !== undefined) return undefined;
  if (pods.some(({ ready, startedAt }) => !ready && startedAt !== undefined)) return undefined;
  const pod = pods.find(({ ready }) => !ready);
  return {
    kind: 'Excused',
    reason: 'NotStarted',
    message: pod
      ? `pod ${pod.metadata.name}: no kubelet has taken it yet`
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

/** Also where the clock stands still, which it goes on doing for a cause that comes after another. */
function isLate({ workload, pods, deadline, clock, now }: Case): boolean {
  return clock !== undefined && (clock.stopped !== undefined || now >= deadlineOf(workload, pods, clock, deadline));
}

/** Late is then who should have switched, such as an operator that was down. */
function allReady({ workload, pods }: Case): boolean {
  return pods.filter(({ ready }) => ready).length >= (workload.deployment.spec.replicas ?? 0);
}

function whyNotReady(pods: readonly Pod[]): string {
  const [waiting] = pods.flatMap(({ containers }) => containers.flatMap((container) => container.waiting ?? []));
  return waiting?.reason === undefined ? '' : ` (${waiting.reason}${waiting.message ? `: ${waiting.message}` : ''})`;
}

/**
 * When the deadline ends (ms since the epoch). Time in which there was no Deployment is nobody's, and a pod that started
 * late, or replaces one that was evicted or drained, has all of it. A rolling update that gets on starts it anew, as a
 * Deployment's own progressDeadlineSeconds does; BlueGreen starts all pods at once, so it does not.
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
