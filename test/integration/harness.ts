// The test harness for releases: a namespace with its own operator, a registry, and helpers for user actions and checks.
import { randomBytes } from 'node:crypto';
import { expect, test as base } from 'vitest';
import type { AppReleaseStatus, HistoryEntry, PoolStatus } from '../../src/api/app-release-status.ts';
import type { Condition } from '../../src/api/common.ts';
import { ANNOTATION, API_VERSION, LABEL } from '../../src/api/meta.ts';
import type { ReleasePromotionSpec } from '../../src/api/release-promotion.ts';
import type { ReleaseRollbackSpec, ReleaseRollbackStatus } from '../../src/api/release-rollback.ts';
import { APP_RELEASES, PROMOTIONS, ROLLBACKS } from '../../src/controller/kinds/api-kinds.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { ENDPOINT_SLICES } from '../../src/controller/kinds/endpoint-slices.ts';
import { PODS } from '../../src/controller/kinds/pods.ts';
import { REVISIONS } from '../../src/controller/kinds/revisions.ts';
import { SERVICES } from '../../src/controller/kinds/services.ts';
import { isNotFound } from '../../src/kube/errors.ts';
import type { KubeClient, KubeObject, Live, Resource } from '../../src/kube/types.ts';
import { pushImage } from '../cluster/images.ts';
import { installCrds } from '../cluster/kubectl.ts';
import { startRegistry } from '../cluster/registry.ts';
import { behaviourAnnotation } from '../cluster/stages.ts';
import type { Behaviour, PushedImage, Registry } from '../cluster/types.ts';
import { watchInvariant } from './invariant.ts';
import { ownCluster } from './own-cluster.ts';
import type { Operator } from './release-operator.ts';
import { connectAs, createOperator } from './release-operator.ts';
import type { Spec } from './release-objects.ts';

export const cluster = ownCluster();
/** An administrator's client, for tests and never for the operator. */
export const admin: KubeClient = connectAs(cluster);

const POLL_MS = 100;
const TIMEOUT_MS = 40_000;

const NAMESPACES: Resource = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false };
const SERVICE_ACCOUNTS: Resource = {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  namespaced: true,
};

export type Manifest = KubeObject & { metadata: { name: string } };
type Promotion = Omit<ReleasePromotionSpec, 'release' | 'skipSoak'> & { release?: string; skipSoak?: boolean };
type Back = Partial<ReleaseRollbackSpec>;

/** A registry and its images. */
export interface Images {
  readonly registry: Registry;
  /** Pushes once, so that a tag has the same digest for every caller. */
  readonly push: (tag: string) => Promise<PushedImage>;
  /** Pushes another image under the same tag. */
  readonly move: (tag: string) => Promise<PushedImage>;
}

