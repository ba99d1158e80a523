import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { parseBoundedJson } from './bounded-json.ts';
import { canonicalName } from './reference.ts';
import type { Credential, Keyring, Reference } from './types.ts';

/** A credential and its registry (and path), as docker config names it. */
export interface DockerConfigEntry {
  readonly location: string;
  readonly credential: Credential;
}

export type ParsedDockerConfig =
  | { readonly kind: 'config'; readonly entries: readonly DockerConfigEntry[]; readonly notes: readonly string[] }
  /** `problem` completes "… is invalid: " and does not quote the content. */
  | { readonly kind: 'invalid'; readonly problem: string };

/** `dockerconfigjson` has its entries under `auths`; the legacy `dockercfg` at the top. */
export type DockerConfigFormat = 'dockerconfigjson' | 'dockercfg';

const text = z.string().nullish();
const authSchema = z.object({
  username: text,
  password: text,
  auth: text,
  identitytoken: text,
  registrytoken: text,
});
const authsSchema = z.record(z.string(), authSchema.nullable());
const dockerConfigSchema = z.object({
  auths: authsSchema.nullish(),
  credsStore: text,
  credHelpers: z.record(z.string(), z.string()).nullish(),
});

/** Enough for some thousand entries. */
const CONFIG_JSON = { maxDepth: 32, maxValues: 20_000 };

const DEFAULT_REGISTRY_KEY = 'index.docker.io';
const DEFAULT_REGISTRY = 'docker.io';

/** Parses a docker config. `source` names the origin of the credentials in messages, such as `Secret shop/regcred`. */
export function parseDockerConfig(content: string, format: DockerConfigFormat, source: string): ParsedDockerConfig {
  const json = parseBoundedJson(Buffer.from(content), CONFIG_JSON);
  if (json === undefined) return { kind: 'invalid', problem: 'it is not JSON, or has too many entries' };
  const parsed =
    format === 'dockerconfigjson' ? dockerConfigSchema.safeParse(json) : wrapAuths(authsSchema.safeParse(json));
  if (!parsed.success) return { kind: 'invalid', problem: 'it does not have the fields of a docker config' };

  const entries: DockerConfigEntry[] = [];
  for (const [location, auth] of Object.entries(parsed.data.auths ?? {})) {
    const credential = auth === null ? undefined : readCredential(auth, source);
    if (credential === 'invalid') {
      return { kind: 'invalid', problem: 'the field "auth" of an entry is not the base64 of username:password' };
    }
    if (credential !== undefined) entries.push({ location, credential });
  }
  return { kind: 'config', entries, notes: findHelperNotes(parsed.data, source) };
}

/**
 * A keyring that searches as the kubelet does (Kubernetes' pkg/credentialprovider): hosts match label by label with
 * `*`, ports must be equal, paths are prefixes, the most specific location comes first, and Docker Hub's images fall
 * back to the entry for index.docker.io.
 */
export function createKeyring(entries: readonly DockerConfigEntry[], notes: readonly string[] = []): Keyring {
  const byKey = Map.groupBy(entries, ({ location }) => locationKey(location));
  // Descending string order puts longer paths, and hosts without a wildcard, first.
  const index = [...byKey].sort(([a], [b]) => (a < b ? 1 : -1));
  return {
    kind: 'keyring',
    notes,
    candidates(reference) {
      const name = canonicalName(reference);
      const matching = index.flatMap(([key, found]) => (locationMatches(key, name) ? found : []));
      const isDefault = reference.registry === DEFAULT_REGISTRY;
      const found = matching.length === 0 && isDefault ? (byKey.get(DEFAULT_REGISTRY_KEY) ?? []) : matching;
      return found.map(({ credential }) => credential);
    },
  };
}

/** Searches the keyrings in order. */
export function mergeKeyrings(...keyrings: readonly Keyring[]): Keyring {
  return {
    kind: 'keyring',
    candidates: (reference: Reference) => keyrings.flatMap((keyring) => keyring.candidates(reference)),
    notes: keyrings.flatMap((keyring) => keyring.notes),
  };
}

