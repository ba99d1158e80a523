/** Names that the API server, users and other tools see: the group, labels, annotations and the field manager. */

export const GROUP = 'apprelease.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** The manager of every server-side apply (https://kubernetes.io/docs/reference/using-api/server-side-apply/). */
export const FIELD_MANAGER = 'apprelease';

/** Labels of the objects that the operator makes. Values obey the label syntax: at most 63 characters. */
export const LABEL = {
  /** The AppRelease's name; what caches select by. */
  release: 'apprelease.dev/release',
  pool: 'apprelease.dev/pool',
  /** The revision's number. */
  revision: 'apprelease.dev/revision',
  /** The Deployment's own name: every Deployment selects by it alone, so no two can fight over a pod. */
  workload: 'apprelease.dev/workload',
  /** What a pool's Service selects: one value for each revision of the pools behind one Service. */
  track: 'apprelease.dev/track',
  /** A safe short form of the version; the whole one is in the annotation. */
  version: 'apprelease.dev/version',
  /** On a pod that only pulls images: the number of the revision that they are of. */
  pull: 'apprelease.dev/pull',
  managedBy: 'app.kubernetes.io/managed-by',
} as const;

export const ANNOTATION = {
  /** The version as the user wrote it (a label could not hold every version string). */
  version: 'apprelease.dev/version',
  /** On a Service: the number of the revision that it selects. */
  revision: 'apprelease.dev/revision',
  /** On a Deployment: the frozen placement and the strategy it was made with. */
  placement: 'apprelease.dev/placement',
  /** On a ControllerRevision: marks, soak starts, approvals: what must outlive a restart and an erased status. */
  facts: 'apprelease.dev/facts',
  /** On the ledger: the digests of versions whose revisions are gone. */
  ledger: 'apprelease.dev/ledger',
  /** On the ledger: the last valid topology, for a rollback while the spec is not valid. */
  topology: 'apprelease.dev/topology',
  /** On the ledger: the wanted revision, where it is not the newest. */
  wanted: 'apprelease.dev/wanted',
  /** On a Service: when its selector was last switched (RFC 3339), and the track it selected before. */
  switchedAt: 'apprelease.dev/switched-at',
  previousTrack: 'apprelease.dev/previous-track',
  /** Set by a user on an existing Service: the operator may take over its selector. */
  adopt: 'apprelease.dev/adopt',
  /** Set by a user on an AppRelease, with a reason: steps forward stop. GitOps leaves it alone. */
  paused: 'apprelease.dev/paused',
} as const;
