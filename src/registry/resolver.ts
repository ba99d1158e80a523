import { createAuthorizer } from './authorization.ts';
import type { AuthorizedConversation } from './authorization.ts';
import { explainCredentials, fail, failFromStatus } from './failures.ts';
import { ACCEPT, computeDigest, manifestKind, mediaTypeOf, parseManifest } from './manifest.ts';
import { apiHost, isDigest, manifestName, parseReference, pinReference } from './reference.ts';
import { createTokenServerTrust } from './token-server.ts';
import { createTransport } from './transport.ts';
import type { Conversation, HttpRequest, HttpResponse, TransportConfig } from './transport.ts';
import type {
  Credential,
  FailureReason,
  Keyring,
  PlatformManifest,
  Reference,
  Resolution,
  ResolutionFailure,
} from './types.ts';

export interface RegistryClientConfig extends TransportConfig {
  /** `host[:port]` of token servers on another domain than their registry that may get the operator's own credentials. */
  readonly tokenServers?: readonly string[];
  /** Timeout for one resolution with all its requests; default 30,000 ms. */
  readonly totalTimeoutMs?: number;
  readonly now?: () => number;
}

export interface ResolveOptions {
  /** Absent: the registry is asked anonymously. */
  readonly keyring?: Keyring;
  readonly signal?: AbortSignal;
}

/** Asks a registry for the digest of a reference. Never throws: a failure is a value. */
export type ResolveDigest = (reference: string | Reference, options?: ResolveOptions) => Promise<Resolution>;

export interface RegistryClient {
  readonly resolveDigest: ResolveDigest;
  /** Closes the connections; running requests fail. */
  readonly close: () => Promise<void>;
}

// Statuses of registries without HEAD, and of proxies that forbid it.
const HEAD_UNSUPPORTED = new Set([400, 405, 501]);

// A Secret may contain thousands of credentials for one registry, and each costs a request to a host of the author's choice.
const MAX_CREDENTIALS = 10;

// Failures that other credentials may fix, the most informative first: some registries answer 404 if access is denied.
const CREDENTIAL_REASONS: readonly FailureReason[] = ['NotFound', 'Forbidden', 'Unauthorized'];

/**
 * A client of the OCI distribution API that resolves references to digests. It reuses connections and tokens, and has no
 * global state.
 */
