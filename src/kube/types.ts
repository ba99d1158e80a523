/** The shapes that requests to the API server share. Objects are plain JSON as the server sends it: times are strings. */
import type { OwnerReference } from '../api/common.ts';

/** metadata as it is on the wire. `name` is missing only in a create with `generateName`. */
export interface WireMetadata {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  managedFields?: ManagedFieldsEntry[];
}

export interface ManagedFieldsEntry {
  manager?: string;
  operation?: string;
  apiVersion?: string;
  subresource?: string;
  time?: string;
  fieldsType?: string;
  fieldsV1?: object;
}

/** The least that an object of any kind has. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: WireMetadata;
}

/** A generated model class as it really is on the wire: JSON, so dates are RFC 3339 strings. */
export type Wire<T> = T extends Date
  ? string
  : T extends (infer Item)[]
    ? Wire<Item>[]
    : T extends object
      ? { [Key in keyof T]: Wire<T[Key]> }
      : T;

/** An object that came from the API server: what the server always sets is there. List items are completed with their kind. */
export type Live<T> = T & {
  apiVersion: string;
  kind: string;
  metadata: { name: string; uid: string; resourceVersion: string; creationTimestamp: string };
};

/** An object to send: it names itself. */
export type Named<T> = T & { apiVersion: string; kind: string; metadata: { name: string } };

/** A kind and where the API server serves it. `T` is the type of its objects and exists only for the compiler. */
export interface Resource<T extends KubeObject = KubeObject> {
  /** `v1`, or `group/version`. */
  apiVersion: string;
  kind: string;
  plural: string;
  namespaced: boolean;
  subresource?: string;
  /** Never set. */
  readonly type?: T;
}

/** The scale subresource (autoscaling/v1). */
export interface Scale extends KubeObject {
  spec?: { replicas?: number };
  status?: { replicas: number; selector?: string };
}

/** `resource`'s status subresource: writes through it change nothing but the status. */
export function statusOf<T extends KubeObject>(resource: Resource<T>): Resource<T> {
  return { ...resource, subresource: 'status' };
}

/** `resource`'s scale subresource. */
export function scaleResourceOf(resource: Resource): Resource<Scale> {
  const { apiVersion, kind, plural, namespaced } = resource;
  return { apiVersion, kind, plural, namespaced, subresource: 'scale' };
}

/** Which object. `namespace` is left out for cluster-scoped kinds. */
export interface ObjectKey {
  namespace?: string;
  name: string;
}

export interface RequestOptions {
  /** Ends the request; it then fails with reason `Aborted`. */
  signal?: AbortSignal;
  /** Milliseconds until the request fails with reason `ClientTimeout`. Default: the client's. */
  timeoutMs?: number;
}

export interface WriteOptions extends RequestOptions {
  /** The server does everything but store the result. */
  dryRun?: boolean;
}

export interface ManagedWriteOptions extends WriteOptions {
  /** Recorded in managedFields. */
  fieldManager?: string;
  /** A field that the kind does not have is refused (400), as by an apply. Left out: dropped without a word. */
  fieldValidation?: 'Strict';
}

export interface ApplyOptions extends WriteOptions {
  fieldManager: string;
  /** Take fields over from other managers; without it their ownership is a conflict (409, `isConflict`). */
  force?: boolean;
}

export interface DeleteOptions extends WriteOptions {
  /** The delete is a conflict (409) unless the object is exactly this one. */
  preconditions?: { uid?: string; resourceVersion?: string };
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  gracePeriodSeconds?: number;
}

/** RFC 6902, or RFC 7386 (`null` deletes a field). A `resourceVersion` in a merge patch's metadata makes it conditional. */
export type Patch = { type: 'json'; operations: JsonPatchOperation[] } | { type: 'merge'; body: object };

export type JsonPatchOperation =
  | { op: 'add' | 'replace' | 'test'; path: string; value: unknown }
  | { op: 'remove'; path: string }
  | { op: 'move' | 'copy'; from: string; path: string };

export interface Selection {
  /** Left out: all namespaces. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

export interface ListOptions extends Selection, RequestOptions {
  /** Objects per answer; the rest is had with the `continue` of the answer. */
  limit?: number;
  continue?: string;
  /** https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list: left out, the newest; `"0"`, whatever the server has cached. */
  resourceVersion?: string;
  resourceVersionMatch?: 'Exact' | 'NotOlderThan';
}

export interface ObjectList<T> {
  /** The version of the collection: where a watch goes on. */
  resourceVersion: string;
  continue?: string;
  items: Live<T>[];
}

export interface WatchOptions extends Selection {
  /** Events after this version. */
  resourceVersion: string;
  /** The server ends the watch after this time. */
  timeoutSeconds: number;
  /** Milliseconds of silence after which the watch fails with `ClientTimeout`; bookmarks, about one a minute, are no silence. */
  idleTimeoutMs: number;
  signal?: AbortSignal;
}

/** An `ERROR` of the stream is thrown as a KubeError by the client. A bookmark's object has a resourceVersion and nothing else. */
export type WatchEvent<T> =
  { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: Live<T> } | { type: 'BOOKMARK'; resourceVersion: string };

/** One finished request, for metrics. */
export interface RequestRecord {
  verb: Verb;
  /** Plural and subresource, such as `deployments/scale`; `version` for the version. */
  resource: string;
  /** HTTP status; 0 where no answer came. */
  code: number;
  /** Until the answer was read; for a watch until it began. */
  seconds: number;
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'apply' | 'patch' | 'delete';

/** `GET /version`. */
export interface VersionInfo {
  major: string;
  minor: string;
  gitVersion: string;
  platform?: string;
}

/**
 * The verbs of the API, for every kind. Every function fails with a `KubeError` and nothing else; none of them retries or
 * sleeps. A plain object of functions: a test can give its own.
 */
export interface KubeClient {
  get: <T extends KubeObject>(resource: Resource<T>, key: ObjectKey, options?: RequestOptions) => Promise<Live<T>>;
  /** One page; see `listAll`. */
  list: <T extends KubeObject>(resource: Resource<T>, options?: ListOptions) => Promise<ObjectList<T>>;
  create: <T extends KubeObject>(
    resource: Resource<T>,
    object: T & { apiVersion: string; kind: string },
    options?: ManagedWriteOptions,
  ) => Promise<Live<T>>;
  /** Replaces the object (PUT); with a resourceVersion in its metadata only if it is still that one. */
  update: <T extends KubeObject>(
    resource: Resource<T>,
    object: Named<T>,
    options?: ManagedWriteOptions,
  ) => Promise<Live<T>>;
  /** Server-side apply: creates or merges by field ownership. */
  apply: <T extends KubeObject>(resource: Resource<T>, object: Named<T>, options: ApplyOptions) => Promise<Live<T>>;
  patch: <T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    patch: Patch,
    options?: ManagedWriteOptions,
  ) => Promise<Live<T>>;
  /** The object as it is on its way out (finalizers, graceful deletion), undefined once it is gone. */
  delete: <T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options?: DeleteOptions,
  ) => Promise<Live<T> | undefined>;
  /** Ends without an error when the server ends it. */
  watch: <T extends KubeObject>(resource: Resource<T>, options: WatchOptions) => AsyncIterable<WatchEvent<T>>;
  version: (options?: RequestOptions) => Promise<VersionInfo>;
  /** Ends watches, lets requests finish, closes the connections. */
  close: () => Promise<void>;
}
