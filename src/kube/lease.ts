/** One candidate's view of a Lease: who holds it, since when it has not changed, and the attempts to hold it. */

import { getIfThere } from './client.ts';
import { isAlreadyExists, isConflict, isNotFound } from './errors.ts';
import type { KubeClient, KubeObject, Live, ObjectKey, RequestOptions, Resource } from './types.ts';

/** coordination.k8s.io/v1; times are MicroTime. */
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
  /** False where another holds it, or was quicker. Fails with a KubeError. */
  tryAcquireOrRenew: (options: RequestOptions) => Promise<boolean>;
  /** Gives the lease back, so that the next one need not wait; nothing where it isn't ours. */
  release: (options: RequestOptions) => Promise<void>;
  /** The last one that was seen. */
  holder: () => string | undefined;
}

export interface LeaseCandidateOptions {
  client: Pick<KubeClient, 'get' | 'create' | 'update'>;
  lease: Required<ObjectKey>;
  identity: string;
  leaseDurationMs: number;
  /** Whether it is sure that a holder runs no more: its lease need not run out. */
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

  /** A holder knows the lease from its own last write; whether it still is the same, the server says. */
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

  /** The times in the lease are by the holder's clock: only how long it has not changed counts here. */
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

/** Another candidate was quicker: the lease was created or written since it was read. */
function isTaken(error: unknown): boolean {
  return isConflict(error) || isAlreadyExists(error);
}

/** metav1.MicroTime: RFC 3339 with exactly six decimals. */
export function microTime(time = new Date()): string {
  return time.toISOString().replace('Z', '000Z');
}
