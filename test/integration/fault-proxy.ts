// A proxy in front of the API server that injects faults, by rule and at random from a seed.
import { readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import type { Http2SecureServer, Http2ServerRequest, Http2ServerResponse, ServerHttp2Session } from 'node:http2';
import { createSecureServer } from 'node:http2';
import type { IncomingMessage } from 'node:http';
import { Agent, request as send } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import type { ClusterDetails } from '../cluster/types.ts';

/** A request of the operator. */
export interface Asked {
  readonly verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';
  /** Plural and subresource. */
  readonly resource: string;
  readonly name: string | undefined;
}

export type Fault =
  /** Refused before it reaches the API server. */
  | { readonly kind: 'status'; readonly code: 409 | 410 | 429 | 500 | 503; readonly retryAfterSeconds?: number }
  /** Never answered. */
  | { readonly kind: 'hang' }
  /** Answered late. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Executed, but the answer is lost; a watch breaks off after a while. */
  | { readonly kind: 'lost'; readonly afterMs?: number }
  /** The whole connection breaks, with all of its requests. */
  | { readonly kind: 'reset' }
  /** A watch whose version is too old: an ERROR event after the start of the answer. */
  | { readonly kind: 'expired' };

/** The fault for a request; undefined: none. */
export type FaultRule = (asked: Asked) => Fault | undefined;

export interface FaultProxy {
  /** The operator's kubeconfig, with the proxy instead of the API server. */
  readonly kubeconfig: string;
  /** Replaces all rules; the first matching rule applies. Without rules, everything is forwarded. */
  readonly rules: (...rules: FaultRule[]) => void;
  /** Breaks every open connection, including watches. */
  readonly dropConnections: () => void;
  /** How often each kind of fault occurred; a status counts by its code. */
  readonly done: () => Readonly<Record<string, number>>;
  readonly close: () => Promise<void>;
}

/** Serves HTTP/2 and HTTP/1.1 with the API server's certificate, for the user of `kubeconfig`. */
export async function startFaultProxy(
  cluster: Pick<ClusterDetails, 'dir' | 'url' | 'caFile'>,
  kubeconfig: string,
): Promise<FaultProxy> {
  const ca = readFileSync(cluster.caFile, 'utf8');
  const key = readFileSync(join(cluster.dir, 'certs/apiserver.key'));
  const agent = new Agent({ ca, keepAlive: true });
  const sessions = new Set<ServerHttp2Session>();
  const sockets = new Set<Socket>();
  const done = new Map<string, number>();
  let rules: FaultRule[] = [];

  const server: Http2SecureServer = createSecureServer({ key, cert: ca, allowHTTP1: true });
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => undefined);
  });
  server.on('secureConnection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  server.on('request', (request, response) => {
    // Broken connections are intended.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const asked = parse(request);
    const fault = asked && firstFault(rules, asked);
    if (fault) count(fault);
    treat(request, response, fault);
  });

  function count(fault: Fault): void {
    const name = fault.kind === 'status' ? String(fault.code) : fault.kind;
    done.set(name, (done.get(name) ?? 0) + 1);
  }

  function treat(request: Http2ServerRequest, response: Http2ServerResponse, fault: Fault | undefined): void {
    switch (fault?.kind) {
      case 'status':
        request.resume();
        refuse(response, fault);
        break;
      case 'hang':
        request.resume();
        break;
      case 'reset':
        breakOff(request, response);
        break;
      case 'expired':
        request.resume();
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(`${JSON.stringify({ type: 'ERROR', object: status(410) })}\n`);
        break;
      case 'delay':
        setTimeout(() => {
          forward(request, response);
        }, fault.ms);
        break;
      case 'lost':
        forward(request, response, fault.afterMs ?? 0);
        break;
      case undefined:
        forward(request, response);
    }
  }

  /** With `breakAfterMs` the answer breaks off this long after its start. */
  function forward(request: Http2ServerRequest, response: Http2ServerResponse, breakAfterMs?: number): void {
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter(([name]) => !name.startsWith(':') && name !== 'connection'),
    );
    const upstream = send(`${cluster.url}${request.url}`, { agent, method: request.method, headers });
    upstream.on('response', (answer: IncomingMessage) => {
      if (breakAfterMs === 0) {
        answer.resume();
        breakOff(request, response);
        return;
      }
      response.writeHead(answer.statusCode ?? 502, withoutHopByHop(answer));
      answer.on('error', () => {
        breakOff(request, response);
      });
      answer.pipe(response);
      if (breakAfterMs === undefined) return;
      setTimeout(() => {
        upstream.destroy();
        breakOff(request, response);
      }, breakAfterMs);
    });
    upstream.on('error', () => {
      breakOff(request, response);
    });
    response.on('close', () => upstream.destroy());
    request.pipe(upstream);
  }

  function breakOff(request: Http2ServerRequest, response: Http2ServerResponse): void {
    if (request.httpVersionMajor === 2) request.stream.session?.destroy();
    else response.socket.destroy();
  }

  function dropConnections(): void {
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const throughProxy = join(cluster.dir, `proxy-${port}.kubeconfig`);
  const text = readFileSync(kubeconfig, 'utf8').replaceAll(cluster.url, `https://127.0.0.1:${port}`);
  writeFileSync(throughProxy, text, { mode: 0o600 });
  return {
    kubeconfig: throughProxy,
    rules: (...next) => {
      rules = next;
    },
    dropConnections,
    done: () => Object.fromEntries(done),
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      dropConnections();
      agent.destroy();
      await closed;
    },
  };
}

