/** Whether a revision has failed in a pool, or something else is to blame. Pure. */
import type { Deployment, Node, Pod } from './objects.ts';
import type { Revision } from './revision.ts';
import { poolFacts } from './revision.ts';
import type { Workload } from './view.ts';
import { podsOf } from './target.ts';

export type Verdict =
  | { kind: 'Progressing' }
  /** Not the version's fault: the deadline's clock stands still. */
  | { kind: 'Excused'; reason: string; message: string }
  | { kind: 'Failed'; reason: string; message: string };

/** Restarts after which a back-off is a crash loop and no hiccup. */
const CRASH_LOOP_RESTARTS = 3;

interface Case {
  workload: Workload;
  pods: readonly Pod[];
  nodes: ReadonlyMap<string, Node>;
  deadline: number;
  clock: { start: string; stopped?: string } | undefined;
  now: number;
}

type Rule = (judged: Case) => Verdict | undefined;

/** The first that applies decides: what no version could survive comes before what this one did. */
const RULES: readonly Rule[] = [
  nodeLost,
  evicted,
  unschedulable,
  quotaExceeded,
  registryDown,
  crashLoop,
  imageMissing,
  deadlinePassed,
];

export function judge(
  workload: Workload,
  revision: Revision,
  context: { nodes: readonly Node[]; deadlineSeconds: number; now: number; clock?: Case['clock'] },
): Verdict {
  const judged: Case = {
    workload,
    pods: podsOf(workload, revision),
    nodes: new Map(context.nodes.map((node) => [node.metadata.name, node])),
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

function nodeLost({ pods, nodes }: Case): Verdict | undefined {
  const pod = pods.find(
    ({ ready, nodeName }) => !ready && nodeName !== undefined && nodes.get(nodeName)?.ready === false,
  );
  return (
    pod && {
      kind: 'Excused',
      reason: 'NodeNotReady',
      message: `pod ${pod.metadata.name}: node ${pod.nodeName ?? ''} is not ready`,
    }
  );
}

function evicted({ pods }: Case): Verdict | undefined {
  const pod = pods.find(({ phase, reason }) => phase === 'Failed' && reason === 'Evicted');
  return (
    pod && {
      kind: 'Excused',
      reason: 'Evicted',
      message: `pod ${pod.metadata.name} was evicted from node ${pod.nodeName ?? ''}`,
    }
  );
}

function unschedulable({ pods }: Case): Verdict | undefined {
  const pod = pods.find((candidate) => candidate.unschedulable !== undefined);
  return (
    pod && { kind: 'Excused', reason: 'Unschedulable', message: `pod ${pod.metadata.name}: ${pod.unschedulable ?? ''}` }
  );
}

function quotaExceeded({ workload }: Case): Verdict | undefined {
  const failure = replicaFailure(workload.deployment);
  return failure?.includes('exceeded quota')
    ? { kind: 'Excused', reason: 'QuotaExceeded', message: failure }
    : undefined;
}

export function replicaFailure({ status }: Deployment): string | undefined {
  return status?.conditions?.find(({ type, status: is }) => type === 'ReplicaFailure' && is === 'True')?.message;
}

const PULL_REASONS = new Set(['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull']);
const MISSING = /not found|manifest unknown|name unknown|no match for platform|couldn't parse image/i;
const REGISTRY_DOWN =
  /\b(429|5\d\d)\b|too many requests|service unavailable|timeout|timed out|deadline exceeded|connection refused|no such host|i\/o|EOF/i;

function pullProblem({ pods }: Case): { pod: Pod; message: string } | undefined {
  for (const pod of pods) {
    for (const { waiting } of pod.containers) {
      if (waiting && PULL_REASONS.has(waiting.reason ?? ''))
        return { pod, message: waiting.message ?? waiting.reason ?? '' };
    }
  }
  return undefined;
}

function registryDown(judged: Case): Verdict | undefined {
  const problem = pullProblem(judged);
  if (!problem || MISSING.test(problem.message) || !REGISTRY_DOWN.test(problem.message)) return undefined;
  return {
    kind: 'Excused',
    reason: 'RegistryUnavailable',
    message: `pod ${problem.pod.metadata.name}: ${problem.message}`,
  };
}

function crashLoop({ pods }: Case): Verdict | undefined {
  for (const pod of pods) {
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

function imageMissing(judged: Case): Verdict | undefined {
  const problem = pullProblem(judged);
  if (!problem || !MISSING.test(problem.message)) return undefined;
  return { kind: 'Failed', reason: 'ImageMissing', message: `pod ${problem.pod.metadata.name}: ${problem.message}` };
}

function deadlinePassed({ workload, pods, deadline, clock, now }: Case): Verdict | undefined {
  if (!clock || clock.stopped !== undefined || now < deadlineOf(workload, clock, deadline)) return undefined;
  const replicas = workload.deployment.spec.replicas ?? 0;
  const ready = pods.filter((pod) => pod.ready).length;
  // All there: late is then who should have switched, such as an operator that was down.
  if (ready >= replicas) return undefined;
  const blocked = replicaFailure(workload.deployment);
  return {
    kind: 'Failed',
    reason: 'ProgressDeadlineExceeded',
    message: blocked ?? `${ready} of ${replicas} pods are ready after ${deadline / 1000} s${whyNotReady(pods)}`,
  };
}

function whyNotReady(pods: readonly Pod[]): string {
  const [waiting] = pods.flatMap(({ containers }) => containers.flatMap((container) => container.waiting ?? []));
  return waiting?.reason === undefined ? '' : ` (${waiting.reason}${waiting.message ? `: ${waiting.message}` : ''})`;
}

/**
 * When the deadline ends (ms since the epoch). A rolling update that gets on starts it anew, as a Deployment's own
 * progressDeadlineSeconds does; BlueGreen starts all pods at once, so it does not.
 */
export function deadlineOf(workload: Workload, clock: { start: string }, deadline: number): number {
  const progress = workload.deployment.status?.conditions?.find(
    ({ type, status }) => type === 'Progressing' && status === 'True',
  );
  const moved = workload.strategy === 'RollingUpdate' ? Date.parse(progress?.lastUpdateTime ?? '') || 0 : 0;
  return Math.max(Date.parse(clock.start), moved) + deadline;
}
