import { createKeyring, mergeKeyrings, parseDockerConfig } from './credentials.ts';
import type { DockerConfigEntry, DockerConfigFormat } from './credentials.ts';
import type { DigestRequest, Keyring, PodPullSpec, ResolutionFailure } from './types.ts';

/** The part of a Secret that is read; a V1Secret fits. Values are base64. */
export interface PullSecret {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

/** The part of a ServiceAccount that is read; a V1ServiceAccount fits. */
export interface PullServiceAccount {
  readonly imagePullSecrets?: readonly { readonly name?: string }[];
}

/** Gets one object by name; undefined where it does not exist. Throws what the API client throws. */
export type GetObject<T> = (namespace: string, name: string, signal?: AbortSignal) => Promise<T | undefined>;

/** Loads what a request may authenticate with. Never throws. */
export type LoadCredentials = (request: DigestRequest, signal: AbortSignal) => Promise<Keyring | ResolutionFailure>;

interface SecretKind {
  readonly key: string;
  readonly format: DockerConfigFormat;
}

const SECRET_KINDS: ReadonlyMap<string | undefined, SecretKind> = new Map([
  ['kubernetes.io/dockerconfigjson', { key: '.dockerconfigjson', format: 'dockerconfigjson' }],
  ['kubernetes.io/dockercfg', { key: '.dockercfg', format: 'dockercfg' }],
]);

/**
 * The keyring of a pod of this spec: its `imagePullSecrets`, else those of its service account, as the API server's
 * ServiceAccount admission fills them in (a pod that names its own gets none of the service account's).
 * A Secret that is missing or of another type is passed over as by the kubelet, and noted for the message of a later
 * authentication failure. One whose content is invalid is a failure, as the kubelet's pull would be.
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

/** As the API server defaults it. */
export function serviceAccountOf({ serviceAccountName, serviceAccount }: PodPullSpec): string {
  return serviceAccountName || serviceAccount || 'default';
}

/** What the background resolver's `loadCredentials` is: the pod's pull secrets, then the operator's own docker config. */
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

/** The operator's own docker config alone: for an operator that has no rights to Secrets. */
export function createOwnCredentialLoader(readOperatorKeyring?: () => Promise<Keyring>): LoadCredentials {
  const pod = createKeyring([], ['the operator is told to read no pull secrets (--read-pull-secrets=false)']);
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
  for (const name of names) {
    const secret = await readObject('Secret', namespace, name, getSecret, signal);
    if (secret.kind === 'failed') return secret;
    const parsed = secret.kind === 'found' ? parsePullSecret(secret.object, `Secret ${namespace}/${name}`) : secret;
    if (parsed.kind === 'failed') return parsed;
    if (parsed.kind === 'config') entries.push(...parsed.entries);
    notes.push(...parsed.notes);
  }
  return createKeyring(entries, notes);
}

type ParsedSecret =
  | { readonly kind: 'config'; readonly entries: readonly DockerConfigEntry[]; readonly notes: readonly string[] }
  | ResolutionFailure;

function parsePullSecret({ type, data }: PullSecret, source: string): ParsedSecret {
  const kind = SECRET_KINDS.get(type);
  if (kind === undefined) {
    const wanted = [...SECRET_KINDS.keys()].join(' or ');
    return { kind: 'config', entries: [], notes: [`${source} has the type ${type ?? 'Opaque'}, not ${wanted}`] };
  }
  const content = data?.[kind.key];
  if (!content) return { kind: 'config', entries: [], notes: [`${source} has no key ${kind.key}`] };
  const parsed = parseDockerConfig(Buffer.from(content, 'base64').toString('utf8'), kind.format, source);
  if (parsed.kind === 'config') return parsed;
  return {
    kind: 'failed',
    reason: 'InvalidPullSecret',
    message: `Key ${kind.key} of ${source} is invalid: ${parsed.problem}. Create it anew with "kubectl create secret docker-registry".`,
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

/** Only the status: an API error's message can hold headers. */
function describeStatus(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 403) return ': the operator may not get it (403), grant it the verb get';
  return typeof code === 'number' ? `: the API server answered ${code}` : '';
}

function secretNames(holder: { readonly imagePullSecrets?: readonly { readonly name?: string }[] }): string[] {
  return (holder.imagePullSecrets ?? []).flatMap(({ name }) => (name ? [name] : []));
}
