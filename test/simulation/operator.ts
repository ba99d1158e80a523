/** The operator as a process: the real reconciler, its caches fed through a lag, its queue, its requests one by one. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { isStale } from '../../src/controller/release/conflicts.ts';
import type { Pass } from '../../src/controller/controller.ts';
import { isRunning, STALE_RETRY_MS } from '../../src/controller/controller.ts';
import { createReconciler } from '../../src/controller/release/reconcile.ts';
import type { ReconcileContext } from '../../src/controller/release/context.ts';
import { isKubeError, KubeError } from '../../src/kube/errors.ts';
import type { KubeClient, KubeObject, ListOptions, Live, ObjectList, Resource } from '../../src/kube/types.ts';
import type { Notice } from '../../src/release/record/actions.ts';
import type { DigestLookup } from '../../src/release/state/observed.ts';
import type { ApiServer, SentObject, WriteAs } from './api-server.ts';
import { createFeeds } from './feeds.ts';
import type { Knowledge } from './feeds.ts';
import type { Random } from './prng.ts';
import type { Registry } from './registry.ts';
import type { World } from './world.ts';

/** Probabilities of faults. */
export interface Faults {
  /** A change arrives in a cache without an enqueue. */
  lose: number;
  /** An extra pass without a change. */
  repeat: number;
  /** A write is refused: 409, 429, 500, or no answer. */
  refuse: number;
  /** A write is applied, and its answer is lost. */
  forget: number;
  /** The process ends after a write. */
  crash: number;
  /** A webhook for Deployments hangs during a write. */
  hang: number;
}

export const NO_FAULTS: Faults = { lose: 0, repeat: 0, refuse: 0, forget: 0, crash: 0, hang: 0 };

/** A pending request to the API server. */
export interface Request {
  kind: string;
  /** A write or its dry run: admission sees it. */
  asksAdmission: boolean;
  writes: boolean;
  /** Whether it carries a version, so that a conflict is possible. */
  conditional: boolean;
  perform: () => unknown;
  resolve: (answer: unknown) => void;
  reject: (error: unknown) => void;
  /** The caches when the request was sent. */
  knowledge: Knowledge;
}

type Sent = Omit<Request, 'resolve' | 'reject' | 'knowledge'>;

export interface Operator {
  name: string;
  /** The possible next steps. */
  runnable: () => { kind: 'request' | 'deliver' | 'pass' | 'resolve'; step: () => void }[];
  /** A crash: memory is lost, requests get no answer, caches are listed again. */
  crash: () => void;
  /** The caches that the running or last pass over a release used. */
  knowledge: Knowledge;
  /** Enqueues every release. */
  resync: () => void;
  /** The number of answered writes. */
  writes: () => number;
}

export interface OperatorOptions {
  name: string;
  leadsAnew: () => boolean;
  world: World;
  api: ApiServer;
  registry: Registry;
  random: Random;
  faults: () => Faults;
  record: (release: string, notice: Notice) => void;
  /** Called after each applied write; true: crash. */
  crashesAfter?: (writes: number) => boolean;
  onCrash: () => void;
  /** Passes that threw another error than one of the API server. */
  onBug: (error: unknown) => void;
}

const MAX_BACKOFF_MS = 60_000;
/** The next resync handles changes without an enqueue. */
const RESYNC_MS = 300_000;
const REGISTRY_RETRY_MS = 15_000;
/** The operator gives up a request after this time; the API server then gives up the write. */
const TIMEOUT_MS = 10_000;

export function createOperator(options: OperatorOptions): Operator {
  const { name, world, random } = options;
  let running = createProcess(options, done);
  let writes = 0;

  function done(): void {
    writes += 1;
    if (options.crashesAfter?.(writes) ?? random.chance(options.faults().crash)) crash();
  }

  function crash(): void {
    options.onCrash();
    running.kill();
    running = createProcess(options, done);
    running.begin();
  }

  running.begin();
  return {
    name,
    runnable: () => running.runnable(),
    crash,
    get knowledge() {
      return running.knowledge();
    },
    resync: () => {
      for (const { metadata } of world.list('AppRelease')) running.add(`${metadata.namespace}/${metadata.name}`);
    },
    writes: () => writes,
  };
}

interface Process {
  /** The caches that the author of the present write knew, or else those of the running or last pass. */
  knowledge: () => Knowledge;
  begin: () => void;
  kill: () => void;
  add: (key: string) => void;
  runnable: Operator['runnable'];
}