/** Whether credentials stored under `key` (`host[:port][/path]`, `*` within a label) are for the image `name`. */
export function locationMatches(key: string, name: string): boolean {
  const wanted = splitLocation(key);
  const actual = splitLocation(name);
  return (
    wanted.port === actual.port &&
    wanted.labels.length === actual.labels.length &&
    actual.path.startsWith(wanted.path) &&
    wanted.labels.every((glob, i) => globMatches(glob, actual.labels[i] ?? ''))
  );
}

/**
 * The operator's own docker config, read again by each call because it may be a mounted Secret that changes. A missing or
 * invalid file does not stop anonymous resolution: a note reports it, and the last valid content stays in use.
 */
export function createDockerConfigFile(path: string): () => Promise<Keyring> {
  const source = "the operator's docker config";
  let valid: readonly DockerConfigEntry[] = [];

  async function readNotes(): Promise<readonly string[]> {
    const parsed = parseDockerConfig(await readFile(path, 'utf8'), 'dockerconfigjson', source);
    if (parsed.kind === 'invalid') return [`${source} (${path}) is invalid: ${parsed.problem}`];
    valid = parsed.entries.map(({ location, credential }) => ({
      location,
      credential: { ...credential, isOperators: true },
    }));
    return parsed.notes;
  }

  return async () => {
    const notes = await readNotes().catch((error: unknown) => [
      `${source} (${path}) cannot be read: ${errorCode(error)}`,
    ]);
    return createKeyring(valid, notes);
  };
}

type Auth = z.infer<typeof authSchema>;

function readCredential(auth: Auth, source: string): Credential | 'invalid' | undefined {
  if (auth.registrytoken) return { source, type: 'registryToken', token: auth.registrytoken };
  if (auth.identitytoken) return { source, type: 'identityToken', token: auth.identitytoken };
  if (auth.auth) {
    const decoded = decodeAuth(auth.auth);
    return decoded === undefined ? 'invalid' : { source, type: 'basic', ...decoded };
  }
  // Credential helpers leave entries without a credential.
  if (!auth.username && !auth.password) return undefined;
  return { source, type: 'basic', username: auth.username ?? '', password: auth.password ?? '' };
}

function decodeAuth(auth: string): { username: string; password: string } | undefined {
  const base64 = auth.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) return undefined;
  const decoded = Buffer.from(base64, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  return colon < 0 ? undefined : { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

function findHelperNotes(config: z.infer<typeof dockerConfigSchema>, source: string): string[] {
  const helped = Object.keys(config.credHelpers ?? {});
  if (!config.credsStore && helped.length === 0) return [];
  return [`${source} names credential helpers, which are not run: write the credentials into its "auths"`];
}

/** The kubelet's index for an entry: no scheme, and docker's `/v1/` and `/v2/` mean the whole registry. */
function locationKey(location: string): string {
  const { host, path } = splitUrl(location.replace(/^https?:\/\//, ''));
  const effective = /^\/v[12]\//.test(path) ? path.slice(3) : path;
  return effective === '/' ? host : host + effective;
}

function splitLocation(location: string): { labels: string[]; port: string; path: string } {
  const { host, path } = splitUrl(location);
  const [, name = host, port = ''] = /^(.*?)(?::(\d*))?$/.exec(host) ?? [];
  return { labels: name.split('.'), port, path };
}

function splitUrl(location: string): { host: string; path: string } {
  const url = location.replace(/[?#].*$/s, '');
  const slash = url.indexOf('/');
  return slash < 0 ? { host: url, path: '' } : { host: url.slice(0, slash), path: url.slice(slash) };
}

/** Linear in the length of the label, because the glob comes from a Secret that any tenant may write. */
function globMatches(glob: string, label: string): boolean {
  const [prefix = '', ...rest] = glob.split('*');
  const suffix = rest.pop();
  if (suffix === undefined) return glob === label;
  if (!label.startsWith(prefix)) return false;
  let at = prefix.length;
  for (const part of rest) {
    const found = label.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return label.length - suffix.length >= at && label.endsWith(suffix);
}

function wrapAuths(parsed: z.ZodSafeParseResult<z.infer<typeof authsSchema>>) {
  return parsed.success ? { success: true as const, data: { auths: parsed.data } } : parsed;
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
