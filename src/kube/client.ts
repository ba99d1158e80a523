/** The client: sends the verbs of the Kubernetes API as requests. */

import { createConnection } from './connection.ts';
import { createCredentialSource, type KubeConfigSource } from './credentials.ts';
import { isNotFound, KubeError } from './errors.ts';
import { exchange, exchangeLines, parse, statusError, type Call, type Exchange } from './http.ts';
import type { ServerClock } from './server-clock.ts';
import type {
  DeleteOptions,
  KubeClient,
  KubeObject,
  ListOptions,
  Live,
  ManagedWriteOptions,
  ObjectKey,
  ObjectList,
  Patch,
  RequestOptions,
  RequestRecord,
  Resource,
  Selection,
  Verb,
  WatchEvent,
  WatchOptions,
} from './types.ts';

export interface ClientOptions {
  /** Timeout in milliseconds for requests without their own. Default 10 000. */
  timeoutMs?: number;
  userAgent?: string;
  /** Called after every request, including refused and failed ones. */
  onRequest?: (record: RequestRecord) => void;
  /** Called right before a write is sent. If it returns false, the write fails with reason `NotLeader`. */
  mayWrite?: () => boolean;
  /** Learns the time of the API server from its answers. */
  clock?: Pick<ServerClock, 'onAnswer'>;
}

const DEFAULT_TIMEOUT_MS = 10_000;
/** For a server or proxy without HTTP/2. */
const HTTP1_CONNECTIONS = 16;

type Path = Pick<Call, 'resource' | 'path' | 'confidential'>;

/**
 * A client for the current context of `kubeConfig`. The first request opens the connection.
 * @throws Error if there is no current cluster
 */
export function createClient(kubeConfig: KubeConfigSource, options: ClientOptions = {}): KubeClient {
  const cluster = kubeConfig.getCurrentCluster();
  if (!cluster) throw new Error('the kubeconfig names no current cluster');
  const { origin, pathname } = new URL(cluster.server);
  const base = pathname.replace(/\/$/, '');
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const setup: Exchange = {
    origin,
    userAgent: options.userAgent ?? 'apprelease',
    credentials: createCredentialSource(kubeConfig),
    onRequest: options.onRequest,
    mayWrite: options.mayWrite,
    clock: options.clock,
  };
  const proxyUrl = cluster.proxyUrl;
  const requests = createConnection({ origin, proxyUrl, http1Connections: HTTP1_CONNECTIONS });
  // Watches have their own connection, so that a flood of events delays no write.
  const watches = createConnection({ origin, proxyUrl, http1Connections: null });
  const closing = new AbortController();

  function run<T>(call: Call, given: RequestOptions = {}): Promise<T> {
    return exchange<T>(setup, requests, { ...call, signal: given.signal }, given.timeoutMs ?? timeoutMs);
  }

  function write<T>(
    verb: Verb,
    method: Call['method'],
    path: Path,
    body: unknown,
    contentType: string,
    given: ManagedWriteOptions & { force?: boolean } = {},
  ): Promise<T> {
    return run<T>({ verb, method, ...path, query: writeQuery(given), body, contentType }, given);
  }

  async function list<T extends KubeObject>(resource: Resource<T>, given: ListOptions = {}): Promise<ObjectList<T>> {
    const call: Call = { verb: 'list', method: 'GET', ...collectionPath(base, resource, given.namespace) };
    const answer = await run<ListAnswer<T>>({ ...call, query: listQuery(given) }, given);
    for (const item of answer.items) {
      // The server sets the kind only on the list.
      item.apiVersion = resource.apiVersion;
      item.kind = resource.kind;
    }
    const next = answer.metadata.continue;
    return {
      resourceVersion: answer.metadata.resourceVersion,
      items: answer.items,
      ...(next ? { continue: next } : {}),
    };
  }

  async function remove<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    given: DeleteOptions = {},
  ): Promise<Live<T> | undefined> {
    const { preconditions, propagationPolicy, gracePeriodSeconds, dryRun } = given;
    // The server does not read the options of the query beside a body.
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions,
      propagationPolicy,
      gracePeriodSeconds,
      ...(dryRun && { dryRun: ['All'] }),
    };
    const path = objectPath(base, resource, key);
    const answer = await write<Live<T>>('delete', 'DELETE', path, body, 'application/json', given);
    return answer.kind === 'Status' || answer.metadata.deletionTimestamp === undefined ? undefined : answer;
  }

  async function* watch<T extends KubeObject>(
    resource: Resource<T>,
    given: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const path = collectionPath(base, resource, given.namespace);
    const controller = new AbortController();
    const unlink = abortTogether(controller, [given.signal, closing.signal]);
    const call: Call = { verb: 'watch', method: 'GET', ...path, query: watchQuery(given), signal: controller.signal };
    try {
      for await (const line of exchangeLines(setup, watches, call, timeoutMs, given.idleTimeoutMs)) {
        yield watchEvent<T>(call, line);
      }
    } finally {
      unlink();
      controller.abort();
    }
  }

  async function close(): Promise<void> {
    closing.abort();
    await Promise.all([requests.close(), watches.close()]);
  }

  return {
    get: (resource, key, given) => run({ verb: 'get', method: 'GET', ...objectPath(base, resource, key) }, given),
    list,
    create: (resource, object, given) => {
      const path = collectionPath(base, resource, object.metadata?.namespace);
      return write('create', 'POST', path, object, 'application/json', given);
    },
    update: (resource, object, given) =>
      write('update', 'PUT', objectPath(base, resource, object.metadata), object, 'application/json', given),
    apply: (resource, object, given) => {
      const path = objectPath(base, resource, object.metadata);
      // Every supported server knows this content type. JSON is valid YAML.
      return write('apply', 'PATCH', path, object, 'application/apply-patch+yaml', given);
    },
    patch: (resource, key, patch, given) =>
      write('patch', 'PATCH', objectPath(base, resource, key), patchBody(patch), patchType(patch), given),
    delete: remove,
    watch,
    version: (given) =>
      run({ verb: 'get', method: 'GET', resource: 'version', path: `${base}/version`, confidential: false }, given),
    close,
  };
}

