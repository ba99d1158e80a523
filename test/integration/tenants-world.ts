// The harness for tests of tenants: a control plane with pools of VMs, the policies of manifests/, and no operator.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, fetch } from 'undici';
import { expect, vi } from 'vitest';
import type { Pool } from '../../src/api/app-release.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import type { Toleration } from '../../src/api/pod-template.ts';
import type { VmPoolSpec } from '../../src/api/vm-pool.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { installCrds } from '../cluster/kubectl.ts';
import { addNodes, standardPools } from '../cluster/nodes.ts';
import type { ControlPlane } from '../cluster/types.ts';
import { release } from './release-objects.ts';

export type Fields = Readonly<Record<string, unknown>>;

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Fields & { readonly name: string };
  readonly [field: string]: unknown;
}

/** A request and its user. Default: the admin, who may do everything that no policy refuses. */
export interface Request {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body: object;
  /** The content type of a PATCH. */
  readonly type?: string;
  /** Another user with all rights. */
  readonly user?: string;
}

export interface Answer {
  readonly status: number;
  /** The message of a refusal; empty if the API server accepts. */
  readonly message: string;
  /** The same, by each policy and pool that refuses. */
  readonly causes: readonly string[];
  /** The warnings of an accepted request. */
  readonly warnings: string;
  readonly body: Manifest;
}

interface Refusal {
  readonly message: string;
  readonly details: { readonly causes?: readonly { readonly message: string }[] };
}

export interface TenantsWorld {
  readonly cluster: ControlPlane;
  readonly ask: (request: Request) => Promise<Answer>;
  /** The stored object. @throws Error if it is refused */
  readonly create: (path: string, object: Manifest) => Promise<Manifest>;
  readonly kubectl: (...args: string[]) => Promise<string>;
  /** The VMs of pods with this name prefix, sorted. */
  readonly nodesOf: (namespace: string, prefix: string) => Promise<string[]>;
  /** Creates VMPools or changes their tenants; waits until the policy uses them. */
  readonly pools: (specs: Readonly<Record<string, VmPoolSpec>>) => Promise<void>;
  readonly close: () => Promise<void>;
}

export const MERGE = 'application/merge-patch+json';
export const POOL = 'apprelease.dev/pool';
const PROBE = 'probe';

