/** Builders for unit tests of what commands do. */
import { API_VERSION } from '../../api/meta.ts';
import type { PoolStatus } from '../../api/app-release-status.ts';
import { meta, spec } from '../../release/testing.ts';
import type { LiveRelease } from '../read/releases.ts';

interface Parts {
  readonly metadata?: object;
  readonly spec?: Record<string, unknown>;
  readonly status?: object;
}

/** The release shop/web with the stages canary (pool a) and production (pool b), as the operator has seen it. */
export function releaseWith(parts: Parts = {}): LiveRelease {
  return {
    apiVersion: API_VERSION,
    kind: 'AppRelease',
    metadata: { ...meta('web', { generation: 1 }), ...parts.metadata },
    spec: spec(parts.spec),
    status: { observedGeneration: 1, ...parts.status },
  };
}

/** A pool that serves the revision; its version is the revision as a major number. */
export function serving(name: string, revision: number, more: Partial<PoolStatus> = {}): PoolStatus {
  const version = `${revision}.0.0`;
  return { name, revision, version, wantedRevision: revision, replicas: 1, readyReplicas: 1, ...more };
}
