/** What the registry code and its callers share. Nothing here has behaviour. */

/** An image reference, normalised as the kubelet does it, with the user's spelling kept for pinning. */
export interface Reference {
  readonly kind: 'reference';
  /** As written in the pod template. */
  readonly text: string;
  /** The user's spelling of registry and repository, without tag and digest: `nginx`. */
  readonly name: string;
  /** Normalised registry, `host[:port]`: `docker.io`. */
  readonly registry: string;
  /** Normalised repository within the registry: `library/nginx`. */
  readonly repository: string;
  /** Only where the user wrote one; a reference with neither tag nor digest means `latest`. */
  readonly tag?: string;
  readonly digest?: string;
}

export interface InvalidReference {
  readonly kind: 'invalid';
  /** One sentence for a person: what is wrong and what a right one looks like. */
  readonly message: string;
}

/** One credential for a registry, and where it came from (never a secret value), for messages. */
export type Credential = { readonly source: string } & (
  | { readonly type: 'basic'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token: exchanged at the token endpoint. */
  | { readonly type: 'identityToken'; readonly token: string }
  /** A bearer token that is sent to the registry as it is. */
  | { readonly type: 'registryToken'; readonly token: string }
);

/** The credentials that a pod has, searched as the kubelet searches them. */
export interface Keyring {
  readonly kind: 'keyring';
  /** The candidates for an image in the order to try them. Empty: ask anonymously. */
  readonly candidates: (reference: Reference) => readonly Credential[];
  /** Facts that explain an authentication failure, such as a pull secret that does not exist. */
  readonly notes: readonly string[];
}

/** A manifest that an index lists. `platform` is `os[(os.version)]/arch[/variant]`; a single manifest names none. */
export interface PlatformManifest {
  readonly platform?: string;
  readonly digest: string;
}

export interface Resolved {
  readonly kind: 'resolved';
  /** The reference with its digest, in the user's spelling: `nginx:1.27@sha256:…`. */
  readonly pinned: string;
  /** Of the index where the tag names one, else of the manifest. */
  readonly digest: string;
  /** Absent where the user gave the digest: no registry was asked then. */
  readonly mediaType?: string;
  /** Every digest that a kubelet may report for this image, besides `digest`; empty when no registry was asked. */
  readonly platforms: readonly PlatformManifest[];
}

/** Usable as the reason of a condition. */
export type FailureReason =
  | 'InvalidReference'
  | 'InvalidPullSecret'
  | 'CredentialsUnavailable'
  | 'NotFound'
  | 'Unauthorized'
  | 'Forbidden'
  | 'TooManyRequests'
  | 'RegistryUnavailable'
  | 'Timeout'
  | 'TLS'
  | 'Unsupported'
  | 'InvalidResponse'
  | 'DigestMismatch'
  | 'Aborted';

export interface ResolutionFailure {
  readonly kind: 'failed';
  readonly reason: FailureReason;
  /** What happened and what to do about it. Holds no credential, and of what a registry wrote only host names. */
  readonly message: string;
  /** Whether the same request can succeed later without a change of the spec. */
  readonly retryable: boolean;
  /** The registry's own Retry-After, in seconds. */
  readonly retryAfterSeconds?: number;
}

export type Resolution = Resolved | ResolutionFailure;

/** The part of a pod spec that decides about pull credentials; a V1PodSpec fits. */
export interface PodPullSpec {
  readonly imagePullSecrets?: readonly { readonly name?: string }[];
  readonly serviceAccountName?: string;
  /** The older name of serviceAccountName, which the API server still takes. */
  readonly serviceAccount?: string;
}

export interface DigestRequest {
  /** Handed to `onChange` when the answer changes: the release's work queue key. */
  readonly key: string;
  /** As written in the pod template. */
  readonly image: string;
  readonly namespace: string;
  readonly podSpec: PodPullSpec;
}

export type Lookup =
  | ({ readonly state: 'resolved' } & Omit<Resolved, 'kind'>)
  | { readonly state: 'pending' }
  /** `retryAt` (ms since the epoch) is absent where only a change of the spec can help. */
  | ({ readonly state: 'failed'; readonly retryAt?: number } & Omit<ResolutionFailure, 'kind'>);

/** What a tag names now, compared with the digest that was pinned. */
export type TagCheck =
  | { readonly state: 'unknown' }
  | { readonly state: 'same'; readonly checkedAt: number }
  | { readonly state: 'moved'; readonly checkedAt: number; readonly digest: string };

/** Resolves in the background; every method returns at once. */
export interface DigestResolver {
  /** The answer so far. Starts a resolution where none is under way, and calls `onChange(request.key)` when it ends. */
  readonly lookup: (request: DigestRequest) => Lookup;
  /**
   * Whether the tag still names `pinnedDigest`, as of the last check. Checks at the configured interval as long as the
   * key is not forgotten, and calls `onChange(request.key)` when the answer changes. Always `unknown` with rechecks off.
   */
  readonly recheck: (request: DigestRequest, pinnedDigest: string) => TagCheck;
  /** All images that the release has now: drops its interest in others, and what nobody else waits for. */
  readonly retain: (key: string, requests: readonly DigestRequest[]) => void;
  /** The release is gone: drops its interest, and what nobody else waits for. A lookup after it tries at once again. */
  readonly forget: (key: string) => void;
  readonly stats: () => { readonly entries: number; readonly queued: number; readonly running: number };
  /** Aborts what is under way; resolves when nothing runs any more. No `onChange` after it was called. */
  readonly stop: () => Promise<void>;
}

/** One HTTP exchange with a registry or its token server, for metrics. */
export interface RegistryRequestEvent {
  readonly registry: string;
  readonly operation: 'head' | 'get' | 'token';
  /** The HTTP status, or the reason why none was received. */
  readonly outcome: number | FailureReason;
  readonly seconds: number;
}

/** One finished resolution, for metrics. */
export interface ResolutionEvent {
  readonly registry: string;
  readonly outcome: 'resolved' | FailureReason;
  readonly seconds: number;
}
