import { printable } from './printable.ts';
import type { InvalidReference, Reference } from './types.ts';

const DOCKER_HUB = 'docker.io';
const LEGACY_DOCKER_HUB = 'index.docker.io';
const DOCKER_HUB_API_HOST = 'registry-1.docker.io';
const OFFICIAL_PREFIX = 'library/';
const DEFAULT_TAG = 'latest';
const MAX_REPOSITORY_LENGTH = 255;
// A DNS name and a port.
const MAX_REGISTRY_LENGTH = 253 + 6;

// The grammar of github.com/distribution/reference (regexp.go), which containerd, CRI-O and the kubelet share.
const DOMAIN_LABEL = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const DOMAIN = new RegExp(`^(?:${DOMAIN_LABEL}(?:\\.${DOMAIN_LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const PATH_COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const REPOSITORY = new RegExp(`^${PATH_COMPONENT}(?:/${PATH_COMPONENT})*$`);
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST_HEX_LENGTH: ReadonlyMap<string, number> = new Map([
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
]);

/** Whether container runtimes accept the digest: `sha256:` (or sha384, sha512) and lower-case hex digits of the right length. */
export function isDigest(text: string): boolean {
  const [algorithm, hex = ''] = splitFirst(text, ':');
  return DIGEST_HEX_LENGTH.get(algorithm) === hex.length && /^[a-f0-9]+$/.test(hex);
}

/**
 * Parses an image reference as the kubelet does (`ParseNormalizedNamed` of github.com/distribution/reference):
 * `[host[:port]/]path[:tag][@digest]`, Docker Hub's short names included.
 */
export function parseReference(text: string): Reference | InvalidReference {
  const parts = splitReference(text);
  const fault = findFault(text, parts);
  if (fault !== undefined) {
    return { kind: 'invalid', message: `"${shorten(text)}" is not an image reference: ${fault}.` };
  }
  const { name, registry, repository, tag, digest } = parts;
  return { kind: 'reference', text, name, registry, repository, ...(tag && { tag }), ...(digest && { digest }) };
}

/** Adds a digest to the reference, in the user's spelling: `nginx:1.27` → `nginx:1.27@sha256:…`. */
export function pinReference(reference: Reference, digest: string): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  return `${reference.name}${tag}@${digest}`;
}

/** The reference for the manifest endpoint: the digest, else the tag, else `latest`. */
export function manifestName(reference: Reference): string {
  return reference.digest ?? reference.tag ?? DEFAULT_TAG;
}

/** The normalised name that the kubelet matches with credentials: `docker.io/library/nginx`. */
export function canonicalName(reference: Reference): string {
  return `${reference.registry}/${reference.repository}`;
}

/** `host[:port]` of the registry's API; Docker Hub has another host for its API. */
export function apiHost(reference: Reference): string {
  return reference.registry === DOCKER_HUB ? DOCKER_HUB_API_HOST : reference.registry;
}

interface ReferenceParts {
  readonly name: string;
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}

function splitReference(text: string): ReferenceParts {
  const [tagged, digest] = splitFirst(text, '@');
  // A colon before the last slash belongs to the registry's port.
  const colon = tagged.indexOf(':', tagged.lastIndexOf('/') + 1);
  const name = colon < 0 ? tagged : tagged.slice(0, colon);
  const tag = colon < 0 ? undefined : tagged.slice(colon + 1);
  return {
    name,
    ...splitRegistry(name),
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}

function splitRegistry(name: string): { registry: string; repository: string } {
  const [first, rest] = splitFirst(name, '/');
  if (rest === undefined) {
    return { registry: DOCKER_HUB, repository: OFFICIAL_PREFIX + name };
  }
  if (!isRegistry(first)) {
    return { registry: DOCKER_HUB, repository: name };
  }
  const registry = first === LEGACY_DOCKER_HUB ? DOCKER_HUB : first;
  const repository = registry === DOCKER_HUB && !rest.includes('/') ? OFFICIAL_PREFIX + rest : rest;
  return { registry, repository };
}

/** The first path component is a registry, not a Docker Hub user, if it is no valid user name. */
function isRegistry(component: string): boolean {
  return component === 'localhost' || /[.:]/.test(component) || component.toLowerCase() !== component;
}

function findFault(text: string, { name, registry, repository, tag, digest }: ReferenceParts): string | undefined {
  if (text === '') return 'it is empty';
  if (registry.length > MAX_REGISTRY_LENGTH) return `the registry is longer than ${MAX_REGISTRY_LENGTH} characters`;
  if (/\s/.test(text)) return 'it contains white space';
  if (/^[a-z]+:\/\//i.test(text)) return 'leave out the scheme and write host[:port]/repository:tag';
  if (name === '') return 'the repository is missing';
  if (/^[a-f0-9]{64}$/.test(name)) return '64 hexadecimal digits are an image ID; name a repository';
  // The grammar allows invalid ports and addresses.
  if (!DOMAIN.test(registry) || !URL.canParse(`https://${registry}`))
    return `"${shorten(registry)}" is not a registry host`;
  return (
    findRepositoryFault(repository) ??
    (tag === undefined ? undefined : findTagFault(tag)) ??
    (digest === undefined ? undefined : findDigestFault(digest))
  );
}

function findRepositoryFault(repository: string): string | undefined {
  if (repository !== repository.toLowerCase()) return `the repository "${shorten(repository)}" must be lower case`;
  if (repository.length > MAX_REPOSITORY_LENGTH) {
    return `the repository is longer than ${MAX_REPOSITORY_LENGTH} characters`;
  }
  if (REPOSITORY.test(repository)) return undefined;
  return `the repository "${shorten(repository)}" may have lower-case letters, digits and single separators (. _ __ -) between them`;
}

function findTagFault(tag: string): string | undefined {
  if (TAG.test(tag)) return undefined;
  return `the tag "${shorten(tag)}" must be 1 to 128 letters, digits, underscores, dots or dashes, and start with neither dot nor dash`;
}

function findDigestFault(digest: string): string | undefined {
  if (isDigest(digest)) return undefined;
  const [algorithm] = splitFirst(digest, ':');
  const length = DIGEST_HEX_LENGTH.get(algorithm);
  if (length === undefined) return `the digest "${shorten(digest)}" must start with sha256:, sha384: or sha512:`;
  return `the digest must have ${length} lower-case hexadecimal digits after ${algorithm}:`;
}

function splitFirst(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** Prevents a hostile or wrong value from filling a condition's message. */
function shorten(text: string): string {
  return printable(text, 100);
}
