/** Pods of a deleted release: a deletion with `--cascade=orphan` leaves them running. */
import { isNotFound } from '../../kube/errors.ts';
import { dropMarks } from '../../release/pools/do-not-disrupt.ts';
import { RELEASE_INDEX } from '../kinds/indexes.ts';
import { annotatePod } from './apply.ts';
import type { ReconcileContext } from './context.ts';

/** The pods no longer hold their VMs. */
export async function releaseVms(
  context: Pick<ReconcileContext, 'client' | 'caches' | 'assertLeading'>,
  key: string,
): Promise<void> {
  const pods = context.caches.pods.byIndex(RELEASE_INDEX, key);
  const [namespace = ''] = key.split('/');
  await Promise.all(
    dropMarks(pods).map(async (action) => {
      context.assertLeading();
      try {
        await annotatePod(context, namespace, action);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }),
  );
}
