/** Events of a release and of what belongs to it. Pure. */
import type { KubeObject, Live, Resource } from '../../kube/types.ts';

interface EventObject {
  readonly kind?: string;
  readonly name?: string;
  readonly uid?: string;
}

/** The fields of both APIs: core/v1 has the older ones. */
export interface KubeEvent extends KubeObject {
  readonly type?: string;
  readonly reason?: string;
  readonly eventTime?: string | null;
  readonly series?: { readonly count?: number; readonly lastObservedTime?: string } | null;
  // events.k8s.io/v1
  readonly regarding?: EventObject;
  readonly note?: string;
  readonly deprecatedCount?: number;
  readonly deprecatedLastTimestamp?: string | null;
  // core/v1
  readonly involvedObject?: EventObject;
  readonly message?: string;
  readonly count?: number;
  readonly lastTimestamp?: string | null;
}

export type LiveEvent = Live<KubeEvent>;

export const EVENTS: Resource<KubeEvent> = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
};

/** The same objects, for a user who has the right to these alone. */
export const CORE_EVENTS: Resource<KubeEvent> = { ...EVENTS, apiVersion: 'v1' };

/** What events may be about. */
export interface Related {
  readonly release: string;
  readonly rollbacks: readonly string[];
  readonly promotions: readonly string[];
  /** Their ReplicaSets and pods have names that begin with these: those that are gone have events too. */
  readonly deployments: readonly string[];
}

export interface EventRow {
  /** RFC 3339: when it was last seen. */
  readonly at: string;
  readonly count: number;
  readonly type: string;
  readonly reason: string;
  /** kind/name */
  readonly object: string;
  readonly message: string;
  /** Another state of the event has another key. */
  readonly key: string;
}

/** The oldest first. */
export function eventsOf(events: readonly LiveEvent[], related: Related): EventRow[] {
  return events
    .filter((event) => isAbout(objectOf(event), related))
    .map(rowOf)
    .toSorted((one, other) => Date.parse(one.at) - Date.parse(other.at));
}

function isAbout({ kind, name = '' }: EventObject, { release, rollbacks, promotions, deployments }: Related): boolean {
  switch (kind) {
    case 'AppRelease':
      return name === release;
    case 'ReleaseRollback':
      return rollbacks.includes(name);
    case 'ReleasePromotion':
      return promotions.includes(name);
    case 'Deployment':
      return deployments.includes(name);
    case 'ReplicaSet':
      return deployments.includes(withoutHash(name));
    case 'Pod':
      return deployments.includes(withoutHash(withoutHash(name)));
    default:
      return false;
  }
}

/** web-prod-a-1-6f9c5d7b8-x2x4z is a pod of the ReplicaSet web-prod-a-1-6f9c5d7b8 of the Deployment web-prod-a-1. */
function withoutHash(name: string): string {
  return name.replace(/-[a-z0-9]+$/, '');
}

function objectOf({ regarding, involvedObject }: KubeEvent): EventObject {
  return regarding ?? involvedObject ?? {};
}

function rowOf(event: LiveEvent): EventRow {
  const { metadata, type = '', reason = '', series, eventTime, note, message } = event;
  const { kind = '', name = '' } = objectOf(event);
  const count = series?.count ?? event.deprecatedCount ?? event.count ?? 1;
  const last = series?.lastObservedTime ?? event.deprecatedLastTimestamp ?? event.lastTimestamp ?? eventTime;
  return {
    at: last ?? metadata.creationTimestamp,
    count,
    type,
    reason,
    object: `${kind.toLowerCase()}/${name}`,
    message: note ?? message ?? '',
    key: `${metadata.uid}/${metadata.resourceVersion}`,
  };
}
