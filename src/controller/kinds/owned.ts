/** The kinds that a release owns, and the row of each in the table of kinds: how it is applied, deleted and read. */
import type { Resource } from '../../kube/types.ts';
import type { OWNED } from '../../release/record/actions.ts';
import type { LiveObject } from '../../release/state/drift.ts';
import { OWNED_FIELDS } from '../../release/state/observed.ts';
import type { Cache, Caches } from './caches.ts';
import { KIND_ROWS } from './kinds.ts';

/** The kinds that a release owns. */
export type Owned = (typeof OWNED)[keyof typeof OWNED];

export const OWNED_ROWS = OWNED_FIELDS satisfies Record<Owned, keyof Caches>;

/** The resource of a kind, and its cache. */
export function accessTo(caches: Caches, kind: Owned): { resource: Resource; cache: Cache<LiveObject> } {
  const row = OWNED_ROWS[kind];
  return { resource: KIND_ROWS[row].resource, cache: caches[row] };
}
