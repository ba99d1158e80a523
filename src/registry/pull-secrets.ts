import { createKeyring, mergeKeyrings, parseDockerConfig } from './credentials.ts';
import type { DockerConfigEntry, DockerConfigFormat } from './credentials.ts';
import { printable } from './printable.ts';
import type { DigestRequest, Keyring, PodPullSpec, ResolutionFailure } from './types.ts';

/** The fields of a Secret that the operator reads; compatible with V1Secret. Values are base64. */
export interface PullSecret {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

/** The fields of a ServiceAccount that the operator reads; compatible with V1ServiceAccount. */
export interface PullServiceAccount {
  readonly imagePullSecrets?: readonly { readonly name?: string }[];
}

/** Gets an object by name; undefined if it does not exist. Throws the errors of the API client. */
export type GetObject<T> = (namespace: string, name: string, signal?: AbortSignal) => Promise<T | undefined>;

/** Loads the credentials for a request. Never throws. */
export type LoadCredentials = (request: DigestRequest, signal: AbortSignal) => Promise<Keyring | ResolutionFailure>;

interface SecretKind {
  readonly key: string;
  readonly format: DockerConfigFormat;
}

const SECRET_KINDS: ReadonlyMap<string | undefined, SecretKind> = new Map([
  ['kubernetes.io/dockerconfigjson', { key: '.dockerconfigjson', format: 'dockerconfigjson' }],
  ['kubernetes.io/dockercfg', { key: '.dockercfg', format: 'dockercfg' }],
]);

/** Limits for the pull secrets of a pod. Each costs a request and time for its bytes, and the author of the template chooses them. */
const MAX_PULL_SECRETS = 32;
const MAX_CONTENT_BYTES = 1024 * 1024;
const MAX_NAME_LENGTH = 253;

/**
 * The keyring of a pod with this spec: its `imagePullSecrets`, else those of its service account, as in the API server's
 * ServiceAccount admission (a pod with its own secrets gets none of the service account).
 * A missing Secret, or one of another type, is skipped as by the kubelet, and noted for the message of a later
 * authentication failure. A Secret with invalid content is a failure, as for the kubelet's pull.
 */
export async function collectPullSecrets(
  getSecret: GetObject<PullSecret>,
  getServiceAccount: GetObject<PullServiceAccount>,
  namespace: string,
  podSpec: PodPullSpec,
  signal?: AbortSignal,
): Promise<Keyring | ResolutionFailure> {
  const own = secretNames(podSpec);
  if (own.length > 0) {
    const note = "the template names imagePullSecrets, so its service account's are not used";
    return readPullSecrets(own, namespace, getSecret, [note], signal);
  }
  const accountName = serviceAccountOf(podSpec);
  const account = await readObject('ServiceAccount', namespace, accountName, getServiceAccount, signal);
  if (account.kind === 'failed') return account;
  const notes = account.kind === 'missing' ? account.notes : [];
  const names = account.kind === 'found' ? secretNames(account.object) : [];
  return readPullSecrets(names, namespace, getSecret, notes, signal);
}

/** The default of the API server. */
export function serviceAccountOf({ serviceAccountName, serviceAccount }: PodPullSpec): string {
  return serviceAccountName || serviceAccount || 'default';
}

/** The `loadCredentials` of the background resolver: the pod's pull secrets, then the operator's docker config. */
export function createCredentialLoader(
  getSecret: GetObject<PullSecret>,
  getServiceAccount: GetObject<PullServiceAccount>,
  readOperatorKeyring?: () => Promise<Keyring>,
): LoadCredentials {
  return async ({ namespace, podSpec }, signal) => {
    const pod = await collectPullSecrets(getSecret, getServiceAccount, namespace, podSpec, signal);
    if (pod.kind === 'failed' || readOperatorKeyring === undefined) return pod;
    return mergeKeyrings(pod, await readOperatorKeyring());
  };
}

/** Only the operator's own docker config, for an operator without rights to Secrets. */
export function createOwnCredentialLoader(readOperatorKeyring?: () => Promise<Keyring>): LoadCredentials {
  const pod = createKeyring([], ['the operator reads no pull secrets (--read-pull-secrets=false)']);
  return async () => (readOperatorKeyring === undefined ? pod : mergeKeyrings(pod, await readOperatorKeyring()));
}

async function readPullSecrets(
  names: readonly string[],
  namespace: string,
  getSecret: GetObject<PullSecret>,
  accountNotes: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Keyring | ResolutionFailure> {
  const entries: DockerConfigEntry[] = [];
  const notes = [...accountNotes];
  let room = MAX_CONTENT_BYTES;
  if (names.length > MAX_PULL_SECRETS) {
    notes.push(`only the first ${MAX_PULL_SECRETS} imagePullSecrets are read`);
  }
  for (const name of names.slice(0, MAX_PULL_SECRETS)) {
    const secret = await readObject('Secret', namespace, name, getSecret, signal);
    if (secret.kind === 'failed') return secret;
    const parsed =
      secret.kind === 'found' ? parsePullSecret(secret.object, `Secret ${namespace}/${name}`, room) : secret;
    if (parsed.kind === 'failed') return parsed;
    if (parsed.kind === 'config') {
      for (const entry of parsed.entries) entries.push(entry);
      room -= parsed.bytes;
    }
    notes.push(...parsed.notes);
  }
  return createKeyring(entries, notes);
}

type ParsedSecret =
  | {
      readonly kind: 'config';
      readonly entries: readonly DockerConfigEntry[];
      readonly notes: readonly string[];
      readonly bytes: number;
    }
  | ResolutionFailure;

/** `room`: the number of bytes that may still be read. */
function parsePullSecret({ type, data }: PullSecret, source: string, room: number): ParsedSecret {
  const passOver = (note: string) => ({ kind: 'config' as const, entries: [], notes: [`${source} ${note}`], bytes: 0 });
  const kind = SECRET_KINDS.get(type);
  if (kind === undefined) {
    const wanted = [...SECRET_KINDS.keys()].join(' or ');
    return passOver(`has the type ${type ?? 'Opaque'}, not ${wanted}`);
  }
  const content = data?.[kind.key];
  if (!content) return passOver(`has no key ${kind.key}`);
  const bytes = Buffer.from(content, 'base64');
  if (bytes.length > room) return passOver('is skipped: the limit for all pull secrets of a pod is 1 MiB');
  const parsed = parseDockerConfig(bytes.toString('utf8'), kind.format, source);
  if (parsed.kind === 'config') return { ...parsed, bytes: bytes.length };
  return {
    kind: 'failed',
    reason: 'InvalidPullSecret',
    message: `Key ${kind.key} of ${source} is invalid: ${parsed.problem}. Create the Secret again with "kubectl create secret docker-registry".`,
    retryable: true,
  };
}

type ReadObject<T> =
  | { readonly kind: 'found'; readonly object: T }
  | { readonly kind: 'missing'; readonly notes: readonly string[] }
  | ResolutionFailure;

async function readObject<T>(
  kind: 'Secret' | 'ServiceAccount',
  namespace: string,
  name: string,
  get: GetObject<T>,
  signal: AbortSignal | undefined,
): Promise<ReadObject<T>> {
  if (!isObjectName(name)) {
    return { kind: 'missing', notes: [`"${printable(name, 100)}" is not a valid name of a ${kind}`] };
  }
  try {
    const object = await get(namespace, name, signal);
    if (object !== undefined) return { kind: 'found', object };
    return { kind: 'missing', notes: [`${kind} ${namespace}/${name} does not exist`] };
  } catch (error) {
    return {
      kind: 'failed',
      reason: 'CredentialsUnavailable',
      message: `${kind} ${namespace}/${name} cannot be read for its pull credentials${describeStatus(error)}.`,
      retryable: true,
    };
  }
}

/** Returns only the status, because the message of an API error may contain headers. */
function describeStatus(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 403) return ': the operator may not get it (403), grant the operator the verb get';
  return typeof code === 'number' ? `: the API server answered ${code}` : '';
}

function secretNames(holder: { readonly imagePullSecrets?: readonly { readonly name?: string }[] }): string[] {
  return (holder.imagePullSecrets ?? []).flatMap(({ name }) => (name ? [name] : []));
}

function isObjectName(name: string): boolean {
  return name.length <= MAX_NAME_LENGTH && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name);
}

/** The fields of a pod spec that decide about pull credentials, so that waiting requests do not keep a whole template. */
export function pullSpecOf(podSpec: PodPullSpec): PodPullSpec {
  const secrets = secretNames(podSpec).slice(0, MAX_PULL_SECRETS + 1);
  const account = podSpec.serviceAccountName || podSpec.serviceAccount;
  return {
    ...(secrets.length > 0 && { imagePullSecrets: secrets.map((name) => ({ name: shortenName(name) })) }),
    ...(account && { serviceAccountName: shortenName(account) }),
  };
}

/** Cuts a long name, but keeps it too long to be valid. */
function shortenName(name: string): string {
  return printable(name, MAX_NAME_LENGTH + 1);
}
