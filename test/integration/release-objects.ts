// Builders for AppReleases on the standard pools.
import type * as z from 'zod';
import type { appReleaseSpec, PodTemplate } from '../../src/api/app-release.ts';

/** A spec as users write it, without defaults. */
export type Spec = z.input<typeof appReleaseSpec>;
export type PoolSpec = Spec['stages'][number]['pools'][number];
export type Rollback = NonNullable<Spec['rollback']>;

/** A pool on its nodes of standardPools. */
export function pool(name: string, replicas: number, more: Partial<PoolSpec> = {}, nodes = name): PoolSpec {
  return {
    name,
    replicas,
    nodeSelector: { 'apprelease.dev/pool': nodes },
    tolerations: [{ key: 'apprelease.dev/pool', operator: 'Equal', value: nodes, effect: 'NoSchedule' }],
    ...more,
  };
}

/** A pool whose pods have their own behaviour; see Behaviour. */
export function behaving(behaviour: string): Pick<PoolSpec, 'template'> {
  return { template: { metadata: { annotations: { 'sim.apprelease.dev/behaviour': behaviour } } } };
}

export function template(image: string, annotations?: Record<string, string>): PodTemplate {
  return {
    metadata: { labels: { app: 'web' }, ...(annotations && { annotations }) },
    spec: { containers: [{ name: 'web', image, ports: [{ name: 'http', containerPort: 8080 }] }] },
  };
}

/** One canary pod, then one pool with two. All waits are short. */
export const stages: Spec['stages'] = [
  { name: 'canary', soak: '500ms', pools: [pool('canary-vms', 1)] },
  { name: 'production', pools: [pool('prod-a', 2)] },
];

export const oneStage: Spec['stages'] = [{ name: 'production', pools: [pool('prod-a', 2)] }];

const quickRollback: Rollback = { warmFor: '5m', drain: '1s' };

/** A release of an image; the version is its tag's first part (1.0-crash-loop is 1.0). */
export function release(image: string, changes: Partial<Spec> = {}): Spec {
  const tag = /:([^:/@]+)(@|$)/.exec(image)?.[1] ?? '';
  return {
    version: tag.split('-')[0] ?? tag,
    template: template(image),
    stages,
    service: { ports: [{ port: 80, targetPort: 'http' }] },
    rollback: quickRollback,
    progressDeadlineSeconds: 60,
    ...changes,
  };
}

/** The same without a Service. */
export function worker(image: string, changes: Partial<Spec> = {}): Spec {
  const { service: _service, ...spec } = release(image, { strategy: { type: 'RollingUpdate' }, ...changes });
  return spec;
}