/** Takes about 10 s; creates `namespaces` with their labels. */
export async function createTenantsWorld(
  namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<TenantsWorld> {
  const cluster = await startControlPlane();
  const dispatcher = new Agent({ connect: { ca: readFileSync(cluster.caFile) } });

  async function ask({ method, path, body, type = 'application/json', user }: Request): Promise<Answer> {
    const headers = {
      authorization: `Bearer ${cluster.adminToken}`,
      'content-type': type,
      ...(user !== undefined && { 'impersonate-user': user, 'impersonate-group': 'system:masters' }),
    };
    const init = { method, headers, body: JSON.stringify(body), dispatcher };
    const response = await fetch(cluster.url + path, init);
    const answer = (await response.json()) as Manifest & Partial<Refusal>;
    return {
      status: response.status,
      message: response.ok ? '' : (answer.message ?? ''),
      causes: (answer.details?.causes ?? []).map(({ message }) => message),
      warnings: response.headers.get('warning') ?? '',
      body: answer,
    };
  }

  async function create(path: string, object: Manifest): Promise<Manifest> {
    const { status, message, body } = await ask({ method: 'POST', path, body: object });
    // A failed attempt of the test created it.
    if (message !== '' && status !== 409) throw new Error(message);
    return body;
  }

  async function pools(specs: Readonly<Record<string, VmPoolSpec>>): Promise<void> {
    // When the last one is known, the previous ones are too.
    const probe: VmPoolSpec = { nodeSelector: { [PROBE]: 'yes' }, tenants: { namespaces: [] } };
    const items = Object.entries({ ...specs, [PROBE]: probe }).map(([name, spec]) => ({
      apiVersion: API_VERSION,
      kind: 'VMPool',
      metadata: { name },
      spec,
    }));
    for (const item of items) await cluster.kubectl(['apply', '--filename=-'], { input: JSON.stringify(item) });
    const refused = async () => (await ask(tryPod('default', { nodeSelector: probe.nodeSelector }))).message;
    const options = { timeout: 100_000, interval: 100 };
    await vi.waitFor(async () => {
      expect(await refused()).toContain(`VMPool ${PROBE} is closed to namespace default`);
    }, options);
    await cluster.kubectl(['delete', 'vmpool', PROBE]);
    await vi.waitFor(async () => {
      expect(await refused()).toBe('');
    }, options);
  }

  await addNodes(cluster, ...standardPools, { name: 'general', count: 2 });
  await installCrds(cluster);
  await cluster.kubectl(['apply', '-k', join(import.meta.dirname, '../../manifests/policies')]);
  for (const [name, labels] of Object.entries(namespaces)) {
    await create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
    await vi.waitFor(() => cluster.kubectl(['get', 'serviceaccount', 'default', `--namespace=${name}`]), 20_000);
  }
  return {
    cluster,
    ask,
    create,
    kubectl: (...args) => cluster.kubectl(args),
    nodesOf: async (namespace, prefix) => {
      const columns = '--output=jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName}{"\\n"}{end}';
      const lines = (await cluster.kubectl(['get', 'pods', `--namespace=${namespace}`, columns])).split('\n');
      const placed = lines.map((line) => line.split(' ')).filter(([name]) => name?.startsWith(prefix));
      return placed.flatMap(([, node = '']) => (node === '' ? [] : [node])).toSorted();
    },
    pools,
    close: async () => {
      await dispatcher.close();
      await cluster.stop();
    },
  };
}

export function podsPath(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/pods`;
}

function podSpec(spec: Fields = {}): Fields {
  return { containers: [{ name: 'app', image: 'registry.example.com/app:1' }], ...spec };
}

export function pod(spec: Fields = {}, metadata: Manifest['metadata'] = { name: 'guest' }): Manifest {
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: podSpec(spec) };
}

/** Whether a pod would be admitted; it is not stored. */
export function tryPod(namespace: string, spec: Fields, metadata?: Manifest['metadata']): Request {
  return { method: 'POST', path: `${podsPath(namespace)}?dryRun=All`, body: pod(spec, metadata) };
}

/** A merge patch. */
export function change(path: string, body: object): Request {
  return { method: 'PATCH', path, body, type: MERGE };
}

/** Required node affinity with one term for each list of expressions. */
export function required(...terms: readonly (readonly object[])[]): Fields {
  const nodeSelectorTerms = terms.map((matchExpressions) => ({ matchExpressions }));
  return { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } } };
}

export function preferred(preference: object): Fields {
  const terms = [{ weight: 100, preference }];
  return { affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: terms } } };
}

/** Required node affinity to nodes by their names. */
export function pinned(...names: readonly string[]): Fields {
  const nodeSelectorTerms = names.map((name) => ({
    matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }],
  }));
  return { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } } };
}

export function appRelease(pools: readonly (string | Pick<Pool, 'name' | 'nodeSelector'>)[], name = 'web'): Manifest {
  const stages = [{ name: 'all', pools: pools.map((pool) => (typeof pool === 'string' ? { name: pool } : pool)) }];
  const spec = release('registry.example.com/shop/web:1.0', { stages });
  return { apiVersion: API_VERSION, kind: 'AppRelease', metadata: { name }, spec };
}

export function releasesOf(namespace: string): string {
  return `/apis/${API_VERSION}/namespaces/${namespace}/appreleases`;
}

export function taintOf(pool: string): Toleration {
  return { key: POOL, operator: 'Equal', value: pool, effect: 'NoSchedule' };
}

export const EVERY_TAINT: Toleration = { operator: 'Exists' };

/** The required message: the pool, the namespace and the way out. */
export function refusal(pool: string, namespace: string): RegExp {
  const wayOut = `Choose other VMs, or have namespace ${namespace} added to spec.tenants of VMPool ${pool}`;
  return new RegExp(`VMPool ${pool} is closed to namespace ${namespace}: .*\\. ${wayOut}`);
}

/** Controllers with the pod template; `name` is also the name of the pods. */
export function workload(kind: string, name: string, spec: Fields): Manifest {
  const labels = { app: name };
  const isJob = kind === 'Job';
  const template = { metadata: { labels }, spec: podSpec({ ...(isJob && { restartPolicy: 'Never' }), ...spec }) };
  return {
    apiVersion: isJob ? 'batch/v1' : 'apps/v1',
    kind,
    metadata: { name },
    spec: { template, ...(!isJob && { selector: { matchLabels: labels } }) },
  };
}

export function workloadsOf(namespace: string, kind: string): string {
  return `/apis/${kind === 'Job' ? 'batch' : 'apps'}/v1/namespaces/${namespace}/${kind.toLowerCase()}s`;
}