function createProcess(options: OperatorOptions, done: () => void): Process {
  const { name, world, api, registry, random, faults } = options;
  const life = { alive: true, author: undefined as Knowledge | undefined };
  const waiting = new Set<string>();
  const running = new Map<string, AbortController>();
  const failures = new Map<string, number>();
  const delayed = new Map<string, { at: number; cancel: () => void }>();
  const requests: Request[] = [];
  const lookups = new Map<string, DigestLookup>();
  const asking = new Map<string, string>();
  const waitingForVms = new Set<string>();
  const feeds = createFeeds(world, notify, onVmChange);
  const context: ReconcileContext = {
    client: createClient(api, name, send),
    caches: feeds.caches,
    seesAllPods: true,
    lookupDigest: (release, image) => lookUp(`${release.metadata.namespace}/${release.metadata.name}`, image),
    now: world.now,
    record: (release, notice) => {
      if (life.alive && !notice.metricOnly) options.record(release.metadata.name, notice);
    },
    assertLeading: () => undefined,
    // With two leaders, each may have begun to lead just now.
    leadsAnew: options.leadsAnew,
    log: () => undefined,
  };
  const reconcile = createReconciler(context);
  const passing = new AsyncLocalStorage<Pass>();

  function notify(key: string, isUrgent = false): void {
    if (isRunning(passing.getStore(), key)) return;
    if (!random.chance(faults().lose)) add(key, isUrgent);
    else
      world.after(RESYNC_MS, () => {
        add(key);
      });
  }

  /** Like createVmWaiters. */
  function onVmChange(pool?: string): void {
    const keys =
      pool === undefined
        ? waitingForVms
        : feeds.caches.releases.list().map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    for (const key of keys) notify(key);
  }

  function add(key: string, isUrgent = false): void {
    if (!life.alive) return;
    waiting.add(key);
    if (isUrgent) running.get(key)?.abort();
  }

  /** Among several delayed adds the earliest counts. */
  function addAfter(key: string, ms: number): void {
    const at = world.now() + ms;
    const known = delayed.get(key);
    if (known && known.at <= at) return;
    known?.cancel();
    const cancel = world.after(ms, () => {
      delayed.delete(key);
      add(key);
    });
    delayed.set(key, { at, cancel });
  }

  async function pass(key: string): Promise<void> {
    waiting.delete(key);
    const handling = new AbortController();
    running.set(key, handling);
    const own: Pass = { key };
    try {
      const result = await passing.run(own, () => reconcile(key, handling.signal));
      const { requeueAfterMs, waitsForVms, freesRoom } = result;
      if (waitsForVms) waitingForVms.add(key);
      else waitingForVms.delete(key);
      if (freesRoom) onVmChange();
      failures.delete(key);
      if (requeueAfterMs !== undefined) addAfter(key, requeueAfterMs);
      if (random.chance(faults().repeat)) add(key);
    } catch (error) {
      if (!isKubeError(error)) options.onBug(error);
      addAfter(key, retryAfter(key, error));
    } finally {
      own.hasEnded = true;
      running.delete(key);
    }
  }

  function retryAfter(key: string, error: unknown): number {
    const failed = failures.get(key) ?? 0;
    failures.set(key, failed + 1);
    const asked = isKubeError(error) ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    const least = isStale(error) ? STALE_RETRY_MS : 0;
    return Math.max(asked, least, Math.min(MAX_BACKOFF_MS, 5 * 2 ** failed));
  }

  function send<T>(sent: Sent): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!life.alive) return;
      const knowledge = copyOf(feeds.knowledge);
      const request = { ...sent, knowledge, resolve: resolve as (answer: unknown) => void, reject };
      const hangs = hangsFor(request);
      if (hangs === undefined) requests.push(request);
      else hang(request, hangs);
    });
  }

  /** How long admission takes (ms). */
  function hangsFor({ kind, asksAdmission }: Request): number | undefined {
    if (!asksAdmission || kind !== 'Deployment') return undefined;
    return api.admission.hangs?.() ?? (random.chance(faults().hang) ? random.between(1, 12) * 1000 : undefined);
  }

  function hang(request: Request, ms: number): void {
    world.after(Math.min(ms, TIMEOUT_MS), () => {
      if (!life.alive) return;
      if (ms < TIMEOUT_MS) requests.push(request);
      else request.reject(noAnswer());
    });
  }

  function answer(request: Request): void {
    requests.splice(requests.indexOf(request), 1);
    if (request.writes && random.chance(faults().refuse)) {
      request.reject(failureOf(request, random));
      return;
    }
    let result: unknown;
    try {
      result = perform(request);
    } catch (error) {
      request.reject(error);
      return;
    }
    if (request.writes && random.chance(faults().forget)) request.reject(noAnswer());
    else request.resolve(result);
    if (request.writes) done();
  }

  function perform(request: Request): unknown {
    life.author = request.knowledge;
    try {
      return request.perform();
    } finally {
      life.author = undefined;
    }
  }

  function lookUp(key: string, image: string): DigestLookup {
    const known = lookups.get(image);
    if (known) return known;
    lookups.set(image, { state: 'pending' });
    asking.set(image, key);
    return { state: 'pending' };
  }

  function ask(image: string, key: string): void {
    asking.delete(image);
    const answered = registry.resolve(image);
    lookups.set(image, answered);
    add(key);
    if (answered.state === 'failed') {
      world.after(REGISTRY_RETRY_MS, () => {
        if (life.alive) asking.set(image, key);
      });
    }
  }

  function runnable(): ReturnType<Operator['runnable']> {
    const steps: ReturnType<Operator['runnable']> = requests.map((request) => ({
      kind: 'request',
      step: () => {
        answer(request);
      },
    }));
    for (const feed of feeds.list) if (feed.behind()) steps.push({ kind: 'deliver', step: feed.deliver });
    for (const [image, key] of asking)
      steps.push({
        kind: 'resolve',
        step: () => {
          ask(image, key);
        },
      });
    for (const key of waiting)
      if (!running.has(key))
        steps.push({
          kind: 'pass',
          step: () => {
            void pass(key);
          },
        });
    return steps;
  }

  function kill(): void {
    life.alive = false;
    for (const { cancel } of delayed.values()) cancel();
    // Pending requests may still be applied, without an answer.
    for (const request of requests) {
      if (!random.chance(0.5)) continue;
      try {
        perform(request);
      } catch {
        // A refusal gets no answer either.
      }
    }
  }

  function begin(): void {
    feeds.list.forEach((feed) => {
      feed.relist();
    });
  }

  return { knowledge: () => life.author ?? feeds.knowledge, begin, kill, add, runnable };
}

