import { createHmac, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import * as z from 'zod';
import { parseBoundedJson } from './bounded-json.ts';
import { parseChallenges } from './challenge.ts';
import type { Challenge } from './challenge.ts';
import { fail, failFromStatus } from './failures.ts';
import { printable } from './printable.ts';
import type { TrustTokenServer } from './token-server.ts';
import type { Conversation, HttpRequest, HttpResponse, Transport } from './transport.ts';
import type { Credential, ResolutionFailure } from './types.ts';

const CLIENT_ID = 'apprelease';
// The default of the token specification.
const DEFAULT_TOKEN_SECONDS = 60;
const TOKEN_MARGIN_SECONDS = 10;
const BASIC_SECONDS = 300;
const MAX_TOKEN_SECONDS = 3600;
/** Servers limit the headers that contain the token. */
const MAX_TOKEN_LENGTH = 16 * 1024;
const MAX_CACHED_BYTES = 4 * 1024 * 1024;
const ENTRY_BYTES = 256;
const TOKEN_JSON = { maxDepth: 8, maxValues: 100 };

/** A conversation with one repository as one user; anonymous without a credential. */
export interface AuthorizedConversation extends Conversation {
  readonly repository: string;
  readonly credential: Credential | undefined;
  /** Explains an authentication failure to the user. */
  readonly note: (text: string) => void;
}

/** Sends a request with the authorization that the registry requires. Never throws. */
export type SendAuthorized = (
  request: HttpRequest,
  conversation: AuthorizedConversation,
) => Promise<HttpResponse | ResolutionFailure>;

interface Authorization {
  readonly value: string;
  readonly expiresAt: number;
}

/** Servers fill unused fields with "" or null, and some write the lifetime as a string. */
const tokenSchema = z
  .object({
    token: z.string().nullish(),
    access_token: z.string().nullish(),
    expires_in: z.coerce.number().nonnegative().catch(0),
  })
  .transform(({ token, access_token, expires_in }) => ({
    token: token || access_token || '',
    seconds: Math.min(expires_in || DEFAULT_TOKEN_SECONDS, MAX_TOKEN_SECONDS),
  }))
  .refine(({ token }) => token.length <= MAX_TOKEN_LENGTH && /^[\x21-\x7e]+$/.test(token));

/**
 * Handles 401 by the distribution specification's token authentication (docs.docker.com/registry/spec/auth) or by Basic,
 * and caches the token for its lifetime, per registry, repository and credential. Returns a 401 that remains.
 */
export function createAuthorizer(
  transport: Transport,
  isTrusted: TrustTokenServer,
  now: () => number = Date.now,
): SendAuthorized {
  const cache = new LRUCache<string, Authorization>({
    maxSize: MAX_CACHED_BYTES,
    sizeCalculation: ({ value }, key) => ENTRY_BYTES + key.length + value.length,
  });

  return async (request, conversation) => {
    const key = [conversation.registry, conversation.repository, fingerprint(conversation.credential)].join(' ');
    const cached = cache.get(key);
    const known = cached !== undefined && cached.expiresAt > now() ? cached : undefined;
    const response = await transport.send(authorize(request, known), conversation);
    if (response.kind === 'failed') return response;
    const challenges = await findChallenges(request, response, known === undefined, conversation);
    if (challenges === undefined) return response;

    cache.delete(key);
    const answer = await answerChallenges(challenges, request.url, conversation);
    if (answer === undefined) return response;
    if ('kind' in answer) return answer;
    const second = await transport.send(authorize(request, answer), conversation);
    const ttl = answer.expiresAt - now();
    if (second.kind === 'response' && second.status !== 401 && ttl > 0) cache.set(key, answer, { ttl });
    return second;
  };

  /**
   * The challenges of the registry; undefined if the answer is final. A registry that allows anonymous access may answer
   * 403 or 404 for a private repository: then the base endpoint is asked for the challenge.
   */
  async function findChallenges(
    { url }: HttpRequest,
    { status, sameOrigin, headers }: HttpResponse,
    isStranger: boolean,
    conversation: AuthorizedConversation,
  ): Promise<readonly Challenge[] | undefined> {
    // A challenge from the target of a redirect is not the registry's: it gets no credentials.
    if (!sameOrigin) return undefined;
    if (status === 401) return parseChallenges(headers('www-authenticate'));
    if ((status !== 403 && status !== 404) || !isStranger || conversation.credential === undefined) return undefined;
    const base: HttpRequest = { operation: 'get', method: 'GET', url: new URL('/v2/', url), headers: {} };
    const response = await transport.send(base, conversation);
    if (response.kind === 'failed' || response.status !== 401 || !response.sameOrigin) return undefined;
    return parseChallenges(response.headers('www-authenticate')).map(withoutScope);
  }

  async function answerChallenges(
    challenges: readonly Challenge[],
    url: URL,
    conversation: AuthorizedConversation,
  ): Promise<Authorization | ResolutionFailure | undefined> {
    const { credential } = conversation;
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined) return getBearer(bearer, url, conversation);
    if (credential?.type !== 'basic' || !challenges.some(({ scheme }) => scheme === 'basic')) return undefined;
    return { value: basic(credential), expiresAt: now() + BASIC_SECONDS * 1000 };
  }

  async function getBearer(
    { parameters }: Challenge,
    url: URL,
    conversation: AuthorizedConversation,
  ): Promise<Authorization | ResolutionFailure> {
    const { credential, registry, repository } = conversation;
    if (credential?.type === 'registryToken') {
      return { value: `Bearer ${credential.token}`, expiresAt: now() + DEFAULT_TOKEN_SECONDS * 1000 };
    }
    const realm = URL.parse(parameters.get('realm') ?? '');
    if (realm === null) {
      return fail('InvalidResponse', conversation, `${registry} names no token server that can be asked`);
    }
    const query = new URLSearchParams({ scope: parameters.get('scope') ?? `repository:${repository}:pull` });
    const service = parameters.get('service');
    if (service !== undefined) query.set('service', service);

    const isWithheld = credential?.isOperators === true && !isTrusted(url, realm);
    if (isWithheld) conversation.note(describeWithheld(realm, conversation));
    const sent = isWithheld ? undefined : credential;
    const response = await transport.send(tokenRequest(realm, query, sent), conversation);
    if (response.kind === 'failed') return response;
    return readToken(response, realm, conversation);
  }

  function readToken(
    { status, body, retryAfterSeconds }: HttpResponse,
    realm: URL,
    conversation: AuthorizedConversation,
  ): Authorization | ResolutionFailure {
    const server = `${printable(realm.host, 100)}, the token server of ${conversation.registry},`;
    // OAuth2 answers 400 invalid_grant for a refresh token that is no longer valid (RFC 6749 §5.2).
    const isRefused = status === 400 && conversation.credential?.type === 'identityToken';
    // A token server's 404 says nothing about the image.
    const meaning = isRefused ? 401 : status === 404 ? 400 : status;
    if (meaning !== 200) return failFromStatus(meaning, retryAfterSeconds, conversation, server);
    const token = parseToken(body);
    if (token === undefined) return fail('InvalidResponse', conversation, `${server} answered without a token`);
    const seconds = token.seconds - TOKEN_MARGIN_SECONDS;
    return { value: `Bearer ${token.token}`, expiresAt: now() + seconds * 1000 };
  }
}

