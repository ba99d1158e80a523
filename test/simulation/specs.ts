/** Specs as users write them, without defaults. */
import type { AppReleaseSpec } from '../../src/api/app-release.ts';

type Input = AppReleaseSpec;

/** A spec without defaults; a scenario changes it in place. */
export interface SpecDraft {
  version?: string;
  template: {
    metadata?: object;
    spec: { containers: { name: string; image: string; [field: string]: unknown }[]; [field: string]: unknown };
  };
  stages: StageDraft[];
  strategy?: { type: Input['strategy']['type']; maxSurge?: number | string; maxUnavailable?: number | string };
  workloadMetadata?: Input['workloadMetadata'];
  service?: { ports: { port: number }[]; [field: string]: unknown };
  route?: { parentRefs: { name: string }[]; name?: string; hostnames?: string[]; rules?: object[]; settle?: string };
  rollback?: Partial<Input['rollback']>;
  minReadySeconds?: number;
  progressDeadlineSeconds?: number;
  revisionHistoryLimit?: number;
  paused?: boolean;
  capacity?: Input['capacity'];
  disruption?: Partial<Input['disruption']>;
}

export interface StageDraft {
  name: string;
  soak?: string;
  approval?: 'Automatic' | 'Manual';
  prepull?: boolean;
  match?: { headers: { name: string; value: string }[] }[];
  exposure?: { percent: number; for?: string; approval?: 'Manual' }[];
  pools: PoolDraft[];
}

export interface PoolDraft {
  name: string;
  replicas: number;
  autoscaling?: { minReplicas: number; maxReplicas: number };
  nodeSelector?: Record<string, string>;
  tolerations?: { key: string; operator: 'Exists' }[];
  serviceName?: string;
  weight?: number;
  template?: object;
}

export function pool(name: string, replicas: number): PoolDraft {
  return { name, replicas, nodeSelector: { pool: name } };
}

/** Two stages: a canary pool, then production. Times are short, because every pass costs. */
export function webSpec(version: string): SpecDraft {
  return {
    version,
    template: { spec: { containers: [{ name: 'web', image: `registry.test/web:${version}` }] } },
    stages: [
      { name: 'canary', soak: '30s', pools: [pool('canary', 1)] },
      { name: 'production', pools: [pool('prod-a', 2), pool('prod-b', 2)] },
    ],
    service: { ports: [{ port: 80 }] },
    rollback: { warmFor: '2m', drain: '10s' },
    progressDeadlineSeconds: 60,
  };
}

/** Workers without a Service, updated in place. */
export function workerSpec(version: string): SpecDraft {
  const { service: _service, ...spec } = webSpec(version);
  return { ...spec, strategy: { type: 'RollingUpdate', maxSurge: 1, maxUnavailable: 0 } };
}

/** Both pools of production behind one Service. */
export function sharedSpec(version: string): SpecDraft {
  const spec = webSpec(version);
  for (const found of spec.stages[1]?.pools ?? []) found.serviceName = 'web';
  return spec;
}

/** Behind Services, updated in place. */
export function rollingSpec(version: string): SpecDraft {
  return { ...webSpec(version), strategy: { type: 'RollingUpdate', maxSurge: 1, maxUnavailable: 0 } };
}

export function rollingSharedSpec(version: string): SpecDraft {
  return { ...sharedSpec(version), strategy: { type: 'RollingUpdate', maxSurge: 1, maxUnavailable: 0 } };
}

/** A version with another container port, and a Service with that port. */
export function setPorts(spec: SpecDraft, version: string, targetPort: number | string): void {
  const ports = typeof targetPort === 'string' ? [{ name: targetPort, containerPort: 8080 }] : [];
  spec.version = version;
  spec.template.spec.containers = [{ name: 'web', image: `registry.test/web:${version}`, ports }];
  if (spec.service) spec.service.ports = [{ port: 80, targetPort } as never];
}

export function eachPool(spec: SpecDraft, change: (found: PoolDraft) => void): void {
  for (const stage of spec.stages) for (const found of stage.pools) change(found);
}
