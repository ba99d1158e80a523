/** One candidate's view of a Lease: its holder, the time of its last change, and attempts to acquire it. */

import { getIfThere } from './client.ts';
import { isAlreadyExists, isConflict, isNotFound } from './errors.ts';
import type { KubeClient, KubeObject, Live, ObjectKey, RequestOptions, Resource } from './types.ts';

/** coordination.k8s.io/v1 Lease; times are MicroTime. */
export interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

export const LEASES: Resource<Lease> = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};

export interface LeaseCandidate {
  /** False if another candidate holds the lease or was faster. Fails with a KubeError. */
  tryAcquireOrRenew: (options: RequestOptions) => Promise<boolean>;
  /** Releases the lease, so that the next candidate need not wait. Does nothing if another holds it. */
  release: (options: RequestOptions) => Promise<void>;
  /** The last observed holder. */
  holder: () => string | undefined;
}

export interface LeaseCandidateOptions {
  client: Pick<KubeClient, 'get' | 'create' | 'update'>;
  lease: Required<ObjectKey>;
  identity: string;
  leaseDurationMs: number;
  /** Whether a holder has certainly ended, so that its lease need not expire first. */
  hasEnded?: (holder: string) => boolean;
}

export function createLeaseCandidate(options: LeaseCandidateOptions): LeaseCandidate {
  const { client, lease: key, identity, leaseDurationMs, hasEnded = () => false } = options;
  let seen: { lease: Live<Lease>; since: number } | undefined;

  function observe(lease: Live<Lease>): Live<Lease> {
    const before = seen?.lease.metadata;
    const { uid, resourceVersion } = lease.metadata;
    if (before?.uid !== uid || before.resourceVersion !== resourceVersion) seen = { lease, since: performance.now() };
    return lease;
  }

  async function tryAcquireOrRenew(request: RequestOptions): Promise<boolean> {
    try {
      return (await renewUnread(request)) || (await acquireOrRenew(request));
    } catch (error) {
      if (isNotFound(error) || isTaken(error)) return false;
      throw error;
    }
  }

  /** A holder renews from its own last write. The server checks the resourceVersion. */
  async function renewUnread(request: RequestOptions): Promise<boolean> {
    if (!seen || !isMine(seen.lease)) return false;
    try {
      await hold(seen.lease, request);
      return true;
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return false;
      throw error;
    }
  }

  async function acquireOrRenew(request: RequestOptions): Promise<boolean> {
    const found = await find(request);
    if (!found) {
      const { apiVersion, kind } = LEASES;
      observe(await client.create(LEASES, { apiVersion, kind, metadata: { ...key }, spec: heldSpec({}, 0) }, request));
      return true;
    }
    observe(found);
    if (!isMine(found) && isHeld()) return false;
    await hold(found, request);
    return true;
  }

  function find(request: RequestOptions): Promise<Live<Lease> | undefined> {
    return getIfThere(client, LEASES, key, request);
  }

  async function hold(lease: Live<Lease>, request: RequestOptions): Promise<void> {
    const { acquireTime, leaseTransitions = 0 } = lease.spec ?? {};
    const spec = isMine(lease)
      ? { ...heldSpec(lease.spec, leaseTransitions), ...(acquireTime === undefined ? {} : { acquireTime }) }
      : heldSpec(lease.spec, leaseTransitions + 1);
    observe(await client.update(LEASES, { ...lease, spec }, request));
  }

  function heldSpec(before: LeaseSpec | undefined, leaseTransitions: number): LeaseSpec {
    const time = microTime();
    const leaseDurationSeconds = Math.ceil(leaseDurationMs / 1000);
    return {
      ...before,
      holderIdentity: identity,
      leaseDurationSeconds,
      acquireTime: time,
      renewTime: time,
      leaseTransitions,
    };
  }

  function isMine(lease: Live<Lease>): boolean {
    return lease.spec?.holderIdentity === identity;
  }

  /** The times in the lease come from the holder's clock. Only the time since its last change counts here. */
  function isHeld(): boolean {
    const { holderIdentity = '', leaseDurationSeconds = 0 } = seen?.lease.spec ?? {};
    if (holderIdentity === '' || hasEnded(holderIdentity)) return false;
    return performance.now() - (seen?.since ?? 0) < leaseDurationSeconds * 1000;
  }

  async function release(request: RequestOptions): Promise<void> {
    if (!seen || !isMine(seen.lease)) return;
    const { leaseTransitions = 0 } = seen.lease.spec ?? {};
    const spec = { ...heldSpec(seen.lease.spec, leaseTransitions), leaseDurationSeconds: 1 };
    delete spec.holderIdentity;
    observe(await client.update(LEASES, { ...seen.lease, spec }, request));
  }

  return { tryAcquireOrRenew, release, holder: () => seen?.lease.spec?.holderIdentity };
}

/** Another candidate was faster: the lease was created or changed after it was read. */
function isTaken(error: unknown): boolean {
  return isConflict(error) || isAlreadyExists(error);
}

/** metav1.MicroTime: RFC 3339 with exactly six decimals. */
export function microTime(time = new Date()): string {
  return time.toISOString().replace('Z', '000Z');
}
