// The namespace of one test on the kind cluster, with user actions and checks. User commands run kubectl;
// repeated checks do not, because each start of kubectl costs more than the checks.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { inject, test as base } from 'vitest';
import { API_VERSION } from '../../src/api/meta.ts';
import type { AppRelease } from '../../src/api/app-release.ts';
import type { AppReleaseStatus } from '../../src/api/app-release-status.ts';
import type { Condition } from '../../src/api/common.ts';
import { APP_RELEASES, ROLLBACKS } from '../../src/controller/kinds/api-kinds.ts';
import { createClient } from '../../src/kube/client.ts';
import type { KubeObject, Live, WireMetadata, Resource } from '../../src/kube/types.ts';
import { pushImage } from '../cluster/images.ts';
import { waitFor } from '../cluster/processes.ts';
import { startRegistry } from '../cluster/registry.ts';
import type { PushedImage, Registry } from '../cluster/types.ts';
import { execute, kindDir, prepareEngine, type Engine } from '../kind/engine.ts';
import type { Spec } from '../integration/release-objects.ts';
import { NAMESPACE, OPERATOR } from './operator.ts';

const given = inject('e2e');
const worker = Number(process.env['VITEST_POOL_ID']);
/** The registry of the tests in this process. */
export const e2e = { ...given, registry: registryOf(worker) };
const kubeConfig = new KubeConfig();
kubeConfig.loadFromFile(e2e.cluster.kubeconfigPath);
/** An administrator's client. */
export const api = createClient(kubeConfig);

function registryOf(id: number): string {
  const host = given.registries[id - 1];
  if (host === undefined) throw new Error(`no registry for worker ${id} of ${given.registries.length}`);
  return host;
}

/** The behaviour of the app: serve, exit at once, or never become ready. */
export type Behaviour = 'serve' | 'crash' | 'unready';

export interface Images {
  readonly registry: Registry;
  /** Pushes a version of the app once; returns its image by tag. */
  readonly push: (version: string, behaviour?: Behaviour) => Promise<PushedImage>;
  /** Pushes another image under the same tag. */
  readonly move: (version: string) => Promise<PushedImage>;
}

/** Applies a manifest in the test's namespace. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

export interface PodView {
  readonly name: string;
  readonly uid: string;
  readonly pool: string;
  readonly node: string;
  readonly ready: boolean;
  readonly image: string;
  readonly imageID: string;
  /** RFC 3339 */
  readonly createdAt: string;
}

export interface World {
  readonly namespace: string;
  readonly engine: Engine;
  readonly images: Images;
  /** The image of a version that serves. */
  readonly image: (version: string) => Promise<string>;
  /** kubectl in the test's namespace. */
  readonly kubectl: (...args: string[]) => Promise<string>;
  readonly create: (manifest: Manifest) => Promise<void>;
  readonly apply: (spec: Spec) => Promise<void>;
  /** Returns the time of the request to the API server (ms since the epoch). */
  readonly rollback: (name: string, spec?: object) => Promise<number>;
  readonly promote: (name: string, spec: object) => Promise<void>;
  readonly release: () => Promise<Live<KubeObject & Pick<AppRelease, 'spec' | 'status'>>>;
  readonly status: () => Promise<AppReleaseStatus>;
  /** Waits until the condition of the newest generation has the status and, if given, the reason. */
  readonly conditionIs: (type: string, status: Condition['status'], reason?: string) => Promise<Condition>;
  /** Waits until the version serves in every pool. */
  readonly released: (version: string) => Promise<void>;
  /** Waits until the pool's Service selects the version. */
  readonly serves: (pool: string, version: string) => Promise<void>;
  readonly pods: (pool?: string) => Promise<PodView[]>;
  readonly until: (what: string, condition: () => Promise<boolean>, timeoutSeconds?: number) => Promise<void>;
}

interface Fixtures {
  images: Images;
  world: World;
}

export const test = base.extend<Fixtures>({
  images: [
    // eslint-disable-next-line no-empty-pattern -- vitest requires this form
    async ({}, use) => {
      const images = await startImages(e2e.registry);
      await use(images);
      await images.registry.stop();
    },
    { scope: 'file' },
  ],
  world: async ({ images }, use) => {
    const world = await makeWorld(images);
    await use(world);
    await kubectl('delete', 'namespace', world.namespace, '--wait=false');
  },
});

/** The registry that the nodes trust, with the same images for every test file. */
export async function startImages(host: string, options: Parameters<typeof startRegistry>[0] = {}): Promise<Images> {
  const [address = '', port] = host.split(':');
  const dir = join(kindDir, `registry-${port ?? ''}`);
  const registry = await startRegistry({ ...options, address, port: Number(port), dir });
  const executable = await readFile(e2e.app);
  const platforms = [`linux/${process.arch === 'arm64' ? 'arm64' : 'amd64'}`];
  const pushed = new Map<string, Promise<PushedImage>>();
  function push(version: string, behaviour: Behaviour, content?: string): Promise<PushedImage> {
    const env = [`VERSION=${version}`, `BEHAVIOUR=${behaviour}`];
    return pushImage(registry, 'shop/web', version, {
      executable,
      platforms,
      env,
      ...(content !== undefined && { content }),
    });
  }
  return {
    registry,
    push: (version, behaviour = 'serve') => {
      const image = pushed.get(version) ?? push(version, behaviour);
      pushed.set(version, image);
      return image;
    },
    move: (version) => push(version, 'serve', randomBytes(8).toString('hex')),
  };
}