/** The namespace of one test, with user actions and checks. */
export interface World {
  readonly namespace: string;
  readonly operator: Operator;
  /** The image with this tag in the file's registry. A tag can contain a behaviour. */
  readonly image: (tag: string) => Promise<string>;
  /** Retries until the check does not throw. The failure contains the state, actions and messages of the operator. */
  readonly until: <T>(check: () => Promise<T> | T, timeoutMs?: number) => Promise<T>;
  readonly apply: (spec: Spec, options?: { name?: string; annotations?: Record<string, string> }) => Promise<void>;
  readonly status: (name?: string) => Promise<AppReleaseStatus>;
  readonly condition: (type: string, name?: string) => Promise<Condition>;
  /** Waits until the condition matches, for the newest generation. */
  readonly conditionIs: (type: string, expected: Partial<Condition>, name?: string) => Promise<Condition>;
  readonly pool: (pool: string, name?: string) => Promise<PoolStatus>;
  readonly poolIs: (pool: string, expected: object) => Promise<PoolStatus>;
  /** Waits until the newest entry of the history matches. */
  readonly newestIs: (expected: Partial<HistoryEntry>) => Promise<void>;
  /** Waits until this version serves in every pool. */
  readonly released: (version: string, name?: string) => Promise<AppReleaseStatus>;
  /** Waits until the condition is True, for the newest generation. */
  readonly stalled: (reason: string, name?: string) => Promise<Condition>;
  /** The selection of each pool's Service, by the name of the Service. */
  readonly selected: () => Promise<Record<string, number>>;
  readonly rollback: (name: string, spec?: Back) => Promise<void>;
  readonly rollbackStatus: (name: string) => Promise<ReleaseRollbackStatus>;
  /** Waits until the condition of a rollback has the status and, if given, the reason. */
  readonly rollbackIs: (
    name: string,
    type: string,
    status: Condition['status'],
    reason?: string,
  ) => Promise<ReleaseRollbackStatus>;
  readonly promote: (name: string, spec: Promotion) => Promise<void>;
  readonly promotionIs: (
    name: string,
    type: string,
    status: Condition['status'],
    reason?: string,
  ) => Promise<Condition>;
  readonly deployments: () => Promise<Live<(typeof DEPLOYMENTS)['type'] & KubeObject>[]>;
  readonly pods: (pool?: string) => Promise<PodView[]>;
  /** Changes the behaviour of a revision's pods; see Behaviour. */
  readonly behave: (revision: number, behaviour: Behaviour, pool?: string) => Promise<void>;
  readonly list: <T extends KubeObject>(resource: Resource<T>) => Promise<Live<T>[]>;
  /** A server-side kubectl apply of a user, with another manager than the operator's. */
  readonly applyAs: (manager: string, resource: Resource, object: Manifest) => Promise<void>;
  /** Edits like kubectl edit. */
  readonly merge: (resource: Resource, name: string, body: object, manager?: string) => Promise<void>;
  readonly remove: (resource: Resource, name: string) => Promise<void>;
  readonly kubectl: (...args: string[]) => Promise<string>;
  /** All states of a Service, in order. */
  readonly selections: (service: string) => ServiceState[];
  /** The revisions that a Service has selected, in order. */
  readonly timeline: (service: string) => number[];
  /** A write of the test itself that breaks the invariant. */
  readonly excuse: (violation: RegExp) => void;
  readonly describe: () => Promise<string>;
}

export interface PodView {
  readonly name: string;
  readonly uid: string;
  readonly pool: string;
  readonly revision: number;
  readonly ready: boolean;
  readonly image: string;
  readonly imageID: string;
  readonly env: Readonly<Record<string, string>>;
  readonly nodeName: string;
}

let installed: Promise<void> | undefined;

/** The three kinds, created once per test file. */
function installKinds(): Promise<void> {
  return (installed ??= installCrds(cluster));
}

interface Fixtures {
  /** A registry that the tests of a file share. */
  images: Images;
  world: World;
  /** A separate registry, which the test may stop. */
  apart: { world: World; images: Images };
}

export const test = base.extend<Fixtures>({
  images: [
    // eslint-disable-next-line no-empty-pattern -- vitest requires this form
    async ({}, use) => {
      const images = await startImages();
      await use(images);
      await images.registry.stop();
    },
    { scope: 'file' },
  ],
  world: async ({ images }, use) => {
    await withWorld(images, use);
  },
  // eslint-disable-next-line no-empty-pattern -- vitest requires this form
  apart: async ({}, use) => {
    const images = await startImages();
    await withWorld(images, (world) => use({ world, images }));
    await images.registry.stop();
  },
});

async function startImages(): Promise<Images> {
  const registry = await startRegistry();
  const pushed = new Map<string, Promise<PushedImage>>();
  return {
    registry,
    push: (tag) => {
      const image = pushed.get(tag) ?? pushImage(registry, 'shop/web', tag);
      pushed.set(tag, image);
      return image;
    },
    move: (tag) => pushImage(registry, 'shop/web', tag, { content: randomBytes(8).toString('hex') }),
  };
}

/**
 * A second world. With `everywhere` its operator watches all namespaces, and so checks the room of the
 * VMs; no other world may exist meanwhile.
 */
export async function withWorld<T>(images: Images, run: (world: World) => Promise<T>, everywhere = false): Promise<T> {
  const { world, end } = await makeWorld(images, everywhere);
  try {
    return await run(world);
  } finally {
    await end();
  }
}

