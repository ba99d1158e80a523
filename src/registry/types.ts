/** Types that the registry code and its callers share. */

/** An image reference, normalised as in the kubelet. Pinning uses the user's spelling. */
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
  /** Present if the user wrote a tag. A reference with neither tag nor digest means `latest`. */
  readonly tag?: string;
  readonly digest?: string;
}

export interface InvalidReference {
  readonly kind: 'invalid';
  /** One sentence: the problem, and what a valid reference looks like. */
  readonly message: string;
}

/** One credential for a registry, and its source for messages (never a secret value). */
export type Credential = {
  readonly source: string;
  /** Whether it is the operator's own, not a user's: then a registry cannot send it anywhere. */
  readonly isOperators?: true;
} & (
  | { readonly type: 'basic'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token: exchanged at the token endpoint. */
  | { readonly type: 'identityToken'; readonly token: string }
  /** A bearer token that is sent to the registry unchanged. */
  | { readonly type: 'registryToken'; readonly token: string }
);

/** The credentials of a pod, searched as the kubelet does. */
export interface Keyring {
  readonly kind: 'keyring';
  /** The candidates for an image, in the order to try. Empty: ask anonymously. */
  readonly candidates: (reference: Reference) => readonly Credential[];
  /** Notes that explain an authentication failure, such as a missing pull secret. */
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
  /** The digest of the index if the tag names one, else of the manifest. */
  readonly digest: string;
  /** Absent if the user gave the digest, because no registry was asked. */
  readonly mediaType?: string;
  /** Further digests that a kubelet may report for this image; empty if no registry was asked. */
  readonly platforms: readonly PlatformManifest[];
}

/** A reason for a condition. */
export type FailureReason =
  | 'InvalidReference'
  | 'InvalidPullSecret'
  | 'CredentialsUnavailable'
  | 'NotFound'
  | 'Unauthorized'
  | 'Forbidden'
  | 'TooManyRequests'
  | 'RegistryUnavailable'
  | 'TLS'
  | 'Unsupported'
  | 'InvalidResponse'
  | 'DigestMismatch'
  | 'Aborted';

export interface ResolutionFailure {
  readonly kind: 'failed';
  readonly reason: FailureReason;
  /** The problem and the way out. Contains no credential, and from the registry's answer only host names. */
  readonly message: string;
  /** Whether the same request can succeed later without a change of the spec. */
  readonly retryable: boolean;
  /** The registry's own Retry-After, in seconds. */
  readonly retryAfterSeconds?: number;
}

export type Resolution = Resolved | ResolutionFailure;

/** The fields of a pod spec that decide about pull credentials; compatible with V1PodSpec. */
export interface PodPullSpec {
  readonly imagePullSecrets?: readonly { readonly name?: string }[];
  readonly serviceAccountName?: string;
  /** The older name of serviceAccountName, which the API server still accepts. */
  readonly serviceAccount?: string;
}

export interface DigestRequest {
  /** The release's work queue key, passed to `onChange` when the answer changes. */
  readonly key: string;
  /** As written in the pod template. */
  readonly image: string;
  readonly namespace: string;
  readonly podSpec: PodPullSpec;
}

export type Lookup =
  | ({ readonly state: 'resolved' } & Omit<Resolved, 'kind'>)
  /** `isQueued`: other requests go first. `onChange` is called when the request begins. */
  | { readonly state: 'pending'; readonly isQueued?: true }
  /** `retryAt` (ms since the epoch) is absent if only a change of the spec can help. */
  | ({ readonly state: 'failed'; readonly retryAt?: number } & Omit<ResolutionFailure, 'kind'>);

/** The current digest of a tag, compared with the pinned digest. */
export type TagCheck =
  | { readonly state: 'unknown' }
  | { readonly state: 'same'; readonly checkedAt: number }
  | { readonly state: 'moved'; readonly checkedAt: number; readonly digest: string };

/** Resolves in the background; every method returns at once. */
export interface DigestResolver {
  /** The current answer. Starts a resolution if none is running, and calls `onChange(request.key)` when it ends. */
  readonly lookup: (request: DigestRequest) => Lookup;
  /**
   * Whether the tag still names `pinnedDigest`, as of the last check. Checks at the configured interval as long as the
   * key is not forgotten, and calls `onChange(request.key)` when the answer changes. Always `unknown` with rechecks off.
   */
  readonly recheck: (request: DigestRequest, pinnedDigest: string) => TagCheck;
  /** Sets the images of the release. Drops its interest in other images, and resolutions that nobody else waits for. */
  readonly retain: (key: string, requests: readonly DigestRequest[]) => void;
  /** The release is deleted: drops its interest, and resolutions that nobody else waits for. A later lookup tries at once. */
  readonly forget: (key: string) => void;
  readonly stats: () => { readonly entries: number; readonly queued: number; readonly running: number };
  /** Aborts running resolutions; resolves when all have ended. `onChange` is not called afterwards. */
  readonly stop: () => Promise<void>;
}

/** One HTTP exchange with a registry or its token server, for metrics. */
export interface RegistryRequestEvent {
  readonly registry: string;
  readonly operation: 'head' | 'get' | 'token';
  /** The HTTP status, or the reason why there is none. */
  readonly outcome: number | FailureReason;
  readonly seconds: number;
}

/** An exchange without an answer, for the log. */
export interface UnreachableEvent {
  readonly image: string;
  readonly registry: string;
  /** `host[:port]` of the registry, of its token server or of the target of a redirect. */
  readonly host: string;
  readonly cause: string;
}

/** One finished resolution, for metrics. */
export interface ResolutionEvent {
  readonly registry: string;
  readonly outcome: 'resolved' | FailureReason;
  readonly seconds: number;
}
