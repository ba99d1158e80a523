/** Whether a revision has failed in a pool, or another cause keeps its pods from being ready. Pure. */
import { firstOf } from '../../lib/first-of.ts';
import { isBeingDrained } from '../../scheduling/work.ts';
import { shortened } from '../../lib/shortened.ts';
import type { Deployment, ReleaseNode, Pod } from '../record/kube-objects.ts';
import type { Revision } from '../record/revision.ts';
import { poolFacts } from '../record/revision.ts';
import type { PoolView, View, Workload } from '../state/view.ts';
import { podsOf } from '../state/target.ts';
import { containerProblem, NOT_READY, podProblem, startOf } from './pod-problem.ts';

export type HealthVerdict =
  | { kind: 'Progressing' }
  /**
   * The cause is not the version. `stopsClock`: the cause excuses every pod that is not ready, so the clock of the progress
   * deadline stops.
   */
  | { kind: 'Excused'; reason: string; message: string; stopsClock: boolean }
  | { kind: 'Failed'; reason: string; message: string };

/** A back-off with fewer restarts does not count as a crash loop. */
const CRASH_LOOP_RESTARTS = 3;

interface Case {
  workload: Workload;
  /** The pods that run the revision. */
  pods: readonly Pod[];
  /** The pods whose crashes and missing images count as failures of the revision. */
  own: readonly Pod[];
  /** The started pods that are not ready for no cause outside the version. The deadline counts for them alone. */
  suspects: readonly Pod[];
  nodes: ReadonlyMap<string, ReleaseNode>;
  deadline: number;
  clock: { start: string; stopped?: string } | undefined;
  now: number;
}

interface Finding {
  reason: string;
  message: string;
}

type HealthRule = (judged: Case) => Finding | undefined;

/** The first rule that applies decides. Failures that one pod shows come before all excuses of other pods. */
const FAILURES: readonly HealthRule[] = [crashLoop, imageMissing, suspectsAreLate];
const EXCUSES: readonly HealthRule[] = [
  nodeLost,
  nodeDraining,
  evicted,
  unschedulable,
  quotaExceeded,
  webhookUnavailable,
  registryDown,
  notStarted,
];

interface HealthContext {
  nodes: readonly ReleaseNode[];
  deadlineSeconds: number;
  now: number;
  /** Default: the recorded clock of the revision in the pool. */
  clock?: Case['clock'];
}

function caseOf(workload: Workload, revision: Revision, context: HealthContext): Case {
  const nodes = new Map(context.nodes.map((node) => [node.metadata.name, node]));
  const pods = podsOf(workload, revision);
  return {
    workload,
    pods,
    suspects: suspectsOf(pods, nodes, context.now),
    own: hasStrangers(workload) ? [] : pods.filter((pod) => !isLost(pod, nodes) && !isOlder(pod, workload)),
    nodes,
    deadline: context.deadlineSeconds * 1000,
    clock: context.clock ?? poolFacts(revision, workload.pool).clock,
    now: context.now,
  };
}

export function judgeHealth(workload: Workload, revision: Revision, context: HealthContext): HealthVerdict {
  const judged = caseOf(workload, revision, context);
  const failure = firstOf(FAILURES, judged);
  if (failure) return { kind: 'Failed', ...failure };
  const excuse = firstOf(EXCUSES, judged);
  if (excuse) return { kind: 'Excused', ...excuse, stopsClock: judged.suspects.length === 0 };
  const late = deadlinePassed(judged);
  return late ? { kind: 'Failed', ...late } : { kind: 'Progressing' };
}

/** Why pods of a revision are not ready, before any deadline: what excuses the version, and what the pods say themselves. */
export function whyUnready(
  workload: Workload,
  revision: Revision,
  { observed: { nodes }, now }: Pick<View, 'observed' | 'now'>,
): string | undefined {
  const verdict = judgeHealth(workload, revision, { nodes, deadlineSeconds: Infinity, now });
  const judged = verdict.kind === 'Progressing' ? undefined : verdict.message;
  const problem = podProblem(workload, revision, now);
  // Without the reason in front.
  const isTold = problem && judged?.includes(problem.says.replace(/^\w+: /, ''));
  if (judged !== undefined && (!problem || isTold || problem.says === NOT_READY)) return judged;
  const own = problem && `${problem.what}: ${problem.says}`;
  return judged === undefined || own === undefined ? own : `${judged}; ${own}`;
}