export function kubectl(...args: string[]): Promise<string> {
  return execute(e2e.kubectl, [`--kubeconfig=${e2e.cluster.kubeconfigPath}`, ...args]);
}

/** kubectl with a manifest as its input. */
export function send(command: readonly string[], manifest: object): Promise<string> {
  const input = JSON.stringify(manifest);
  return execute(e2e.kubectl, [`--kubeconfig=${e2e.cluster.kubeconfigPath}`, ...command], { input });
}

async function makeWorld(images: Images): Promise<World> {
  const namespace = `e2e-${randomBytes(4).toString('hex')}`;
  const engine = await prepareEngine();
  await kubectl('create', 'namespace', namespace);
  const own = (...args: string[]) => kubectl(`--namespace=${namespace}`, ...args);

  async function create({ metadata, ...manifest }: Manifest): Promise<void> {
    await send(['create', '--filename=-'], { ...manifest, metadata: { ...metadata, namespace } });
  }

  function release() {
    return api.get(APP_RELEASES, { namespace, name: 'web' });
  }

  async function describe(): Promise<string> {
    const parts = [
      own('get', 'appreleases,releaserollbacks,releasepromotions,deployments,services,pods', '--output=wide'),
      own('describe', 'apprelease', 'web'),
      kubectl('logs', OPERATOR, `--namespace=${NAMESPACE}`, '--all-pods', '--tail=60'),
    ];
    return (await Promise.allSettled(parts)).map((part) => (part.status === 'fulfilled' ? part.value : '')).join('\n');
  }

  async function until(what: string, condition: () => Promise<boolean>, timeoutSeconds = 120): Promise<void> {
    try {
      await waitFor(what, condition, { timeoutSeconds, interval: 100 });
    } catch (cause) {
      throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${await describe()}`, { cause });
    }
  }

  async function conditionIs(type: string, status: Condition['status'], reason?: string): Promise<Condition> {
    let found: Condition | undefined;
    await until(`condition ${type}=${status} ${reason ?? ''}`, async () => {
      const { metadata, status: seen } = await release();
      found = seen?.conditions?.find((condition) => condition.type === type);
      return (
        found?.status === status &&
        found.observedGeneration === metadata.generation &&
        (reason === undefined || found.reason === reason)
      );
    });
    return found as Condition;
  }

  return {
    namespace,
    engine,
    images,
    image: async (version) => (await images.push(version)).image,
    kubectl: own,
    create,
    apply: async (spec) => {
      const metadata = { name: 'web', namespace };
      await send(['apply', '--filename=-'], { apiVersion: API_VERSION, kind: 'AppRelease', metadata, spec });
    },
    rollback: async (name, spec = {}) => {
      const asked = Date.now();
      // Without kubectl, whose start would count.
      await api.create(ROLLBACKS, {
        apiVersion: API_VERSION,
        kind: 'ReleaseRollback',
        metadata: { name, namespace },
        spec: { release: 'web', force: false, ...spec },
      });
      return asked;
    },
    promote: (name, spec) =>
      create({
        apiVersion: API_VERSION,
        kind: 'ReleasePromotion',
        metadata: { name },
        spec: { release: 'web', ...spec },
      }),
    release,
    status: async () => (await release()).status ?? {},
    conditionIs,
    released: async (version) => {
      await conditionIs('Ready', 'True');
      await until(`version ${version} everywhere`, async () =>
        ((await release()).status?.pools ?? []).every((pool) => pool.version === version),
      );
    },
    serves: (pool, version) =>
      until(`version ${version} in pool ${pool}`, async () =>
        ((await release()).status?.pools ?? []).some((seen) => seen.name === pool && seen.version === version),
      ),
    pods: async (pool) => {
      const { items } = await api.list(PODS, { namespace, labelSelector: 'apprelease.dev/release=web' });
      return items
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
        .map(viewPod)
        .filter((pod) => pool === undefined || pod.pool === pool);
    },
    until,
  };
}

interface WirePod {
  metadata?: WireMetadata;
  spec: { nodeName?: string; containers: { image: string }[] };
  status: { conditions?: { type: string; status: string }[]; containerStatuses?: { imageID: string }[] };
}

const PODS: Resource<WirePod> = { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };

function viewPod({ metadata, spec, status }: Live<WirePod>): PodView {
  return {
    name: metadata.name,
    uid: metadata.uid,
    pool: metadata.labels?.['apprelease.dev/pool'] ?? '',
    node: spec.nodeName ?? '',
    ready: status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false,
    image: spec.containers[0]?.image ?? '',
    imageID: status.containerStatuses?.[0]?.imageID ?? '',
    createdAt: metadata.creationTimestamp,
  };
}
