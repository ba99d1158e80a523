/** Writes the status of a release: once for each pass, and not more often than needed. */
import type { AppRelease } from '../../api/app-release.ts';
import type { AppReleaseStatus } from '../../api/app-release-status.ts';
import { conditionIs } from '../../api/conditions.ts';
import { FIELD_MANAGER } from '../../api/meta.ts';
import { isNotFound } from '../../kube/errors.ts';
import { statusOf } from '../../kube/types.ts';
import { canonicalJson, sha256 } from '../../lib/canonical-json.ts';
import type { Plan } from '../../release/plan.ts';
import type { Trouble } from '../../release/status/ready.ts';
import { releaseStatus } from '../../release/status/status.ts';
import { APP_RELEASES } from '../kinds/api-kinds.ts';
import { isStale } from './conflicts.ts';
import type { ReconcileContext } from './context.ts';
import type { ReleaseMemory } from './memory.ts';
import { troubleOf } from './trouble.ts';

/** Least time between two writes of progress to the status. A condition that changes is written at once (ms). */
const PROGRESS_MS = 1_000;
/** Number of passes in a row on stale data after which the conflict is reported. */
export const TELL_AFTER = 8;

/** Writes the status of a plan, with what stopped its writes. */
export async function writeStatus(
  context: ReconcileContext,
  memory: ReleaseMemory,
  { view, wait }: Plan,
  failure: unknown,
): Promise<void> {
  const isNews = isStale(failure) && memory.stale < TELL_AFTER - 1;
  const trouble = failure === undefined || isNews ? waitOf(wait) : troubleOf(failure);
  const status = releaseStatus(view, trouble ? { trouble } : {});
  await putStatus(context, memory, view.observed.release, status, failure);
}

function waitOf(message: string | undefined): Trouble | undefined {
  return message === undefined ? undefined : { kind: 'Waits', reason: 'Progressing', message };
}

/** Writes the status if it differs. Progress waits until `statusDue`. */
export async function putStatus(
  context: ReconcileContext,
  memory: ReleaseMemory,
  release: AppRelease,
  status: AppReleaseStatus,
  failure: unknown,
): Promise<void> {
  delete memory.statusDue;
  const [text, before] = [canonicalJson(status), canonicalJson(release.status ?? {})];
  if (text === before) return;
  const next = memory.lastStatusAt + PROGRESS_MS;
  // Two leaders at the same time must not overwrite each other's status without a pause.
  const isOthers = memory.lastStatus !== undefined && memory.lastStatus !== sha256(before);
  if (context.now() < next && (isOthers || !hasTurned(release.status, status))) {
    memory.statusDue = next;
    return;
  }
  context.assertLeading();
  // Noted before the write: if the answer is lost, the status still counts as written by this process.
  memory.lastStatus = sha256(text);
  const { namespace, name, uid } = release.metadata;
  try {
    const written = await context.client.patch(
      statusOf(APP_RELEASES),
      { namespace, name },
      {
        type: 'json',
        operations: [
          { op: 'test', path: '/metadata/uid', value: uid },
          { op: 'add', path: '/status', value: status },
        ],
      },
      { fieldManager: FIELD_MANAGER },
    );
    context.caches.releases.observeWrite(written);
    memory.lastStatusAt = context.now();
  } catch (problem) {
    // The first error of the pass is reported; the next pass writes the status.
    if (failure === undefined && !isNotFound(problem)) throw problem;
  }
}

/** Whether the status has more than progress: another generation or revision, or a condition with another status. */
function hasTurned(before: AppReleaseStatus | undefined, after: AppReleaseStatus): boolean {
  if (before?.observedGeneration !== after.observedGeneration || before?.revision !== after.revision) return true;
  return (after.conditions ?? []).some(({ type, status }) => !conditionIs(before?.conditions, type, status));
}
