/** One request to the API server: credentials, deadline, metrics, and every failure as a KubeError. */

import type { Dispatcher } from 'undici';
import { parseRetryAfter } from '../lib/retry-after.ts';
import type { Connection, Link, Sent } from './connection.ts';
import type { Credentials, CredentialSource } from './credentials.ts';
import { isKubeError, KubeError, type ClientReason, type StatusCause } from './errors.ts';
import type { ServerClock } from './server-clock.ts';
import type { RequestRecord, Verb } from './types.ts';

export interface Call {
  verb: Verb;
  method: Dispatcher.HttpMethod;
  /** The name in metrics. */
  resource: string;
  path: string;
  query?: URLSearchParams;
  body?: unknown;
  contentType?: string;
  /** Answers to this call may contain secrets: a refusal is reported only with its reason. */
  confidential: boolean;
  signal?: AbortSignal | undefined;
}

export interface Exchange {
  origin: string;
  userAgent: string;
  credentials: CredentialSource;
  onRequest?: ((record: RequestRecord) => void) | undefined;
  mayWrite?: (() => boolean) | undefined;
  clock?: Pick<ServerClock, 'onAnswer'> | undefined;
}

/** Aborts after `ms` of silence; every `postpone` restarts the time. `expired` says whether the time was over. */
interface Deadline {
  signal: AbortSignal;
  expired: () => boolean;
  postpone: (ms: number) => void;
  clear: () => void;
}

/** The JSON of the answer. */
export async function exchange<T>(setup: Exchange, connection: Connection, call: Call, timeoutMs: number): Promise<T> {
  return record(setup, call, () =>
    attempt(connection, call, timeoutMs, async (deadline, onLink) => {
      const sent = await send(setup, connection, call, deadline, onLink);
      const { response, link } = sent;
      const text = await response.body.text();
      link.heardAt = performance.now();
      if (response.statusCode < 200 || response.statusCode > 299) throw refused(setup, call, sent, text);
      return { code: response.statusCode, result: parse(call, response.statusCode, text) as T };
    }),
  );
}

/**
 * The lines of a streamed answer. It must start within `timeoutMs`, and then send data at least every `idleTimeoutMs`.
 * The request is cancelled when the caller stops reading.
 */
export async function* exchangeLines(
  setup: Exchange,
  connection: Connection,
  call: Call,
  timeoutMs: number,
  idleTimeoutMs: number,
): AsyncGenerator<string, void, undefined> {
  const deadline = startDeadline(call.signal, timeoutMs);
  let began = performance.now();
  let used: Link | undefined;
  function failed(error: unknown): KubeError {
    return asKubeError(connection, call, deadline, used, began, error);
  }
  try {
    const response = await record(setup, call, async () => {
      try {
        const sent = await send(setup, connection, call, deadline, (link) => (used = link));
        const code = sent.response.statusCode;
        if (code !== 200) throw refused(setup, call, sent, await sent.response.body.text());
        return { code, result: sent.response };
      } catch (error) {
        throw failed(error);
      }
    });
    const decoder = new TextDecoder();
    let rest = '';
    try {
      deadline.postpone(idleTimeoutMs);
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        began = performance.now();
        if (used) used.heardAt = began;
        deadline.postpone(idleTimeoutMs);
        const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') yield line;
      }
    } catch (error) {
      throw failed(error);
    }
    if (rest !== '') throw clientError(call, 'ConnectionFailed', 'the stream ended within an event');
  } finally {
    deadline.clear();
  }
}

/** Parses JSON from the server. An error does not quote the text. */
export function parse(call: Pick<Call, 'verb' | 'path'>, code: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw clientError(call, 'BadResponse', 'the answer is not JSON', code);
  }
}

/** A `metav1.Status`, of an answer or of an ERROR event, as an error. */
export function statusError(
  call: Pick<Call, 'verb' | 'path' | 'confidential'>,
  code: number,
  body: unknown,
  retryAfter?: number,
): KubeError {
  const status: MetaStatus = isStatus(body) ? body : {};
  const reason = status.reason ?? REASONS[code] ?? 'Unknown';
  const causes = status.details?.causes ?? [];
  const retryAfterSeconds = retryAfter ?? status.details?.retryAfterSeconds;
  return new KubeError({
    code: status.code ?? code,
    reason,
    message: call.confidential ? reason : (status.message ?? `HTTP ${code} ${reason}`),
    causes: call.confidential ? causes.map(withoutMessage) : causes,
    ...(retryAfterSeconds !== undefined && retryAfterSeconds > 0 ? { retryAfterSeconds } : {}),
    verb: call.verb,
    path: call.path,
  });
}

interface MetaStatus {
  code?: number;
  reason?: string;
  message?: string;
  details?: { causes?: StatusCause[]; retryAfterSeconds?: number };
}

/** The reason for an answer without a Status, for example from a proxy. */
const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  502: 'BadGateway',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

function isStatus(body: unknown): body is MetaStatus {
  return typeof body === 'object' && body !== null && 'kind' in body && body.kind === 'Status';
}

function withoutMessage({ reason, field }: StatusCause): StatusCause {
  return { ...(reason === undefined ? {} : { reason }), ...(field === undefined ? {} : { field }) };
}

function clientError(call: Pick<Call, 'verb' | 'path'>, reason: ClientReason, message: string, code = 0): KubeError {
  return new KubeError({ code, reason, message, verb: call.verb, path: call.path });
}

