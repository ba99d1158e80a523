// The checker of the invariant. It watches the API server and does not rely on the operator.
import { randomUUID } from 'node:crypto';
import type { KubeClient, KubeObject, Live, Resource } from '../../src/kube/types.ts';
import { APP_RELEASES } from '../../src/controller/kinds/api-kinds.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { PODS } from '../../src/controller/kinds/pods.ts';
import { SERVICES } from '../../src/controller/kinds/services.ts';
import { LABEL } from '../../src/api/meta.ts';
import { serviceName } from '../../src/release/record/names.ts';
import { isAborted, isGone } from '../../src/kube/errors.ts';
import { waitFor } from '../cluster/processes.ts';
import type { ClusterDetails } from '../cluster/types.ts';
import { connectAs } from './release-operator.ts';

/** One state of one object, with its resource version. */
export interface StateChange {
  readonly version: number;
  readonly kind: Kind;
  readonly name: string;
  /** Undefined: the object was deleted. */
  readonly object: Watched | undefined;
}

export type Kind = 'AppRelease' | 'Service' | 'Deployment' | 'Pod';

/** The fields that the checker reads. */
export interface Watched {
  readonly metadata: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec?: {
    readonly selector?: Readonly<Record<string, unknown>>;
    readonly replicas?: number;
    readonly template?: { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> } };
    readonly ports?: readonly { readonly targetPort?: number | string }[];
    readonly containers?: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly stages?: readonly { readonly pools: readonly PoolSpec[] }[];
  };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

interface Container {
  readonly ports?: readonly { readonly name?: string }[];
}

interface PoolSpec {
  readonly name: string;
  readonly replicas?: number;
  readonly serviceName?: string;
}

type State = Readonly<Record<Kind, Map<string, Watched>>>;