async function makeWorld(images: Images, everywhere: boolean): Promise<{ world: World; end: () => Promise<void> }> {
  await installKinds();
  const namespace = `release-${randomBytes(4).toString('hex')}`;
  const labels = { 'apprelease.dev/test': 'release' };
  await admin.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } });
  const registries = [images.registry.host];
  const operator = createOperator({ cluster, registries, ...(!everywhere && { namespace }) });
  const services = watchSelections(namespace);
  const invariant = await watchInvariant(cluster, namespace);
  const excused: RegExp[] = [];
  const world = wordsFor({ namespace, operator, images, selections: services.of, excused });
  await world.until(() => admin.get(SERVICE_ACCOUNTS, { namespace, name: 'default' }));
  await operator.start();
  return {
    world,
    end: async () => {
      await operator.stop();
      const violations = await invariant.violations();
      await Promise.all([services.stop(), invariant.stop()]);
      await admin.delete(NAMESPACES, { name: namespace });
      const unexcused = violations.filter((violation) => !excused.some((pattern) => pattern.test(violation)));
      if (unexcused.length > 0) throw new Error([...unexcused, ...operator.log].join('\n'));
    },
  };
}

interface Parts extends Pick<World, 'namespace' | 'operator' | 'selections'> {
  images: Images;
  excused: RegExp[];
}

