/** Public names: the API group, labels, annotations and the field manager. */

export const GROUP = 'apprelease.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** The manager of every server-side apply (https://kubernetes.io/docs/reference/using-api/server-side-apply/). */
export const FIELD_MANAGER = 'apprelease';

/** Labels of the objects that the operator creates. Values are valid label values of at most 63 characters. */
export const LABEL = {
  /** The name of the AppRelease. The caches select by it. */
  release: 'apprelease.dev/release',
  pool: 'apprelease.dev/pool',
  /** The number of the revision. */
  revision: 'apprelease.dev/revision',
  /** The name of the Deployment. A Deployment selects only by this label, so that two Deployments never select one pod. */
  workload: 'apprelease.dev/workload',
  /** A pool's Service selects by it: one value for each revision of the pools behind one Service. */
  track: 'apprelease.dev/track',
  /** A short form of the version that is a valid label value; the annotation has the whole version. */
  version: 'apprelease.dev/version',
  /** On a pod that only pulls images: the number of the revision of the images. */
  pull: 'apprelease.dev/pull',
  /** On the Service `<service>-next` of a pool: true. */
  next: 'apprelease.dev/next',
  managedBy: 'app.kubernetes.io/managed-by',
} as const;

/** Annotations that a user sets. scripts/reference.ts explains each of them. */
export const USER_ANNOTATION = {
  /** On an existing Service: the operator may own its selector. */
  adopt: 'apprelease.dev/adopt',
  /** On an AppRelease, with a reason: promotions stop. GitOps leaves it alone. */
  paused: 'apprelease.dev/paused',
  /** On an AppRelease: `force` removes a route that the spec no longer names, although no other route serves its hosts. */
  routeRemoval: 'apprelease.dev/route-removal',
  /** On an AppRelease: when the wanted version was committed (RFC 3339), for the metric of the lead time. */
  commitTime: 'apprelease.dev/commit-time',
  /** On a VMPool, with a reason: like spec.maintenance. GitOps leaves it alone. */
  maintenance: 'apprelease.dev/maintenance',
} as const;

export const ANNOTATION = {
  ...USER_ANNOTATION,
  /** The version as the user wrote it; not every version is a valid label value. */
  version: 'apprelease.dev/version',
  /** On a Service: the number of the revision that it selects. */
  revision: 'apprelease.dev/revision',
  /** On a Deployment: the placement and the strategy that it was created with. */
  placement: 'apprelease.dev/placement',
  /** On a Deployment, an autoscaler or a budget: a hash of the keys of spec.workloadMetadata that it has. */
  workloadMetadata: 'apprelease.dev/workload-metadata',
  /** On a Deployment: the size that the pool keeps because another manager set it on the Deployment that served before. */
  scale: 'apprelease.dev/scale',
  /** On a ControllerRevision: marks, soak starts and approvals. They must survive a restart and an erased status. */
  facts: 'apprelease.dev/facts',
  /** On the ledger: the digests of versions whose revisions are gone. */
  ledger: 'apprelease.dev/ledger',
  /** On the ledger: the last valid topology, for a rollback while the spec is not valid. */
  topology: 'apprelease.dev/topology',
  /** On the ledger: the gates that changes of the spec loosened. */
  loosened: 'apprelease.dev/loosened',
  /** On the ledger: the sizes that came with a wanted revision that is not recorded yet. */
  askedSizes: 'apprelease.dev/asked-sizes',
  /** On the ledger: the wanted revision, if it is not the newest. */
  wanted: 'apprelease.dev/wanted',
  /** On a route whose weights are sizes of pools: these sizes, by Service, and when they were written (RFC 3339). */
  weights: 'apprelease.dev/weights',
  /** On a route: since when the traffic of Services leaves them, or comes back, because of maintenance. */
  evacuations: 'apprelease.dev/evacuations',
  /** On a Service: when its selector was last switched (RFC 3339), and the previous track. */
  switchedAt: 'apprelease.dev/switched-at',
  previousTrack: 'apprelease.dev/previous-track',
  /** On a ReleaseRollback or ReleasePromotion: what it was answered. A restore from a backup keeps it, but no status. */
  answer: 'apprelease.dev/answer',
} as const;

/** The labels or annotations of a user, without names that belong to the operator. */
export function withoutOurs(map: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(map).filter(([key]) => !key.startsWith(`${GROUP}/`)));
}
