import { printable } from './printable.ts';
import type { FailureReason, ResolutionFailure } from './types.ts';

/** The failed request, for messages. */
export interface FailureContext {
  /** The image as the user wrote it. */
  readonly image: string;
  /** `host[:port]` of the registry, as the user writes it. */
  readonly registry: string;
}

// Messages become conditions, which people scan and etcd stores.
const MAX_MESSAGE_LENGTH = 2000;
const MAX_LISTED = 5;

export const INSECURE = 'allow plain HTTP with the operator\'s flag "--insecure-registry"';
const UNREACHABLE =
  'cannot be reached: the operator\'s log has the cause; check the host name, that the server runs, its certificate ("--registry-ca-file", "--insecure-registry"), the operator\'s network (HTTPS_PROXY, NO_PROXY), and that its addresses are allowed ("--registry-allow-network")';

/** A failure that the registry, the network or a Secret can fix: the same request may succeed later. */
export function fail(
  reason: FailureReason,
  { image }: FailureContext,
  problem: string,
  retryAfterSeconds?: number,
): ResolutionFailure {
  return {
    kind: 'failed',
    reason,
    message: printable(`Cannot resolve ${image}: ${problem}.`, MAX_MESSAGE_LENGTH),
    retryable: true,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
}

/** The failure for an HTTP status outside 200 to 399. `server` names the server that answered. */
export function failFromStatus(
  status: number,
  retryAfterSeconds: number | undefined,
  context: FailureContext,
  server: string,
): ResolutionFailure {
  if (status === 401) return fail('Unauthorized', context, `${server} needs other credentials (401)`);
  if (status === 403) return fail('Forbidden', context, `${server} refuses access (403)`);
  if (status === 404) return fail('NotFound', context, `${server} does not know the image (404)`);
  if (status === 429) {
    return fail('TooManyRequests', context, describeLimit(server, 'later'), retryAfterSeconds);
  }
  if (status === 408 || status >= 500) {
    const problem = `${server} is unavailable (${status}): the operator tries again; running pods are not affected`;
    return fail('RegistryUnavailable', context, problem, retryAfterSeconds);
  }
  const problem = `${server} answered ${status}, unlike a registry: check the host name, or pin the image by digest`;
  return fail('InvalidResponse', context, problem);
}

/** The failure for a request that waits because the host asked for a pause. */
export function failPaused(context: FailureContext, until: number): ResolutionFailure {
  return fail('TooManyRequests', context, describeLimit(context.registry, `at ${new Date(until).toISOString()}`));
}

function describeLimit(server: string, when: string): string {
  return `${server} limits the rate of requests (429): the operator asks again ${when}; credentials usually raise the limit, and an image pinned by digest needs no request`;
}

export function failHeaders(context: FailureContext, server: string): ResolutionFailure {
  const problem = `${server} sends headers that are too large for a registry: check the host name`;
  return fail('InvalidResponse', context, problem);
}

/**
 * The failure for a server that did not answer, or must not be asked. The message is the same whatever the cause, because
 * whoever may edit a release could scan the operator's network with it. The log has the cause.
 */
export function failUnreachable(context: FailureContext, server: string): ResolutionFailure {
  return fail('RegistryUnavailable', context, `${server} ${UNREACHABLE}`);
}

export function failPlainHttp(context: FailureContext, server: string): ResolutionFailure {
  return fail(
    'TLS',
    context,
    `${server} uses plain HTTP, which is not allowed for it: enable TLS there, or ${INSECURE}`,
  );
}

/** The credentials that were tried, for the message of an authentication failure. */
export interface CredentialReport {
  /** The source of each credential that was tried; empty for an anonymous request. */
  readonly sources: readonly string[];
  readonly notes: readonly string[];
}

/** Adds the credentials that were tried, and the ways out, to a failure that other credentials could fix. */
export function explainCredentials(
  { reason, ...failure }: ResolutionFailure,
  { image, registry }: FailureContext,
  { sources, notes }: CredentialReport,
): ResolutionFailure {
  const tried = sources.length === 0 ? 'without credentials' : `with ${listSome([...new Set(sources)], ', ')}`;
  const problem = {
    NotFound: `${registry} does not know the image (404), asked ${tried}: check name and tag; some registries answer 404 if access is denied`,
    Forbidden: `${registry} refuses access (403), asked ${tried}${sources.length === 0 ? '' : ', which may have expired or lack the right to pull'}`,
  }[reason as string];
  const waysOut =
    "Ways out: imagePullSecrets in the template or on its service account; the operator's docker config (the operator does not have the nodes' own credentials for cloud registries); or pin the image by digest";
  const known = notes.length === 0 ? '' : ` Note: ${listSome(notes, '; ')}.`;
  const unauthorized = `${registry} needs ${sources.length === 0 ? '' : 'other '}credentials (401), asked ${tried}; or the repository does not exist`;
  const message = `Cannot resolve ${image}: ${problem ?? unauthorized}. ${waysOut}.${known}`;
  return { ...failure, reason, message: printable(message, MAX_MESSAGE_LENGTH) };
}

function listSome(texts: readonly string[], separator: string): string {
  const more = texts.length - MAX_LISTED;
  return [...texts.slice(0, MAX_LISTED), ...(more > 0 ? [`${more} more`] : [])].join(separator);
}
