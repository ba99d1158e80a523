/** The operator must not change foreign objects. */
import { API_VERSION } from '../../src/api/meta.ts';
import type { Judge, WriteRule } from './invariants.ts';
import type { WorldObject } from './world.ts';

/** Records that name a release are deleted with it, whoever created them. */
const RECORDS = new Set(['AppRelease', 'ReleaseRollback', 'ReleasePromotion']);

export function createOwnershipRules(_judge: Judge): WriteRule[] {
  /** By uid. */
  const theirs = new Set<string>();

  const note: WriteRule = ({ actor, kind, before, object }) => {
    if (actor === 'user' && !before && !RECORDS.has(kind)) theirs.add(object.metadata.uid);
    return undefined;
  };

  const removesNothingOfOthers: WriteRule = ({ actor, kind, after, object }) =>
    actor !== 'user' && !after && theirs.has(object.metadata.uid)
      ? `removes ${kind} ${object.metadata.name}, which a user made`
      : undefined;

  const ownsNothingOfOthers: WriteRule = ({ kind, after }) =>
    after && theirs.has(after.metadata.uid) && isOwned(after)
      ? `puts an owner reference on ${kind} ${after.metadata.name}, which a user made`
      : undefined;

  return [note, removesNothingOfOthers, ownsNothingOfOthers];
}

function isOwned({ metadata }: WorldObject): boolean {
  return (metadata.ownerReferences ?? []).some(({ apiVersion }) => apiVersion === API_VERSION);
}
