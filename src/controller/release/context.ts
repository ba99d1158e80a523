import type { Plan } from '../../release/plan.ts';
import type { Action, Notice } from '../../release/record/actions.ts';
import type { DigestLookup } from '../../release/state/observed.ts';
import type { PodTemplate } from '../../api/app-release.ts';
import type { KubeClient } from '../../kube/types.ts';
import type { Caches } from '../kinds/caches.ts';
import type { AppRelease } from '../../api/app-release.ts';

/** The dependencies of a reconcile; the simulation has its own. */
export interface ReconcileContext {
  client: KubeClient;
  caches: Caches;
  /** Returns at once what is known of an image, and enqueues the release when the answer changes. */
  lookupDigest: (release: AppRelease, image: string, template: PodTemplate) => DigestLookup;
  /** Returns at once the digest that a pinned tag names now, if it differs. Left out: tags are not watched. */
  movedDigest?: (release: AppRelease, image: string, template: PodTemplate, pinned: string) => string | undefined;
  /** Takes the current images of a release, and stops look-ups of others. Left out: look-ups are not stopped. */
  retainImages?: (release: AppRelease, images: readonly string[], template: PodTemplate) => void;
  /** Whether `caches.placed` has the pods of all namespaces, so that free room can be counted. */
  seesAllPods: boolean;
  /** The time of the API server (ms since the epoch). */
  now: () => number;
  /** How far the clock of this process is ahead of the API server's (ms). Left out: not at all. */
  clockSkewMs?: () => number;
  /** Records an event on the release; it may be lost. */
  record: (release: AppRelease, notice: Notice) => void;
  /** Throws once leadership may be lost, so that no write follows. */
  assertLeading: () => void;
  /** Whether this process began to lead so recently that its caches may lack the last writes of the leader before. */
  leadsAnew?: () => boolean;
  /** Called at the end of a pass with the last plan and the actions of all its plans. */
  onPlan?: (last: Plan, actions: readonly Action[]) => void;
  log: (level: 'debug' | 'info' | 'warn', fields: Record<string, unknown>, message: string) => void;
}

/** The result of a pass over one release. */
export interface ReconcileResult {
  /** Milliseconds until the next pass is due even if nothing changes. */
  requeueAfterMs?: number;
  /** The release waits for room on VMs, or for the end of work on them. */
  waitsForVms?: boolean;
  /** The release reserves less room than before. */
  freesRoom?: boolean;
  /** The writes that an interrupted pass has left behind. Resolves with the last answer. */
  left?: Promise<unknown>;
}

/**
 * One pass over one release. Rejects with the first error, conflicts last; the writes before it stay. The signal interrupts the
 * pass, because a rollback has arrived: it waits for no more answers, and the next pass goes on.
 */
export type Reconcile = (key: string, interruption: AbortSignal) => Promise<ReconcileResult>;
