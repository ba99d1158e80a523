/** Connections to one API server: one HTTP/2 connection if the server supports it, else a pool of HTTP/1.1 connections. */

import { isDeepStrictEqual } from 'node:util';
import { buildConnector, Client, Pool, ProxyAgent, type Dispatcher } from 'undici';
import type { TlsMaterial } from './credentials.ts';

export interface ConnectionOptions {
  /** Scheme, host and port. */
  origin: string;
  /** http:, https: or socks5:. */
  proxyUrl?: string | undefined;
  /** Size limit of the HTTP/1.1 pool; null means no limit, for requests that stay open. */
  http1Connections: number | null;
}

export interface Sent {
  response: Dispatcher.ResponseData;
  link: Link;
}

/** One dispatcher, and when it last received data. */
export interface Link {
  dispatcher: Dispatcher;
  tls: TlsMaterial;
  /** `performance.now()` of the last received byte; -Infinity before the first. */
  heardAt: number;
}

export interface Connection {
  /** The link for a request sent now: a new one if the TLS material has changed. */
  link: (tls: TlsMaterial) => Link;
  send: (link: Link, request: Dispatcher.RequestOptions) => Promise<Sent>;
  /** A request on `link` that started at `since` has timed out. A link that was silent since then counts as dead and is replaced. */
  suspect: (link: Link, since: number) => void;
  close: () => Promise<void>;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** The intervals of client-go, below the idle timeouts of common load balancers. */
const TCP_KEEP_ALIVE_MS = 30_000;
const HTTP2_PING_MS = 30_000;
const HTTP2_IDLE_MS = 90_000;

/** The server chose HTTP/1.1. Nothing was sent yet, so every request can use another connection. */
class Http1Only extends Error {}

export function createConnection(options: ConnectionOptions): Connection {
  let current: Link | undefined;
  let http1Only = options.origin.startsWith('http:');

  function link(tls: TlsMaterial): Link {
    if (current && !sameMaterial(current.tls, tls)) retire(current);
    current ??= { dispatcher: open(options, tls, http1Only), tls, heardAt: -Infinity };
    return current;
  }

  function retire(old: Link): void {
    if (current === old) current = undefined;
    // Running requests on the old link end by their own deadlines.
    old.dispatcher.close().catch(() => undefined);
  }

  async function send(used: Link, request: Dispatcher.RequestOptions): Promise<Sent> {
    try {
      const response = await used.dispatcher.request(request);
      used.heardAt = performance.now();
      return { response, link: used };
    } catch (error) {
      if (!(error instanceof Http1Only)) throw error;
      http1Only = true;
      retire(used);
      return send(link(used.tls), request);
    }
  }

  function suspect(used: Link, since: number): void {
    if (used.heardAt <= since) retire(used);
  }

  async function close(): Promise<void> {
    const last = current;
    current = undefined;
    await last?.dispatcher.close();
  }

  return { link, send, suspect, close };
}

function open(options: ConnectionOptions, tls: TlsMaterial, http1Only: boolean): Dispatcher {
  // The caller's deadlines also cover queueing and connecting.
  const common = { headersTimeout: 0, bodyTimeout: 0 };
  const connect = { ...tls, timeout: CONNECT_TIMEOUT_MS, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS };
  if (options.proxyUrl !== undefined) {
    return new ProxyAgent({ ...common, uri: options.proxyUrl, requestTls: connect, allowH2: false });
  }
  if (http1Only) {
    const connector = withServerName(buildConnector({ ...connect, allowH2: false }), tls);
    return new Pool(options.origin, { ...common, connections: options.http1Connections, connect: connector });
  }
  return new Client(options.origin, {
    ...common,
    connect: http2Connector(withServerName(buildConnector({ ...connect, allowH2: true, preferH2: true }), tls)),
    keepAliveTimeout: HTTP2_IDLE_MS,
    h2Options: { pingInterval: HTTP2_PING_MS },
  });
}

/** undici prefers the host name over a configured server name. */
function withServerName(connector: buildConnector.connector, tls: TlsMaterial): buildConnector.connector {
  if (tls.servername === undefined) return connector;
  const servername = tls.servername;
  return (options, callback) => {
    connector({ ...options, servername }, callback);
  };
}

function http2Connector(connector: buildConnector.connector): buildConnector.connector {
  return (options, callback) => {
    connector(options, (...result) => {
      const [error, socket] = result;
      if (error === null && 'alpnProtocol' in socket && socket.alpnProtocol !== 'h2') {
        socket.destroy();
        callback(new Http1Only('the server speaks HTTP/1.1'), null);
      } else {
        callback(...result);
      }
    });
  };
}

function sameMaterial(one: TlsMaterial, other: TlsMaterial): boolean {
  return one === other || isDeepStrictEqual(one, other);
}