function copyOf({ release, pods, rollbacks, revisions }: Knowledge): Knowledge {
  return {
    release: new Map(release),
    pods: new Map(pods),
    rollbacks: new Map(rollbacks),
    revisions: new Map(revisions),
  };
}

/** The operator's client: each request waits for its turn. */
function createClient(api: ApiServer, actor: string, send: <T>(request: Sent) => Promise<T>): KubeClient {
  function as(given: { fieldManager?: string; force?: boolean; dryRun?: boolean } | undefined): WriteAs {
    const { fieldManager = 'unknown', force = false, dryRun = false } = given ?? {};
    return { actor, manager: fieldManager, force, dryRun };
  }
  function write<T extends KubeObject>(
    { kind }: Resource<T>,
    conditional: boolean,
    dryRun: boolean | undefined,
    perform: () => unknown,
  ) {
    return send<Live<T>>({ kind, asksAdmission: true, writes: dryRun !== true, conditional, perform });
  }
  function read<T>({ kind }: Resource, perform: () => unknown) {
    return send<T>({ kind, asksAdmission: false, writes: false, conditional: false, perform });
  }
  function unused(): never {
    throw new Error('the simulation has no such verb');
  }
  return {
    get: <T extends KubeObject>(resource: Resource<T>, { name }: { name: string }) =>
      read<Live<T>>(resource, () => api.get(resource, name)),
    create: (resource, object, options) =>
      write(resource, false, options?.dryRun, () => api.create(resource, object as SentObject, as(options))),
    apply: (resource, object, options) => {
      const { resourceVersion } = object.metadata as { resourceVersion?: string };
      return write(resource, resourceVersion !== undefined, options.dryRun, () =>
        api.apply(resource, object as SentObject, as(options)),
      );
    },
    patch: (resource, { name }, patch, options) =>
      write(resource, true, options?.dryRun, () => api.patch(resource, name, patch, as(options))),
    delete: <T extends KubeObject>(resource: Resource<T>, { name }: { name: string }, options = {}) =>
      send<Live<T> | undefined>({
        kind: resource.kind,
        asksAdmission: true,
        writes: true,
        conditional: true,
        perform: () => api.remove(resource, name, options, as({})),
      }),
    list: <T extends KubeObject>(resource: Resource<T>, { labelSelector }: ListOptions = {}) =>
      read<ObjectList<T>>(resource, () => api.list(resource, labelSelector)),
    update: unused,
    watch: unused,
    version: unused,
    close: unused,
  };
}

function noAnswer(): KubeError {
  return new KubeError({ code: 0, reason: 'ClientTimeout', message: 'no answer', verb: 'write', path: '/' });
}

function failureOf({ conditional }: Request, random: Random): KubeError {
  const base = { verb: 'write', path: '/', message: 'injected' };
  const failures = [
    new KubeError({ ...base, code: 429, reason: 'TooManyRequests', retryAfterSeconds: 1 }),
    new KubeError({ ...base, code: 500, reason: 'InternalError' }),
    new KubeError({ ...base, code: 503, reason: 'ServiceUnavailable' }),
    noAnswer(),
  ];
  const conflict = new KubeError({ ...base, code: 409, reason: 'Conflict' });
  return random.pick(conditional ? [...failures, conflict] : failures);
}