function firstFault(rules: readonly FaultRule[], asked: Asked): Fault | undefined {
  for (const rule of rules) {
    const fault = rule(asked);
    if (fault) return fault;
  }
  return undefined;
}

const METHODS = { GET: 'get', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' } as const;

function parse({ method, url }: Http2ServerRequest): Asked | undefined {
  const { pathname, searchParams } = new URL(url, 'https://localhost');
  const path =
    /^\/(?:api|apis\/[^/]+)\/[^/]+(?:\/namespaces\/[^/]+)?\/(?<plural>[^/]+)(?:\/(?<name>[^/]+))?(?:\/(?<sub>.+))?$/;
  const match = path.exec(pathname)?.groups;
  const verb = METHODS[method as keyof typeof METHODS] as (typeof METHODS)[keyof typeof METHODS] | undefined;
  if (!match || !verb) return undefined;
  const { plural = '', name, sub } = match;
  const collection = searchParams.get('watch') === 'true' ? 'watch' : 'list';
  return {
    verb: verb === 'get' && name === undefined ? collection : verb,
    resource: sub === undefined ? plural : `${plural}/${sub}`,
    name,
  };
}

function refuse(response: Http2ServerResponse, { code, retryAfterSeconds }: Extract<Fault, { kind: 'status' }>): void {
  const body = JSON.stringify(status(code, retryAfterSeconds));
  const retryAfter = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
  response.writeHead(code, { 'content-type': 'application/json', ...retryAfter });
  response.end(body);
}

const REASONS = {
  409: 'Conflict',
  410: 'Expired',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
} as const;

function status(code: keyof typeof REASONS, retryAfterSeconds?: number) {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'injected by the proxy',
    reason: REASONS[code],
    code,
    ...(retryAfterSeconds !== undefined && { details: { retryAfterSeconds } }),
  };
}

/** HTTP/2 has no connection headers. */
function withoutHopByHop({ headers }: IncomingMessage): Record<string, string | string[]> {
  const dropped = ['connection', 'transfer-encoding', 'keep-alive'];
  const kept = Object.entries(headers).filter(([name, value]) => !dropped.includes(name) && value !== undefined);
  return Object.fromEntries(kept) as Record<string, string | string[]>;
}

/**
 * Faults for a share of the requests, reproducible by seed and order of requests. The Lease has no faults, because a leader
 * that loses it must end.
 */
export function chaos(seed: number, share: number): FaultRule {
  const random = mulberry32(seed);
  return ({ verb, resource }) => {
    if (resource === 'leases' || random() >= share) return undefined;
    const faults = verb === 'watch' ? WATCH_FAULTS : verb === 'get' || verb === 'list' ? READ_FAULTS : WRITE_FAULTS;
    return faults[Math.floor(random() * faults.length)];
  };
}

const READ_FAULTS: readonly Fault[] = [
  { kind: 'status', code: 429, retryAfterSeconds: 1 },
  { kind: 'status', code: 500 },
  { kind: 'status', code: 503 },
  { kind: 'delay', ms: 700 },
  { kind: 'reset' },
];
const WRITE_FAULTS: readonly Fault[] = [
  ...READ_FAULTS,
  { kind: 'status', code: 409 },
  { kind: 'lost' },
  { kind: 'lost' },
];
const WATCH_FAULTS: readonly Fault[] = [
  { kind: 'status', code: 410 },
  { kind: 'status', code: 500 },
  { kind: 'expired' },
  { kind: 'lost', afterMs: 300 },
  { kind: 'lost', afterMs: 2_000 },
];

/** A seeded generator of numbers from 0 to 1 (Tommy Ettinger's Mulberry32). */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
