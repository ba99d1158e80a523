/** Plain HTTP for probes and scrapers. */
import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Address } from './config.ts';

export interface Page {
  status: number;
  body: string;
  /** Default: text/plain. */
  contentType?: string;
}

/** Pages by path. */
export type Pages = Readonly<Record<string, () => Page | Promise<Page>>>;

export interface PageServer {
  /** The actual port, also if the address has port 0. */
  port: number;
  close: () => Promise<void>;
}

export interface Limits {
  /** Above this, the oldest connection is closed: a new one may be a probe's. */
  connections: number;
  /** For a request with its body, from the start of the connection; and for a client that takes nothing of an answer. */
  milliseconds: number;
}

const LIMITS: Limits = { connections: 100, milliseconds: 5_000 };
/** The requests of probes and scrapers have a few hundred bytes. */
const MAX_HEADER_BYTES = 4 * 1024;

/** Serves the pages to GET and HEAD. Fails if the address is not available. */
export async function servePages({ host, port }: Address, pages: Pages, limits = LIMITS): Promise<PageServer> {
  const { milliseconds } = limits;
  const options = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: milliseconds,
    requestTimeout: milliseconds,
    connectionsCheckingInterval: milliseconds / 5,
  };
  const server = createServer(options, (request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (!page) send(response, { status: 404, body: `not found; the pages are ${Object.keys(pages).join(', ')}` });
    else if (request.method !== 'GET' && request.method !== 'HEAD') send(response, { status: 405, body: 'only GET' });
    else void answer(response, page);
  });
  // Close open connections, so that a scraper does not delay the exit.
  server.keepAliveTimeout = 1_000;
  server.timeout = milliseconds;
  limitConnections(server, limits.connections);
  server.listen(port, host === '' ? undefined : host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function limitConnections(server: Server, most: number): void {
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    const [oldest] = open;
    if (open.size > most) oldest?.destroy();
  });
}

async function answer(response: ServerResponse, page: () => Page | Promise<Page>): Promise<void> {
  try {
    send(response, await page());
  } catch {
    send(response, { status: 500, body: 'internal error' });
  }
}

function send(response: ServerResponse, { status, body, contentType = 'text/plain; charset=utf-8' }: Page): void {
  response.writeHead(status, { 'content-type': contentType, 'x-content-type-options': 'nosniff' });
  response.end(body.endsWith('\n') ? body : `${body}\n`);
}