const fingerprintKey = randomBytes(32);

/** Distinguishes credentials without revealing them, even in the map keys of a core dump. */
export function fingerprint(credential: Credential | undefined): string {
  if (credential === undefined) return 'anonymous';
  const { source, ...secret } = credential;
  return createHmac('sha256', fingerprintKey).update(JSON.stringify(secret)).update(source).digest('base64url');
}

/** The challenge of the base endpoint names no scope, or an example. */
function withoutScope({ scheme, parameters }: Challenge): Challenge {
  return { scheme, parameters: new Map([...parameters].filter(([name]) => name !== 'scope')) };
}

function describeWithheld(realm: URL, { registry }: Conversation): string {
  const host = printable(realm.host, 100);
  return `${host}, the token server of ${registry}, is on another domain, so it does not get the operator's own credentials; allow it with the operator's flag "--registry-token-server"`;
}

function authorize(request: HttpRequest, authorization: Authorization | undefined): HttpRequest {
  if (authorization === undefined) return request;
  return { ...request, headers: { ...request.headers, authorization: authorization.value } };
}

function tokenRequest(realm: URL, query: URLSearchParams, credential: Credential | undefined): HttpRequest {
  if (credential?.type === 'identityToken') {
    const body = new URLSearchParams(query);
    body.set('grant_type', 'refresh_token');
    body.set('refresh_token', credential.token);
    body.set('client_id', CLIENT_ID);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return { operation: 'token', method: 'POST', url: realm, headers, body: body.toString() };
  }
  const url = new URL(realm.href);
  for (const [name, value] of query) url.searchParams.set(name, value);
  const headers: Record<string, string> = credential?.type === 'basic' ? { authorization: basic(credential) } : {};
  return { operation: 'token', method: 'GET', url, headers };
}

function basic({ username, password }: Extract<Credential, { type: 'basic' }>): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function parseToken(body: Buffer): z.infer<typeof tokenSchema> | undefined {
  return tokenSchema.safeParse(parseBoundedJson(body, TOKEN_JSON)).data;
}
