/** The names of the caches' indexes, and the release that an object belongs to. */
import type { ObjectMeta } from '../../api/common.ts';
import { LABEL } from '../../api/meta.ts';

/** By `namespace/name` of the release that an object belongs to. */
export const RELEASE_INDEX = 'release';
/** Pods by their node. */
export const NODE_INDEX = 'node';
/** Releases by their namespace. */
export const NAMESPACE_INDEX = 'namespace';
/** Budgets by the release that their selector is bound to: see budget-index.ts. */
export const BUDGET_INDEX = 'budget';
/** Services that select by their track alone, by `namespace/track`. */
export const FORMER_INDEX = 'former';

/** `namespace/name` of the release that an object's label names. */
export function releaseOfLabel({ metadata }: { metadata: ObjectMeta }): string[] {
  const name = metadata.labels?.[LABEL.release];
  return name === undefined ? [] : [`${metadata.namespace}/${name}`];
}

/** `namespace/name` of the release that a rollback or promotion names. */
export function releaseOfSpec({ metadata, spec }: { metadata: ObjectMeta; spec: { release: string } }): string[] {
  return [`${metadata.namespace}/${spec.release}`];
}
