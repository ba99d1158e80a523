import { X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import type { Dispatcher } from 'undici';
import { parseRetryAfter } from '../lib/retry-after.ts';
import type { NetworkRules } from './address-rules.ts';
import { describeCause, isTooLarge } from './failure-cause.ts';
import { fail, failHeaders, failPlainHttp, failUnreachable } from './failures.ts';
import type { FailureContext } from './failures.ts';
import { createGuardedConnector } from './guarded-connector.ts';
import { createRoute } from './proxy.ts';
import { printable } from './printable.ts';
import type { ProxyConfig, Route } from './proxy.ts';
import { readBody } from './read-body.ts';
import { createHostResolver } from './resolve-host.ts';
import type { ResolveHost } from './resolve-host.ts';
import type { RegistryRequestEvent, ResolutionFailure, UnreachableEvent } from './types.ts';

/** Larger manifests are refused, as the distribution specification proposes. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;
/** A token fits into a header. */
const MAX_TOKEN_BODY_BYTES = 128 * 1024;
/** For an answer of which only the status is read: read at most this much to reuse the connection. */
const MAX_UNREAD_BYTES = 16 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
/** Upper limit, because a server may ask to keep a connection forever. */
const MAX_KEEP_ALIVE_MS = 30_000;
const MAX_CONNECTIONS_PER_ORIGIN = 16;

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface TransportConfig {
  /** `host[:port]` of registries and token servers that may use plain HTTP. */
  readonly insecureHosts?: ReadonlySet<string>;
  /** Certificates (PEM) to trust besides the default ones. */
  readonly caBundle?: string;
  readonly proxy?: ProxyConfig;
  /** The addresses that may be connected to. Behind a proxy, the proxy decides. */
  readonly networks?: NetworkRules;
  readonly resolveHost?: ResolveHost;
  /** Timeout for a connection: name resolution, TCP and TLS; default 3,000 ms. */
  readonly connectTimeoutMs?: number;
  /** Timeout for one HTTP request with its body; default 10,000 ms. */
  readonly requestTimeoutMs?: number;
  readonly onRequest?: (event: RegistryRequestEvent) => void;
  /** A request got no answer. The cause is for the operator's log alone: users could scan the network with it. */
  readonly onUnreachable?: (event: UnreachableEvent) => void;
}

/** The context and the deadlines of a request. */
export interface Conversation extends FailureContext {
  /** The caller's signal. */
  readonly signal: AbortSignal;
  /** Aborts when the whole resolution takes too long. */
  readonly deadline: AbortSignal;
}

export interface HttpRequest {
  readonly operation: RegistryRequestEvent['operation'];
  readonly method: 'HEAD' | 'GET' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpResponse {
  readonly kind: 'response';
  readonly status: number;
  /** Whether the answer came from the original host, not from the target of a redirect. */
  readonly sameOrigin: boolean;
  readonly header: (name: string) => string | undefined;
  /** A header that may be given several times. */
  readonly headers: (name: string) => readonly string[];
  readonly retryAfterSeconds?: number;
  readonly body: Buffer;
}

export interface Transport {
  /** Follows redirects, without credentials to another origin. Never throws. */
  readonly send: (request: HttpRequest, conversation: Conversation) => Promise<HttpResponse | ResolutionFailure>;
  /** The URL of a host's API: https, or http if allowed. */
  readonly baseUrl: (host: string) => string;
  readonly close: () => Promise<void>;
}

/**
 * The HTTP client for registries: proxy from the environment, extra CA, timeouts, limited bodies, no global state.
 * @throws Error if the CA bundle or the proxy is invalid
 */
export function createTransport(config: TransportConfig = {}): Transport {
  const { requestTimeoutMs = 10_000, onRequest, onUnreachable } = config;
  const insecureHosts = new Set([...(config.insecureHosts ?? [])].map(normaliseHost));
  const route = createRouteFor(config);

  function isAllowed(url: URL): boolean {
    return url.protocol === 'https:' || (url.protocol === 'http:' && insecureHosts.has(url.host));
  }

  async function sendOnce(request: HttpRequest, conversation: Conversation): Promise<Answer | ResolutionFailure> {
    const server = describeServer(request, conversation);
    if (!isAllowed(request.url)) return failPlainHttp(conversation, server);
    const timeout = AbortSignal.timeout(requestTimeoutMs);
    const signal = AbortSignal.any([conversation.signal, conversation.deadline, timeout]);
    try {
      const answer = await exchange(route.to(request.url), request, signal);
      if (answer !== undefined) return answer;
      return fail('InvalidResponse', conversation, `the answer of ${server} is larger than ${describeLimit(request)}`);
    } catch (error) {
      if (conversation.signal.aborted) return fail('Aborted', conversation, 'the resolution was stopped');
      if (isTooLarge(error)) return failHeaders(conversation, server);
      const { image, registry } = conversation;
      const cause = signal.aborted ? 'no answer in time' : describeCause(error);
      onUnreachable?.({ image, registry, host: request.url.host, cause });
      return failUnreachable(conversation, server);
    }
  }

  async function sendMeasured(request: HttpRequest, conversation: Conversation) {
    const start = performance.now();
    const result = await sendOnce(request, conversation);
    onRequest?.({
      registry: conversation.registry,
      operation: request.operation,
      outcome: result.kind === 'failed' ? result.reason : result.status,
      seconds: (performance.now() - start) / 1000,
    });
    return result;
  }

  async function send(request: HttpRequest, conversation: Conversation): Promise<HttpResponse | ResolutionFailure> {
    let current = request;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
      const answer = await sendMeasured(current, conversation);
      if (answer.kind === 'failed') return answer;
      const target = findRedirect(current, answer);
      if (target === undefined) return toResponse(answer, current.url.origin === request.url.origin);
      current = redirectTo(target, current);
    }
    const problem = `${describeServer(request, conversation)} redirects more than ${MAX_REDIRECTS} times`;
    return fail('InvalidResponse', conversation, problem);
  }

  return {
    send,
    baseUrl: (host) => `${insecureHosts.has(normaliseHost(host)) ? 'http' : 'https'}://${host}`,
    close: route.close,
  };
}

/** The form of URL.host for plain HTTP: lower case, without port 80. */
function normaliseHost(host: string): string {
  return URL.parse(`http://${host}`)?.host ?? host;
}

interface Answer {
  readonly kind: 'answer';
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Undefined if the answer is too large. */
async function exchange(
  dispatcher: Dispatcher,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<Answer | undefined> {
  const { statusCode, headers, body } = await dispatcher.request({
    origin: request.url.origin,
    path: request.url.pathname + request.url.search,
    method: request.method,
    headers: { 'user-agent': 'apprelease', ...request.headers },
    body: request.body ?? null,
    signal,
  });
  if (statusCode !== 200) {
    await body.dump({ limit: MAX_UNREAD_BYTES, signal });
    return { kind: 'answer', status: statusCode, headers, body: Buffer.alloc(0) };
  }
  const content = await readBody(body, maxBodyBytes(request), Number(headers['content-length']));
  return content && { kind: 'answer', status: statusCode, headers, body: content };
}

function maxBodyBytes({ operation }: HttpRequest): number {
  return operation === 'token' ? MAX_TOKEN_BODY_BYTES : MAX_BODY_BYTES;
}

function describeLimit(request: HttpRequest): string {
  return request.operation === 'token' ? `${MAX_TOKEN_BODY_BYTES / 1024} KiB` : `${MAX_BODY_BYTES / 1024 / 1024} MiB`;
}

function createRouteFor(config: TransportConfig): Route {
  const { caBundle, proxy, networks = {}, resolveHost, connectTimeoutMs = 3_000 } = config;
  const ca = caBundle === undefined ? undefined : [...tls.getCACertificates('default'), ...readCertificates(caBundle)];
  const secure = ca === undefined ? {} : { ca };
  const connect = { ...secure, allowH2: false, timeout: connectTimeoutMs };
  const options = {
    connect: createGuardedConnector(connect, networks, resolveHost ?? createHostResolver()),
    connectTimeout: connectTimeoutMs,
    ...(ca && { requestTls: secure, proxyTls: secure }),
    allowH2: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    connections: MAX_CONNECTIONS_PER_ORIGIN,
    keepAliveMaxTimeout: MAX_KEEP_ALIVE_MS,
  };
  return createRoute(options, proxy);
}

/** Validated at the start, because a failing connection would not name the cause. */
function readCertificates(caBundle: string): string[] {
  const found = caBundle.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (found.length === 0) throw new Error('the CA bundle of registries holds no certificate in PEM form');
  for (const [index, certificate] of found.entries()) {
    try {
      new X509Certificate(certificate);
    } catch {
      throw new Error(`certificate ${index + 1} in the CA bundle of registries cannot be read`);
    }
  }
  return found;
}

/** The target of a redirect. Only requests that change nothing are repeated elsewhere. */
function findRedirect({ method, url }: HttpRequest, { status, headers }: Answer): URL | undefined {
  const location = headers.location;
  if (method === 'POST' || !REDIRECTS.has(status) || typeof location !== 'string') return undefined;
  return URL.parse(location, url.href) ?? undefined;
}

function redirectTo(url: URL, request: HttpRequest): HttpRequest {
  if (url.origin === request.url.origin) return { ...request, url };
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => name !== 'authorization'));
  return { ...request, url, headers };
}

function toResponse({ status, headers, body }: Answer, sameOrigin: boolean): HttpResponse {
  const all = (name: string) => [headers[name] ?? []].flat();
  const retryAfterSeconds = parseRetryAfter(all('retry-after')[0], all('date')[0]);
  return {
    kind: 'response',
    status,
    sameOrigin,
    header: (name) => all(name)[0],
    headers: all,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    body,
  };
}

function describeServer({ operation, url }: HttpRequest, { registry }: FailureContext): string {
  const host = printable(url.host, 100);
  if (operation === 'token') return `${host}, the token server of ${registry},`;
  return url.host === registry ? registry : `${registry} (${host})`;
}