async function attempt<T>(
  connection: Connection,
  call: Call,
  timeoutMs: number,
  work: (deadline: Deadline, onLink: (link: Link) => void) => Promise<T>,
): Promise<T> {
  const began = performance.now();
  const deadline = startDeadline(call.signal, timeoutMs);
  let used: Link | undefined;
  try {
    return await work(deadline, (link) => (used = link));
  } catch (error) {
    throw asKubeError(connection, call, deadline, used, began, error);
  } finally {
    deadline.clear();
  }
}

/** An answer, and the credentials of the request. */
interface Authenticated extends Sent {
  credentials: Credentials;
}

async function send(
  setup: Exchange,
  connection: Connection,
  call: Call,
  deadline: Deadline,
  onLink: (link: Link) => void,
): Promise<Authenticated> {
  const credentials = await loadCredentials(setup, call, deadline.signal);
  const { headers, tls } = credentials;
  if (call.method !== 'GET' && setup.mayWrite?.() === false) {
    throw clientError(call, 'NotLeader', 'not sent: not the leader');
  }
  const link = connection.link(tls);
  onLink(link);
  const query = call.query?.toString();
  const sentAt = performance.now();
  const sent = await connection.send(link, {
    origin: setup.origin,
    method: call.method,
    path: query ? `${call.path}?${query}` : call.path,
    headers: {
      ...headers,
      accept: 'application/json',
      'user-agent': setup.userAgent,
      ...(call.contentType === undefined ? {} : { 'content-type': call.contentType }),
    },
    ...(call.body === undefined ? {} : { body: encode(call.body) }),
    signal: deadline.signal,
  });
  noteDate(setup, sent, sentAt);
  return { ...sent, credentials };
}

/** A refusal may come from a proxy, with the time of the proxy. */
function noteDate({ clock }: Exchange, { response: { statusCode, headers } }: Sent, sentAt: number): void {
  const { date } = headers;
  if (statusCode >= 200 && statusCode <= 299 && typeof date === 'string')
    clock?.onAnswer({ date, sentAt, receivedAt: performance.now() });
}

/**
 * JSON as Kubernetes writes it, with these characters escaped. The API server stores some data as received, such as that
 * of a ControllerRevision. Kubernetes must write the same bytes again, or the data counts as changed.
 */
function encode(body: unknown): string {
  return JSON.stringify(body).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

async function loadCredentials(setup: Exchange, call: Call, signal: AbortSignal) {
  try {
    return await orAbort(setup.credentials.get(), signal);
  } catch (error) {
    if (signal.aborted) throw error;
    // The message of an exec plugin or a parser may contain the credential.
    throw clientError(call, 'NoCredentials', `credentials could not be loaded: ${codeOf(error)}`);
  }
}

async function record<T>(setup: Exchange, call: Call, work: () => Promise<{ code: number; result: T }>): Promise<T> {
  const began = performance.now();
  let code = 0;
  try {
    const done = await work();
    code = done.code;
    return done.result;
  } catch (error) {
    if (isKubeError(error)) code = error.code;
    throw error;
  } finally {
    setup.onRequest?.({ verb: call.verb, resource: call.resource, code, seconds: (performance.now() - began) / 1000 });
  }
}

function refused(setup: Exchange, call: Call, { response, credentials }: Authenticated, text: string): KubeError {
  const { statusCode: code, headers } = response;
  if (code === 401) setup.credentials.forget(credentials);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  return statusError(call, code, body, retryAfterSeconds(headers));
}

function retryAfterSeconds({ 'retry-after': after, date }: Sent['response']['headers']): number | undefined {
  const [value, sentAt] = [after, date].map((header) => (typeof header === 'string' ? header : undefined));
  const seconds = parseRetryAfter(value, sentAt);
  return Number.isFinite(seconds) ? seconds : undefined;
}

function asKubeError(
  connection: Connection,
  call: Call,
  deadline: Deadline,
  link: Link | undefined,
  began: number,
  error: unknown,
): KubeError {
  if (deadline.expired()) {
    if (link) connection.suspect(link, began);
    return clientError(call, 'ClientTimeout', 'no answer in time');
  }
  if (deadline.signal.aborted) return clientError(call, 'Aborted', 'aborted');
  if (isKubeError(error)) return error;
  const text = error instanceof Error && error.message !== '' ? `: ${error.message}` : '';
  return clientError(call, 'ConnectionFailed', `connection failed: ${codeOf(error)}${text}`);
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

/** Replaces AbortSignal.any and .timeout, which stay in memory as long as the caller's signal. */
function startDeadline(outer: AbortSignal | undefined, ms: number): Deadline {
  const controller = new AbortController();
  let expired = false;
  function expire(): void {
    if (controller.signal.aborted) return;
    expired = true;
    controller.abort();
  }
  function abort(): void {
    controller.abort();
  }
  let timer = setTimeout(expire, ms);
  if (outer?.aborted) abort();
  else outer?.addEventListener('abort', abort, { once: true });
  return {
    signal: controller.signal,
    expired: () => expired,
    postpone: (next) => {
      clearTimeout(timer);
      timer = setTimeout(expire, next);
    },
    clear: () => {
      clearTimeout(timer);
      outer?.removeEventListener('abort', abort);
    },
  };
}

function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    function abort(): void {
      reject(new Error('aborted'));
    }
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort);
    });
  });
}
