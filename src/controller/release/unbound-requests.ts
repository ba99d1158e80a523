/** Rollbacks and promotions that name a release that does not exist. */
import type { Condition } from '../../api/common.ts';
import { FIELD_MANAGER } from '../../api/meta.ts';
import { isNotFound } from '../../kube/errors.ts';
import { statusOf } from '../../kube/types.ts';
import { findCondition, withConditions } from '../../api/conditions.ts';
import { withState } from '../../api/request-state.ts';
import { RELEASE_INDEX } from '../kinds/indexes.ts';
import { PROMOTIONS, ROLLBACKS } from '../kinds/api-kinds.ts';
import type { ReconcileContext } from './context.ts';

/** Sets the condition Waiting, and neither Accepted nor Complete: the release may still be created. */
export async function answerOrphans(context: ReconcileContext, key: string): Promise<void> {
  const { rollbacks, promotions } = context.caches;
  const kinds = [
    { resource: ROLLBACKS, cache: rollbacks, objects: rollbacks.byIndex(RELEASE_INDEX, key) },
    { resource: PROMOTIONS, cache: promotions, objects: promotions.byIndex(RELEASE_INDEX, key) },
  ];
  for (const { resource, cache, objects } of kinds) {
    for (const { metadata, spec, status } of objects) {
      const conditions: Condition[] | undefined = status?.conditions;
      if (findCondition(conditions, 'Accepted')) continue;
      const message = `spec.release: there is no AppRelease ${spec.release} in namespace ${metadata.namespace}`;
      const told = { reason: 'ReleaseNotFound' as const, message };
      const drafts = [{ type: 'Waiting', status: 'True' as const, ...told }];
      if (findCondition(conditions, 'Waiting') && findCondition(conditions, 'Reconciling')) continue;
      context.assertLeading();
      const { namespace, name, generation } = metadata;
      const waiting = { ...status, conditions: withConditions(conditions, drafts, context.now(), generation) };
      const value = withState(waiting, { is: 'Reconciling', ...told }, context.now(), generation);
      try {
        const written = await context.client.patch(
          statusOf(resource as typeof ROLLBACKS),
          { namespace, name },
          { type: 'json', operations: [{ op: 'add', path: '/status', value }] },
          { fieldManager: FIELD_MANAGER },
        );
        cache.observeWrite(written);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  }
}