/** An object, or undefined if none has that name. */
export async function getIfThere<T extends KubeObject>(
  client: Pick<KubeClient, 'get'>,
  resource: Resource<T>,
  key: ObjectKey,
  options: RequestOptions = {},
): Promise<Live<T> | undefined> {
  try {
    return await client.get(resource, key, options);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** All pages of a list. If a continue token is too old (410), lists once more without pages. */
export async function listAll<T extends KubeObject>(
  client: Pick<KubeClient, 'list'>,
  resource: Resource<T>,
  options: ListOptions & { limit: number },
): Promise<ObjectList<T>> {
  const { limit, ...rest } = options;
  let page = await client.list(resource, { ...rest, limit });
  const items = page.items;
  while (page.continue !== undefined) {
    try {
      page = await client.list(resource, { ...rest, limit, continue: page.continue });
    } catch (error) {
      if (error instanceof KubeError && error.code === 410) return client.list(resource, rest);
      throw error;
    }
    for (const item of page.items) items.push(item);
  }
  return { resourceVersion: page.resourceVersion, items };
}

interface ListAnswer<T> {
  metadata: { resourceVersion: string; continue?: string };
  items: Live<T>[];
}

function collectionPath(base: string, resource: Resource, namespace: string | undefined): Path {
  const api = resource.apiVersion.includes('/') ? 'apis' : 'api';
  const scope = resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return {
    path: `${base}/${api}/${resource.apiVersion}${scope}/${resource.plural}`,
    resource: resource.subresource === undefined ? resource.plural : `${resource.plural}/${resource.subresource}`,
    confidential: resource.apiVersion === 'v1' && resource.plural === 'secrets',
  };
}

function objectPath(base: string, resource: Resource, key: ObjectKey): Path {
  if (resource.namespaced && key.namespace === undefined) {
    throw new TypeError(`${resource.kind} ${key.name} needs a namespace`);
  }
  const collection = collectionPath(base, resource, key.namespace);
  const subresource = resource.subresource === undefined ? '' : `/${resource.subresource}`;
  return { ...collection, path: `${collection.path}/${encodeURIComponent(key.name)}${subresource}` };
}

function query(parameters: Record<string, string | number | boolean | undefined>): URLSearchParams {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== '') given.set(name, String(value));
  }
  return given;
}

function selectionQuery({ labelSelector, fieldSelector }: Selection) {
  return { labelSelector, fieldSelector };
}

function listQuery(options: ListOptions): URLSearchParams {
  const { limit, continue: token, resourceVersion, resourceVersionMatch } = options;
  return query({ ...selectionQuery(options), limit, continue: token, resourceVersion, resourceVersionMatch });
}

function watchQuery(options: WatchOptions): URLSearchParams {
  const { resourceVersion, timeoutSeconds } = options;
  return query({
    ...selectionQuery(options),
    watch: true,
    allowWatchBookmarks: true,
    resourceVersion,
    timeoutSeconds,
  });
}

function writeQuery(options: ManagedWriteOptions & { force?: boolean }): URLSearchParams {
  return query({
    fieldManager: options.fieldManager,
    fieldValidation: options.fieldValidation,
    force: options.force,
    dryRun: options.dryRun ? 'All' : undefined,
  });
}

function patchBody(patch: Patch): unknown {
  return patch.type === 'json' ? patch.operations : patch.body;
}

function patchType(patch: Patch): string {
  return patch.type === 'json' ? 'application/json-patch+json' : 'application/merge-patch+json';
}

interface WireEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: Live<T>;
}

function watchEvent<T>(call: Call, line: string): WatchEvent<T> {
  const event = parse(call, 200, line) as WireEvent<T>;
  switch (event.type) {
    case 'ERROR':
      throw statusError(call, 500, event.object);
    case 'BOOKMARK':
      return { type: 'BOOKMARK', resourceVersion: event.object.metadata.resourceVersion };
    default:
      return { type: event.type, object: event.object };
  }
}

function abortTogether(controller: AbortController, signals: (AbortSignal | undefined)[]): () => void {
  function abort(): void {
    controller.abort();
  }
  for (const signal of signals) {
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  }
  return () => {
    for (const signal of signals) signal?.removeEventListener('abort', abort);
  };
}
