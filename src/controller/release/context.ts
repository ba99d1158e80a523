import type { Plan } from '../../release/plan.ts';
import type { Action, Notice } from '../../release/record/actions.ts';
import type { DigestLookup } from '../../release/state/observed.ts';
import type { PodTemplate } from '../../api/app-release.ts';
import type { KubeClient } from '../../kube/types.ts';
import type { Caches } from '../kinds/caches.ts';
import type { AppRelease } from '../../api/app-release.ts';

/** What a reconcile needs of the world; a simulation gives its own. */
export interface ReconcileContext {
  client: KubeClient;
  caches: Caches;
  /** What is known of an image now; must return at once, and enqueue the release when it learns more. */
  lookupDigest: (release: AppRelease, image: string, template: PodTemplate) => DigestLookup;
  /** The digest that a pinned tag names now, where it is another one; the same way. Left out: tags are not watched. */
  movedDigest?: (release: AppRelease, image: string, template: PodTemplate, pinned: string) => string | undefined;
  /** The images that a release has now: what was asked for others is given up. Left out: nothing is. */
  retainImages?: (release: AppRelease, images: readonly string[], template: PodTemplate) => void;
  /** Whether `caches.placed` holds everybody's pods, so that what room there is can be told. */
  seesAllPods: boolean;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Best effort: an event on the release. */
  record: (release: AppRelease, notice: Notice) => void;
  /** Refuses writes once leadership may be lost; throws. */
  assertLeading: () => void;
  /** At the end of a pass: its last plan, and what all of its plans did. Left out: nobody asks. */
  onPlan?: (last: Plan, actions: readonly Action[]) => void;
  log: (level: 'debug' | 'info' | 'warn', fields: Record<string, unknown>, message: string) => void;
}

/** What came of a pass over one release. */
export interface ReconcileResult {
  /** Milliseconds until the next pass is due though nothing changes. */
  requeueAfterMs?: number;
  /** It waits for VMs: for room, or for work on them to end. */
  waitsForVms?: boolean;
  /** It holds less room back from others than before. */
  freesRoom?: boolean;
}

/** One pass over one release. Fails with the first error that a retry may cure; what was written stays written. */
export type Reconcile = (key: string) => Promise<ReconcileResult>;
