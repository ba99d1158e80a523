// What of the watched objects the benchmark looks at.
import type { AppRelease } from '../../src/api/app-release.ts';
import { LABEL } from '../../src/api/meta.ts';
import type { KubeObject, Live } from '../../src/kube/types.ts';
import { conditionIs } from '../../src/api/conditions.ts';

export interface ReleaseState {
  metadata: Live<KubeObject>['metadata'];
  version: string | undefined;
  ready: boolean;
  /** A rollback holds it and has brought every pool back. */
  held: boolean;
  /** Every pool could go back by a switch alone. */
  warm: boolean;
}

export function keepReleaseState(release: Live<KubeObject & Pick<AppRelease, 'status'>>): ReleaseState {
  const { metadata, status } = release;
  const { generation } = metadata as { generation?: number };
  const { conditions, pools = [] } = status ?? {};
  const { name, uid, resourceVersion, creationTimestamp } = metadata;
  return {
    metadata: { name, uid, resourceVersion, creationTimestamp, ...namespaceOf(metadata) },
    version: status?.version,
    ready: conditionIs(conditions, 'Ready', 'True') && status?.observedGeneration === generation,
    held: conditionIs(conditions, 'RolledBack', 'True') && conditionIs(conditions, 'Reconciling', 'False'),
    warm: pools.length > 0 && pools.every(({ rollback }) => rollback?.readiness === 'Warm'),
  };
}

export interface ServiceTrack {
  metadata: Live<KubeObject>['metadata'];
  /** What the Service selects. */
  track: string;
}

export function keepServiceTrack(
  service: Live<KubeObject & { spec?: { selector?: Record<string, string> } }>,
): ServiceTrack {
  const { name, uid, resourceVersion, creationTimestamp } = service.metadata;
  return {
    metadata: { name, uid, resourceVersion, creationTimestamp, ...namespaceOf(service.metadata) },
    track: service.spec?.selector?.[LABEL.track] ?? '',
  };
}

function namespaceOf({ namespace }: { namespace?: string }): { namespace?: string } {
  return namespace === undefined ? {} : { namespace };
}
