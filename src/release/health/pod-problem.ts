/** Why the pods of a revision do not come or do not get ready, in the words of their Deployment and of the pods. Pure. */
import { firstOf } from '../../lib/first-of.ts';
import { timeOfOtherClock } from '../../lib/clocks.ts';
import { shortened } from '../../lib/shortened.ts';
import type { ContainerState, Deployment, Pod } from '../record/kube-objects.ts';
import type { Revision } from '../record/revision.ts';
import { podsOf } from '../state/target.ts';
import type { Workload } from '../state/view.ts';

export interface PodProblem {
  /** What has the problem. */
  what: string;
  says: string;
}

interface Seen {
  deployment: Deployment;
  /** The pods of the revision that are to become ready, by name: the same pod is told in every pass. */
  pods: readonly Pod[];
  /** Those that have ended: their objects stay. */
  ended: readonly Pod[];
  now: number;
}

type ProblemRule = (seen: Seen) => PodProblem | undefined;

/** The first that applies is told. */
const PROBLEMS: readonly ProblemRule[] = [
  notCreated,
  containerFails,
  refusedByNode,
  notScheduled,
  readinessGate,
  notReadyForLong,
];

/** How long a container may run before it is told that it is not ready (ms). */
const PATIENCE_MS = 10_000;

/** Of a running container, if nothing else is known. */
export const NOT_READY = 'runs and is not ready';

/** States of a container that starts. */
const STARTING = new Set<string | undefined>([undefined, '', 'ContainerCreating', 'PodInitializing']);

export function podProblem(workload: Workload, revision: Revision, now: number): PodProblem | undefined {
  const all = podsOf(workload, revision)
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const ended = all.filter(({ phase }) => phase === 'Failed' || phase === 'Succeeded');
  const pods = all.filter((pod) => !ended.includes(pod));
  return firstOf(PROBLEMS, { deployment: workload.deployment, pods, ended, now });
}

/** When a pod is to be told of that is not ready by then (ms since the epoch). */
export function podProblemDue(workload: Workload, revision: Revision, now: number): number[] {
  return podsOf(workload, revision)
    .filter(({ ready, startedAt }) => !ready && startedAt !== undefined)
    .map((pod) => startOf(pod, now) + PATIENCE_MS)
    .filter((due) => due > now);
}

/**
 * When the kubelet started the pod (ms since the epoch). If the kubelet's clock is wrong, the time of the API server counts: the
 * creation of the pod.
 */
export function startOf({ startedAt, metadata }: Pod, now: number): number {
  const created = Date.parse(metadata.creationTimestamp);
  return Math.max(timeOfOtherClock(startedAt, now) || created, created);
}

/** PodSecurity, a quota or a webhook refuses the pods, or their ReplicaSet. */
function notCreated({ deployment }: Seen): PodProblem | undefined {
  const condition = deployment.status?.conditions?.find(
    ({ type, status, reason }) =>
      (type === 'ReplicaFailure' && status === 'True') ||
      (type === 'Progressing' && status === 'False' && reason !== 'ProgressDeadlineExceeded'),
  );
  return condition && { what: `Deployment ${deployment.metadata.name}`, says: told(condition) };
}

function containerFails({ pods }: Seen): PodProblem | undefined {
  for (const pod of pods) {
    for (const container of pod.containers) {
      const says = containerProblem(container);
      if (says !== undefined && !pod.ready)
        return { what: `container ${container.name} of pod ${pod.metadata.name}`, says };
    }
  }
  return undefined;
}

/** Why a container does not run. A container that ends again and again is told by how it ended, also while it runs. */
export function containerProblem({
  ready,
  waiting,
  terminated,
  lastEnd,
  restartCount,
}: ContainerState): string | undefined {
  if (ready) return undefined;
  const end = terminated ?? lastEnd;
  const again = waiting?.reason === 'CrashLoopBackOff' || STARTING.has(waiting?.reason);
  if (end && again) {
    const why = end.reason ? ` (${end.reason})` : '';
    return `ended with exit code ${end.exitCode ?? '?'}${why}, restarts: ${restartCount}`;
  }
  return STARTING.has(waiting?.reason) ? undefined : told(waiting);
}

/** The kubelet refused the pod, for example for lack of a device. The ReplicaSet makes another. */
function refusedByNode({ deployment, pods, ended }: Seen): PodProblem | undefined {
  if (pods.length >= (deployment.spec.replicas ?? 0)) return undefined;
  const pod = ended.findLast(({ reason }) => reason !== undefined && reason !== 'Evicted');
  return pod && { what: `pod ${pod.metadata.name}`, says: told(pod) };
}

/** For another reason than a lack of room, such as a scheduling gate. */
function notScheduled({ pods }: Seen): PodProblem | undefined {
  const pod = pods.find(({ unscheduled }) => unscheduled !== undefined);
  return pod?.unscheduled && { what: `pod ${pod.metadata.name}`, says: told(pod.unscheduled) };
}

function readinessGate({ pods }: Seen): PodProblem | undefined {
  const pod = pods.find(({ closedGate }) => closedGate !== undefined);
  return pod && { what: `pod ${pod.metadata.name}`, says: shortened(pod.closedGate ?? '') };
}

function notReadyForLong({ pods, now }: Seen): PodProblem | undefined {
  for (const pod of pods) {
    const since = pod.startedAt === undefined ? Number.NaN : startOf(pod, now);
    const container = pod.containers.find(({ ready, waiting, terminated }) => !ready && !waiting && !terminated);
    if (!pod.ready && container && now - since >= PATIENCE_MS)
      return { what: `container ${container.name} of pod ${pod.metadata.name}`, says: NOT_READY };
  }
  return undefined;
}

function told({ reason, message }: { reason?: string | undefined; message?: string | undefined } = {}): string {
  const text = [reason, message].filter((part) => part !== undefined && part !== '').join(': ');
  return shortened(text);
}
