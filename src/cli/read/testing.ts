/** Builders for unit tests. */
import { API_VERSION } from '../../api/meta.ts';
import { meta, spec } from '../../release/testing.ts';
import type { LiveRelease } from './releases.ts';

/** The release shop/web with the stages canary (pool a) and production (pool b). */
export function liveRelease(parts: { metadata?: object; spec?: object; status?: object } = {}): LiveRelease {
  return {
    apiVersion: API_VERSION,
    kind: 'AppRelease',
    metadata: { ...meta('web'), ...parts.metadata },
    spec: spec({ ...parts.spec }),
    status: { ...parts.status },
  };
}