function wordsFor({ namespace, operator, images, selections, excused }: Parts): World {
  const manage = { fieldManager: 'git', force: true };

  async function list<T extends KubeObject>(resource: Resource<T>): Promise<Live<T>[]> {
    return (await admin.list(resource, { namespace })).items;
  }

  async function describe(): Promise<string> {
    const releases = await list(APP_RELEASES);
    const rollbacks = await list(ROLLBACKS);
    const promotions = await list(PROMOTIONS);
    const deployments = await list(DEPLOYMENTS);
    return [
      ...[...releases, ...rollbacks, ...promotions].flatMap(describeObject),
      ...deployments.map(
        ({ metadata, spec, status }) =>
          `Deployment ${metadata.name}: ${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
      ),
      ...(await pods()).map(({ name, ready, nodeName }) => `Pod ${name} ${ready ? 'ready' : 'unready'} on ${nodeName}`),
      ...operator.log.slice(-100),
    ].join('\n');
  }

  async function until<T>(check: () => Promise<T> | T, timeoutMs = TIMEOUT_MS): Promise<T> {
    const end = Date.now() + timeoutMs;
    for (;;) {
      try {
        return await check();
      } catch (error) {
        if (Date.now() > end) {
          const why = error instanceof Error ? error.message : String(error);
          throw new Error(`not within ${timeoutMs / 1000} s: ${why}\n${await describe()}`, { cause: error });
        }
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async function status(name = 'web'): Promise<AppReleaseStatus> {
    return (await admin.get(APP_RELEASES, { namespace, name })).status ?? {};
  }

  /** For the newest generation, because an old status proves nothing. */
  async function condition(type: string, name = 'web'): Promise<Condition> {
    const { metadata, status } = await admin.get(APP_RELEASES, { namespace, name });
    const found = status?.conditions?.find((candidate) => candidate.type === type);
    if (!found) throw new Error(`AppRelease ${name} has no condition ${type}`);
    expect(found.observedGeneration).toBe((metadata as { generation?: number }).generation);
    return found;
  }

  function conditionIs(type: string, expected: Partial<Condition>, name?: string): Promise<Condition> {
    return until(async () => {
      const found = await condition(type, name);
      expect(found).toMatchObject(expected);
      return found;
    });
  }

  async function poolStatus(pool: string, name?: string): Promise<PoolStatus> {
    const found = (await status(name)).pools?.find((candidate) => candidate.name === pool);
    if (!found) throw new Error(`no pool ${pool} in the status`);
    return found;
  }

  async function pods(pool?: string): Promise<PodView[]> {
    return (await list(PODS))
      .filter(({ metadata }) => (metadata as { deletionTimestamp?: string }).deletionTimestamp === undefined)
      .map(viewPod)
      .filter((pod) => pool === undefined || pod.pool === pool);
  }

  /** The pods of a revision, after its Deployments have created all of them. */
  function allPods(revision: number, pool?: string): Promise<PodView[]> {
    return until(async () => {
      const wanted = (await list(DEPLOYMENTS)).filter(({ metadata }) => {
        const { labels = {} } = metadata as { labels?: Record<string, string> };
        return labels[LABEL.revision] === `${revision}` && (pool === undefined || labels[LABEL.pool] === pool);
      });
      const made = (await pods(pool)).filter((pod) => pod.revision === revision);
      expect(made).toHaveLength(wanted.reduce((sum, { spec }) => sum + (spec.replicas ?? 0), 0));
      return made;
    });
  }

  async function merge(resource: Resource, name: string, body: object, manager = 'kubectl-edit'): Promise<void> {
    await admin.patch(resource, { namespace, name }, { type: 'merge', body }, { fieldManager: manager });
  }

  async function rollbackStatus(name: string): Promise<ReleaseRollbackStatus> {
    return (await admin.get(ROLLBACKS, { namespace, name })).status ?? {};
  }

  return {
    namespace,
    operator,
    image: async (tag) => (await images.push(tag)).image,
    until,
    apply: async (spec, { name = 'web', annotations } = {}) => {
      const metadata = { name, namespace, ...(annotations && { annotations }) };
      const object = { apiVersion: API_VERSION, kind: 'AppRelease', metadata, spec };
      await admin.apply(APP_RELEASES, object as never, manage);
    },
    status,
    condition,
    conditionIs,
    pool: poolStatus,
    poolIs: (pool, expected) =>
      until(async () => {
        const found = await poolStatus(pool);
        expect(found).toMatchObject(expected);
        return found;
      }),
    newestIs: (expected) =>
      until(async () => {
        expect((await status()).history?.[0]).toMatchObject(expected);
      }),
    released: (version, name) =>
      until(async () => {
        expect(await condition('Ready', name)).toMatchObject({ status: 'True' });
        const now = await status(name);
        expect(now.version).toBe(version);
        return now;
      }),
    stalled: (reason, name) => conditionIs('Stalled', { status: 'True', reason }, name),
    selected: async () => {
      const services = await list(SERVICES);
      return Object.fromEntries(services.map((service) => [service.metadata.name, selectedRevision(service)]));
    },
    rollback: async (name, spec = {}) => {
      const body = { apiVersion: API_VERSION, kind: 'ReleaseRollback', metadata: { name, namespace } };
      await admin.create(ROLLBACKS, { ...body, spec: { release: 'web', ...spec } } as never);
    },
    rollbackStatus,
    rollbackIs: (name, type, status, reason) =>
      until(async () => {
        const now = await rollbackStatus(name);
        expect(now.conditions?.find((candidate) => candidate.type === type)).toMatchObject({
          status,
          ...(reason !== undefined && { reason }),
        });
        return now;
      }),
    promote: async (name, spec) => {
      const body = { apiVersion: API_VERSION, kind: 'ReleasePromotion', metadata: { name, namespace } };
      await admin.create(PROMOTIONS, { ...body, spec: { release: 'web', ...spec } } as never);
    },
    promotionIs: (name, type, status, reason) =>
      until(async () => {
        const now = (await admin.get(PROMOTIONS, { namespace, name })).status;
        const found = now?.conditions?.find((candidate) => candidate.type === type);
        expect(found).toMatchObject({ status, ...(reason !== undefined && { reason }) });
        return found as Condition;
      }),
    deployments: () => list(DEPLOYMENTS),
    pods,
    behave: async (revision, behaviour, pool) => {
      const annotations = { [behaviourAnnotation]: behaviour };
      for (const { name } of await allPods(revision, pool)) await merge(PODS, name, { metadata: { annotations } });
    },
    list,
    applyAs: async (manager, resource, object) => {
      const { apiVersion, kind } = resource;
      const metadata = { namespace, ...object.metadata };
      await admin.apply(resource, { ...object, apiVersion, kind, metadata }, { fieldManager: manager, force: true });
    },
    merge,
    remove: async (resource, name) => {
      await admin.delete(resource, { namespace, name });
    },
    kubectl: (...args) => cluster.kubectl([`--namespace=${namespace}`, ...args]),
    selections,
    timeline: (service) =>
      selections(service)
        .map(({ revision }) => revision)
        .filter((revision, index, all) => revision !== all[index - 1]),
    excuse: (violation) => {
      excused.push(violation);
    },
    describe,
  };
}

function describeObject(object: KubeObject & { status?: { conditions?: Condition[] } }): string[] {
  const { conditions = [], ...status } = { ...object.status };
  return [
    `${object.kind ?? ''} ${object.metadata?.name ?? ''}: ${JSON.stringify(status)}`,
    ...conditions.map(({ type, status: is, reason, message }) => `  ${type}=${is} ${reason}: ${message}`),
  ];
}

function viewPod({ metadata, spec, status }: Live<NonNullable<(typeof PODS)['type']>>): PodView {
  const labels = (metadata as { labels?: Record<string, string> }).labels ?? {};
  const [container] =
    (spec as { containers?: { image: string; env?: { name: string; value?: string }[] }[] }).containers ?? [];
  return {
    name: metadata.name,
    uid: metadata.uid,
    pool: labels[LABEL.pool] ?? '',
    revision: Number(labels[LABEL.revision]),
    ready: status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false,
    image: container?.image ?? '',
    imageID: status?.containerStatuses?.[0]?.imageID ?? '',
    env: Object.fromEntries((container?.env ?? []).map(({ name, value = '' }) => [name, value])),
    nodeName: spec?.nodeName ?? '',
  };
}

function selectedRevision({ metadata }: Live<NonNullable<(typeof SERVICES)['type']>>): number {
  const { annotations = {} } = metadata as { annotations?: Record<string, string> };
  return Number(annotations[ANNOTATION.revision]);
}

/** The selector and the ports of a Service. */
export interface ServiceState {
  readonly revision: number;
  readonly track: string | undefined;
  readonly ports: readonly number[];
}

/** Records every state of every Service of a namespace, from the API server's events. */
function watchSelections(namespace: string): { of: (service: string) => ServiceState[]; stop: () => Promise<void> } {
  const selections = new Map<string, ServiceState[]>();
  const ending = new AbortController();
  const watching = (async () => {
    const { resourceVersion } = await admin.list(SERVICES, { namespace });
    const options = { namespace, resourceVersion, timeoutSeconds: 600, idleTimeoutMs: 600_000 };
    for await (const event of admin.watch(SERVICES, { ...options, signal: ending.signal })) {
      if (event.type === 'BOOKMARK' || event.type === 'DELETED') continue;
      const { metadata, spec } = event.object;
      const seen = selections.get(metadata.name) ?? [];
      selections.set(metadata.name, seen);
      seen.push({
        revision: selectedRevision(event.object),
        track: spec.selector?.[LABEL.track],
        ports: (spec.ports ?? []).map(({ port }) => port),
      });
    }
  })().catch((error: unknown) => {
    if (!ending.signal.aborted) throw error;
  });
  return {
    of: (service) => selections.get(service) ?? [],
    stop: async () => {
      ending.abort();
      await watching;
    },
  };
}

/** The pods of the ready addresses behind a Service. */
export async function endpointsOf(world: World, service: string): Promise<string[]> {
  const slices = await world.list(ENDPOINT_SLICES);
  return slices
    .filter(({ metadata }) => {
      const { labels = {} } = metadata as { labels?: Record<string, string> };
      return labels['kubernetes.io/service-name'] === service;
    })
    .flatMap(({ endpoints = [] }) => endpoints)
    .flatMap(({ conditions, targetRef }) => (conditions?.ready === false ? [] : (targetRef?.name ?? [])))
    .toSorted();
}

/** The versions of all objects that the operator writes: equal lists mean that there was no write. */
export async function versionsOf(world: World): Promise<string[]> {
  const kinds: Resource[] = [APP_RELEASES, ROLLBACKS, PROMOTIONS, REVISIONS, DEPLOYMENTS, SERVICES, PODS];
  const objects = await Promise.all(kinds.map((kind) => world.list(kind)));
  return objects.flat().map(({ kind, metadata }) => `${kind}/${metadata.name}@${metadata.resourceVersion}`);
}

/** Whether an object still exists. */
export async function exists(world: World, resource: Resource, name: string): Promise<boolean> {
  try {
    await admin.get(resource, { namespace: world.namespace, name });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