export function createRegistryClient(config: RegistryClientConfig = {}): RegistryClient {
  const { totalTimeoutMs = 30_000, now } = config;
  const transport = createTransport(config);
  const sendAuthorized = createAuthorizer(transport, createTokenServerTrust(config.tokenServers), now);

  async function resolveDigest(given: string | Reference, options: ResolveOptions = {}): Promise<Resolution> {
    const reference = typeof given === 'string' ? parseReference(given) : given;
    if (reference.kind === 'invalid') {
      return { kind: 'failed', reason: 'InvalidReference', message: reference.message, retryable: false };
    }
    if (reference.digest !== undefined) {
      return { kind: 'resolved', pinned: reference.text, digest: reference.digest, platforms: [] };
    }
    const { keyring, signal = new AbortController().signal } = options;
    return tryCandidates(reference, keyring, {
      image: reference.text,
      registry: reference.registry,
      signal,
      deadline: AbortSignal.timeout(totalTimeoutMs),
    });
  }

  /** Tries the credentials in order, as the kubelet does; asks anonymously if there are none. */
  async function tryCandidates(
    reference: Reference,
    keyring: Keyring | undefined,
    conversation: Conversation,
  ): Promise<Resolution> {
    const found = (keyring?.candidates(reference) ?? []).slice(0, MAX_CREDENTIALS);
    const { repository } = reference;
    const notes = new Set(keyring?.notes);
    const note = (text: string) => void notes.add(text);
    const attempt = (credential: Credential | undefined) =>
      resolveAs(reference, { ...conversation, repository, credential, note });

    let result = await attempt(found[0]);
    for (const credential of found.slice(1)) {
      if (!dependsOnCredentials(result)) return result;
      result = moreTelling(result, await attempt(credential));
    }
    if (!dependsOnCredentials(result)) return result;
    const report = { sources: found.map(({ source }) => source), notes: [...notes] };
    return explainCredentials(result, conversation, report);
  }

  async function resolveAs(reference: Reference, conversation: AuthorizedConversation): Promise<Resolution> {
    const head = await sendAuthorized(manifestRequest('HEAD', reference, manifestName(reference)), conversation);
    if (head.kind === 'failed') return head;
    if (HEAD_UNSUPPORTED.has(head.status)) return resolveByBody(reference, manifestName(reference), conversation);
    if (head.status !== 200) return failFromResponse(head, conversation);

    const digest = head.header('docker-content-digest') ?? '';
    const mediaType = mediaTypeOf(head.header('content-type'));
    if (!isDigest(digest)) return resolveByBody(reference, manifestName(reference), conversation);
    if (manifestKind(mediaType) === 'image') return resolved(reference, digest, mediaType, []);
    // Uses the digest, so that a tag that moves in between cannot mix two images.
    return resolveByBody(reference, digest, conversation);
  }

  async function resolveByBody(
    reference: Reference,
    name: string,
    conversation: AuthorizedConversation,
  ): Promise<Resolution> {
    const response = await sendAuthorized(manifestRequest('GET', reference, name), conversation);
    if (response.kind === 'failed') return response;
    if (response.status !== 200) return failFromResponse(response, conversation);

    const expected = isDigest(name) ? name : response.header('docker-content-digest');
    const digest = computeDigest(response.body, expected);
    if (expected !== undefined && digest !== expected) {
      const problem = `${conversation.registry} sent a manifest that does not match its digest: a proxy or the registry's storage is faulty; pin the image by digest when that is fixed`;
      return fail('DigestMismatch', conversation, problem);
    }
    const manifest = parseManifest(response.body, response.header('content-type'));
    if (manifest === undefined && mediaTypeOf(response.header('content-type')) === 'text/html') {
      const problem = `${conversation.registry} answered with a web page: check the host name, and whether a login page or a proxy is in front of the registry`;
      return fail('InvalidResponse', conversation, problem);
    }
    if (manifest === undefined) {
      const problem = `${conversation.registry} has an artifact there that is neither an OCI nor a Docker schema 2 image: push the image again with a current tool`;
      return fail('Unsupported', conversation, problem);
    }
    return resolved(reference, digest, manifest.mediaType, manifest.platforms);
  }

  function manifestRequest(method: 'HEAD' | 'GET', reference: Reference, name: string): HttpRequest {
    const url = new URL(`${transport.baseUrl(apiHost(reference))}/v2/${reference.repository}/manifests/${name}`);
    return { operation: method === 'HEAD' ? 'head' : 'get', method, url, headers: { accept: ACCEPT } };
  }

  return { resolveDigest, close: transport.close };
}

function resolved(
  reference: Reference,
  digest: string,
  mediaType: string,
  platforms: readonly PlatformManifest[],
): Resolution {
  const isIndex = manifestKind(mediaType) === 'index';
  return {
    kind: 'resolved',
    pinned: pinReference(reference, digest),
    digest,
    mediaType,
    platforms: isIndex ? platforms : [{ digest }],
  };
}

function failFromResponse(response: HttpResponse, conversation: AuthorizedConversation): ResolutionFailure {
  const { status, retryAfterSeconds } = response;
  // A registry with token authentication answers 401 to a valid token without the right, although RFC 6750 §3.1 has 403 for this.
  const lacksScope = response.headers('www-authenticate').some((value) => /\binsufficient_scope\b/.test(value));
  const isForbidden = status === 401 && lacksScope && conversation.credential !== undefined;
  return failFromStatus(isForbidden ? 403 : status, retryAfterSeconds, conversation, conversation.registry);
}

function dependsOnCredentials(result: Resolution): result is ResolutionFailure {
  return result.kind === 'failed' && CREDENTIAL_REASONS.includes(result.reason);
}

/** The later result, unless an earlier credential got further: a registry says "no such tag" only after it granted access. */
function moreTelling(earlier: ResolutionFailure, later: Resolution): Resolution {
  if (!dependsOnCredentials(later)) return later;
  const rank = ({ reason }: ResolutionFailure) => CREDENTIAL_REASONS.indexOf(reason);
  return rank(later) < rank(earlier) ? later : earlier;
}