export interface Invariant {
  /** All violations before the call. */
  readonly violations: () => Promise<string[]>;
  /** The number of writes that could have violated it: a checker that saw none proves nothing. */
  readonly judged: () => Promise<number>;
  /** After a restart of the API server: returns when every write from now on is seen. Needs an object of each kind. */
  readonly resume: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Watches a namespace from now on, also over restarts of the API server. Unseen writes are not checked. */
export async function watchInvariant(cluster: ClusterDetails, namespace: string): Promise<Invariant> {
  const client = connectAs(cluster);
  const ending = new AbortController();
  const history: StateChange[] = [];
  const seen: Record<Kind, Map<string, number>> = {
    AppRelease: new Map(),
    Service: new Map(),
    Deployment: new Map(),
    Pod: new Map(),
  };
  /** Version ranges in which events may be missing, or come from differences of lists. */
  const gaps: [number, number][] = [];

  function note(kind: Kind, name: string, version: number, object: Watched | undefined): void {
    history.push({ kind, name, version, object });
    if (object) seen[kind].set(name, version);
    else seen[kind].delete(name);
  }

  /** Adds a list; returns its version. */
  async function relist(kind: Kind, resource: Resource, since: number): Promise<number> {
    const list = await client.list(resource, { namespace });
    const version = Number(list.resourceVersion);
    const names = new Set(list.items.map(({ metadata }) => metadata.name));
    const known = history.length;
    for (const item of list.items) {
      const itemVersion = Number(item.metadata.resourceVersion);
      if (seen[kind].get(item.metadata.name) !== itemVersion) note(kind, item.metadata.name, itemVersion, keep(item));
    }
    for (const name of [...seen[kind].keys()]) if (!names.has(name)) note(kind, name, version, undefined);
    if (history.length > known) gaps.push([since, version]);
    return version;
  }

  async function follow(kind: Kind, resource: Resource, first: number): Promise<void> {
    let version = first;
    while (!ending.signal.aborted) {
      try {
        const options = { namespace, resourceVersion: String(version), signal: ending.signal };
        for await (const event of client.watch(resource, { ...options, timeoutSeconds: 600, idleTimeoutMs: 90_000 })) {
          version = Number(event.type === 'BOOKMARK' ? event.resourceVersion : event.object.metadata.resourceVersion);
          if (event.type === 'BOOKMARK') continue;
          note(kind, event.object.metadata.name, version, event.type === 'DELETED' ? undefined : keep(event.object));
        }
      } catch (error) {
        if (isAborted(error)) return;
        if (isGone(error)) version = await relist(kind, resource, version).catch(() => version);
        else await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  const firsts = await Promise.all(KINDS.map(([kind, resource]) => firstList(() => relist(kind, resource, 0))));
  const watching = KINDS.map(([kind, resource], index) => follow(kind, resource, firsts[index] ?? 0));

  /** Waits until all events up to now have arrived. */
  async function catchUp(): Promise<void> {
    await waitFor('events of everything that was written', async () => isCurrent(client, namespace, seen), {
      timeoutSeconds: 30,
    });
  }

  /** A mark on an object of each kind: who tells of it watches again. */
  async function resume(): Promise<void> {
    async function mark(resource: Resource): Promise<boolean> {
      const [first] = (await client.list(resource, { namespace })).items;
      const body = { metadata: { annotations: { 'test.apprelease.dev/mark': randomUUID() } } };
      if (first) await client.patch(resource, { namespace, name: first.metadata.name }, { type: 'merge', body });
      return first !== undefined;
    }
    for (const [kind, resource] of KINDS)
      await waitFor(`a marked ${kind}`, () => mark(resource), { timeoutSeconds: 30 });
    await catchUp();
  }

  async function verdict(): Promise<Verdict> {
    await catchUp();
    return judge(history, (version) => gaps.some(([from, to]) => version > from && version <= to));
  }
  return {
    violations: async () => (await verdict()).violations,
    judged: async () => (await verdict()).judged,
    resume,
    stop: async () => {
      ending.abort();
      await Promise.all(watching);
      await client.close();
    },
  };
}

/** The API server needs a moment for a new kind. */
async function firstList(list: () => Promise<number>): Promise<number> {
  let version = 0;
  const listed = async () => {
    version = await list();
    return true;
  };
  await waitFor('first list', listed, { timeoutSeconds: 30 });
  return version;
}

const KINDS: readonly (readonly [Kind, Resource])[] = [
  ['AppRelease', APP_RELEASES],
  ['Service', SERVICES],
  ['Deployment', DEPLOYMENTS],
  ['Pod', PODS],
];

function keep(object: Live<KubeObject>): Watched {
  const { metadata, spec, status } = object as unknown as Watched;
  return { metadata, ...(spec && { spec }), ...(status && { status }) };
}

async function isCurrent(client: KubeClient, namespace: string, seen: Record<Kind, Map<string, number>>) {
  for (const [kind, resource] of KINDS) {
    const { items } = await client.list(resource, { namespace });
    const isBehind = items.some(
      ({ metadata }) => (seen[kind].get(metadata.name) ?? 0) < Number(metadata.resourceVersion),
    );
    const names = new Set(items.map(({ metadata }) => metadata.name));
    if (isBehind || [...seen[kind].keys()].some((name) => !names.has(name))) return false;
  }
  return true;
}

export interface Verdict {
  readonly violations: string[];
  readonly judged: number;
}

/** Replays all writes in storage order, and checks each against the state before it. */
export function judge(history: readonly StateChange[], isUnsure: (version: number) => boolean = () => false): Verdict {
  const state: State = { AppRelease: new Map(), Service: new Map(), Deployment: new Map(), Pod: new Map() };
  const violations: string[] = [];
  let judged = 0;
  for (const change of history.toSorted((a, b) => a.version - b.version)) {
    const effects = isUnsure(change.version) ? [] : effectsOf(state, change);
    for (const { service, before, after, what } of effects) {
      judged += 1;
      const replicas = expectedReplicas(state, service);
      if (replicas === undefined || after >= before || after >= replicas) continue;
      violations.push(
        `@${change.version} ${what}: Service ${service} went from ${before} ready pods to ${after}, of ${replicas}`,
      );
    }
    const led = isUnsure(change.version) ? [] : ledAstray(state, change);
    violations.push(...led.map((what) => `@${change.version} ${what}`));
    if (change.object) state[change.kind].set(change.name, change.object);
    else state[change.kind].delete(change.name);
  }
  return { violations, judged };
}

/** Whether a Service selects a pod of another release, or has a named port that one of its ready pods lacks. */
function ledAstray(state: State, { kind, name, object }: StateChange): string[] {
  if (!object || (kind !== 'Service' && kind !== 'Pod')) return [];
  const before = state[kind].get(name);
  const services = kind === 'Service' ? [[name, object] as const] : [...state.Service];
  const pods = kind === 'Pod' ? [[name, object] as const] : [...state.Pod];
  // An existing violation is reported once.
  const isNew = kind === 'Pod' ? !before : traffic(before) !== traffic(object);
  if (!isNew) return [];
  return services.flatMap(([service, { metadata, spec }]) => {
    const release = metadata.labels?.[LABEL.release];
    if (release === undefined) return [];
    const behind = pods.filter(([, pod]) => matches(spec?.selector, pod.metadata.labels ?? {}));
    const strangers = behind.filter(([, pod]) => pod.metadata.labels?.[LABEL.release] !== release);
    const named = (spec?.ports ?? []).flatMap(({ targetPort }) => (typeof targetPort === 'string' ? [targetPort] : []));
    const deaf =
      kind === 'Service' ? behind.filter(([, pod]) => isReady(pod) && !named.every((port) => has(pod, port))) : [];
    return [
      ...strangers.map(([pod]) => `Service ${service} leads to pod ${pod} of another release`),
      ...deaf.map(([pod]) => `Service ${service} has a port that pod ${pod} has not`),
    ];
  });
}

function traffic(service: Watched | undefined): string {
  return JSON.stringify([service?.spec?.selector, service?.spec?.ports]);
}

function has({ spec }: Watched, port: string): boolean {
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].some(({ ports = [] }) =>
    ports.some(({ name }) => name === port),
  );
}

interface Effect {
  readonly service: string;
  /** Ready pods behind the Service. */
  readonly before: number;
  readonly after: number;
  readonly what: string;
}

function effectsOf(state: State, { kind, name, object }: StateChange): Effect[] {
  const before = state[kind].get(name);
  if (!before) return [];
  if (kind === 'Service') {
    const [from, to] = [before.spec?.selector, object?.spec?.selector];
    if (JSON.stringify(from) === JSON.stringify(to)) return [];
    const what = object ? `${JSON.stringify(from)} → ${JSON.stringify(to)}` : 'deleted';
    return [{ service: name, before: readyPods(state, from).length, after: readyPods(state, to).length, what }];
  }
  return kind === 'Deployment' ? deploymentEffects(state, name, before, object) : [];
}

/** Fewer replicas end pods. The Deployment controller first removes pods that are not ready. */
function deploymentEffects(state: State, name: string, before: Watched, object: Watched | undefined): Effect[] {
  const isLeaving = object === undefined || object.metadata.deletionTimestamp !== undefined;
  const left = isLeaving ? 0 : (object.spec?.replicas ?? 1);
  if (left >= (before.spec?.replicas ?? 1)) return [];
  const own = before.spec?.template?.metadata?.labels ?? {};
  return [...state.Service].flatMap(([service, { spec }]) => {
    if (!matches(spec?.selector, own)) return [];
    const ready = readyPods(state, spec?.selector);
    const workload = own[LABEL.workload];
    const others = ready.filter(({ metadata }) => metadata.labels?.[LABEL.workload] !== workload).length;
    const after = others + Math.min(left, ready.length - others);
    return [
      { service, before: ready.length, after, what: `Deployment ${name} ${isLeaving ? 'deleted' : `→ ${left}`}` },
    ];
  });
}

function readyPods(state: State, selector: Readonly<Record<string, unknown>> | undefined): Watched[] {
  return [...state.Pod.values()].filter(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined &&
      matches(selector, metadata.labels ?? {}) &&
      isReady({ metadata, ...(status && { status }) }),
  );
}

function isReady({ status }: Watched): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
}

function matches(
  selector: Readonly<Record<string, unknown>> | undefined,
  labels: Readonly<Record<string, string>>,
): boolean {
  const pairs = Object.entries(selector ?? {});
  return pairs.length > 0 && pairs.every(([key, value]) => labels[key] === value);
}

/** The wanted replicas of the pools behind a Service; undefined if no release has such a pool any more, so that it may be deleted. */
function expectedReplicas(state: State, service: string): number | undefined {
  const pools = [...state.AppRelease].flatMap(([release, { metadata, spec }]) =>
    metadata.deletionTimestamp === undefined
      ? (spec?.stages ?? []).flatMap((stage) => stage.pools.filter((pool) => serviceName(release, pool) === service))
      : [],
  );
  return pools.length === 0 ? undefined : pools.reduce((sum, { replicas = 1 }) => sum + replicas, 0);
}