function suspectsOf(pods: readonly Pod[], nodes: Case['nodes'], now: number): Pod[] {
  return pods.filter(
    (pod) =>
      !pod.ready &&
      !hasEnded(pod) &&
      pod.startedAt !== undefined &&
      pod.unschedulable === undefined &&
      !isLost(pod, nodes) &&
      !isOnDrainingNode(pod, nodes, now) &&
      registryProblem([pod]) === undefined,
  );
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

function isOnDrainingNode({ ready, nodeName = '' }: Pod, nodes: Case['nodes'], now: number): boolean {
  const node = nodes.get(nodeName);
  return !ready && node !== undefined && isBeingDrained(node, now);
}

function nodeLost({ pods, nodes }: Case): Finding | undefined {
  const pod = pods.find((candidate) => isLost(candidate, nodes));
  return (
    pod && {
      reason: 'NodeNotReady',
      message: `pod ${pod.metadata.name}: node ${pod.nodeName ?? ''} is not ready`,
    }
  );
}

/** A pod on a node that is being drained is evicted soon: its replacement has the whole deadline. */
function nodeDraining({ pods, nodes, now }: Case): Finding | undefined {
  const pod = pods.find((candidate) => isOnDrainingNode(candidate, nodes, now));
  return (
    pod && {
      reason: 'NodeDraining',
      message: `pod ${pod.metadata.name}: node ${pod.nodeName ?? ''} is being drained`,
    }
  );
}

function evicted({ pods, workload }: Case): Finding | undefined {
  const running = workload.pods.filter((pod) => !hasEnded(pod)).length;
  if (running >= (workload.deployment.spec.replicas ?? 0)) return undefined;
  const pod = pods.find(({ phase, reason }) => phase === 'Failed' && reason === 'Evicted');
  return (
    pod && {
      reason: 'Evicted',
      message: `pod ${pod.metadata.name} was evicted from node ${pod.nodeName ?? ''}`,
    }
  );
}

function unschedulable({ pods }: Case): Finding | undefined {
  const pod = pods.find((candidate) => candidate.unschedulable !== undefined);
  return pod && { reason: 'Unschedulable', message: `pod ${pod.metadata.name}: ${pod.unschedulable ?? ''}` };
}

function quotaExceeded({ workload }: Case): Finding | undefined {
  const message = quotaFailure(workload.deployment);
  return message === undefined ? undefined : { reason: 'QuotaExceeded', message };
}

/** The message about the quota that keeps pods of a Deployment from being created. */
export function quotaFailure(deployment: Deployment): string | undefined {
  const failure = replicaFailure(deployment);
  return failure?.includes('exceeded quota') ? failure : undefined;
}

function webhookUnavailable({ workload }: Case): Finding | undefined {
  const message = replicaFailure(workload.deployment);
  return message?.includes('failed calling webhook') ? { reason: 'WebhookUnavailable', message } : undefined;
}

function replicaFailure({ status }: Deployment): string | undefined {
  const failure = status?.conditions?.find(({ type, status: is }) => type === 'ReplicaFailure' && is === 'True');
  return failure?.message === undefined ? undefined : shortened(failure.message);
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

function registryProblem(pods: readonly Pod[]): string | undefined {
  return pullProblems(pods).find((problem) => !MISSING.test(problem) && REGISTRY_DOWN.test(problem));
}

function registryDown({ pods }: Case): Finding | undefined {
  const message = registryProblem(pods);
  return message === undefined ? undefined : { reason: 'RegistryUnavailable', message };
}

function crashLoop({ own }: Case): Finding | undefined {
  for (const pod of own) {
    const container = pod.containers.find(
      ({ waiting, restartCount }) => waiting?.reason === 'CrashLoopBackOff' && restartCount >= CRASH_LOOP_RESTARTS,
    );
    if (container) {
      return {
        reason: 'CrashLoop',
        message: `container ${container.name} of pod ${pod.metadata.name} crashes repeatedly (${container.restartCount} restarts)`,
      };
    }
  }
  return undefined;
}

function imageMissing({ own }: Case): Finding | undefined {
  const message = pullProblems(own).find((problem) => MISSING.test(problem));
  return message === undefined ? undefined : { reason: 'ImageMissing', message };
}

/** The deadline has passed, but no pod has started: controllers, scheduler or kubelets are late. */
function notStarted(judged: Case): Finding | undefined {
  const { workload, pods } = judged;
  if (!isLate(judged) || allReady(judged) || replicaFailure(workload.deployment) !== undefined) return undefined;
  if (pods.some(({ ready, startedAt }) => !ready && startedAt !== undefined)) return undefined;
  const pod = pods.find(({ ready }) => !ready);
  return {
    reason: 'NotStarted',
    message: pod
      ? `pod ${pod.metadata.name}: no kubelet has started it yet`
      : `${pods.length} of ${workload.deployment.spec.replicas ?? 0} pods exist`,
  };
}

/** One pod's VM, or lack of room, excuses no other pod. */
function suspectsAreLate(judged: Case): Finding | undefined {
  return judged.suspects.length > 0 ? deadlinePassed(judged) : undefined;
}

function deadlinePassed(judged: Case): Finding | undefined {
  const { workload, pods, suspects, deadline, clock } = judged;
  if (!isLate(judged) || clock?.stopped !== undefined || allReady(judged)) return undefined;
  const replicas = workload.deployment.spec.replicas ?? 0;
  const ready = pods.filter((pod) => pod.ready).length;
  return {
    reason: 'ProgressDeadlineExceeded',
    message:
      replicaFailure(workload.deployment) ??
      `${ready} of ${replicas} pods are ready after ${deadline / 1000} s${whyNotReady(suspects)}`,
  };
}

/** Also true while the clock is stopped, so that a second outside cause after the first keeps it stopped. */
function isLate(judged: Case): boolean {
  return judged.clock?.stopped !== undefined || judged.now >= (endOf(judged) ?? Infinity);
}

/** If all pods are ready and the deadline has passed, the switch is late, for example because the operator was down. */
function allReady({ workload, pods }: Case): boolean {
  return pods.filter(({ ready }) => ready).length >= (workload.deployment.spec.replicas ?? 0);
}

function whyNotReady(pods: readonly Pod[]): string {
  const [problem] = pods.flatMap(({ containers }) =>
    containers.flatMap((container) => containerProblem(container) ?? []),
  );
  return problem === undefined ? '' : ` (${problem})`;
}

/**
 * The clock of a rollback, which records no progress: it starts when the rollback is accepted, and again with each pod that a
 * rolling update creates.
 */
export function returnClock({ hold, target }: PoolView): { start: string } {
  const { workload, revision } = target ?? {};
  const created =
    workload?.strategy === 'RollingUpdate' && revision
      ? podsOf(workload, revision).map(({ metadata }) => metadata.creationTimestamp)
      : [];
  const start = [hold?.rollback.status?.acceptedAt ?? '', ...created]
    .toSorted((a, b) => Date.parse(b) - Date.parse(a))
    .at(0);
  return { start: start ?? '' };
}

/** When the deadline of a revision ends (ms since the epoch); undefined if its clock has not started or is stopped. */
export function deadlineOf(workload: Workload, revision: Revision, context: HealthContext): number | undefined {
  const judged = caseOf(workload, revision, context);
  return judged.clock?.stopped === undefined ? endOf(judged) : undefined;
}

/**
 * When the deadline ends (ms since the epoch). It counts from the latest of: the start of the clock, the creation of the
 * Deployment, and the start of the oldest suspect, so that a replacement of an evicted pod has the whole deadline.
 */
function endOf({ workload: { deployment }, pods, suspects, clock, deadline, now }: Case): number | undefined {
  if (!clock) return undefined;
  const running = pods.filter((pod) => !hasEnded(pod)).length;
  const starts = suspects.map((pod) => startOf(pod, now));
  const oldest = starts.length > 0 && running >= (deployment.spec.replicas ?? 0) ? Math.min(...starts) : 0;
  return Math.max(Date.parse(clock.start), Date.parse(deployment.metadata.creationTimestamp), oldest) + deadline;
}
