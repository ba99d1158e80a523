/** Shared types of requests to the API server. Objects are plain JSON as the server sends it: times are strings. */
import type { OwnerReference } from '../api/common.ts';

/** metadata on the wire. Only a create with `generateName` has no `name`. */
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

/** The minimum fields of an object of any kind. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: WireMetadata;
}

/** The JSON form of a generated model class: dates are RFC 3339 strings. */
export type Wire<T> = T extends Date
  ? string
  : T extends (infer Item)[]
    ? Wire<Item>[]
    : T extends object
      ? { [Key in keyof T]: Wire<T[Key]> }
      : T;

/** An object from the API server, with the fields that the server always sets. The client adds the kind to list items. */
export type Live<T> = T & {
  apiVersion: string;
  kind: string;
  metadata: { name: string; uid: string; resourceVersion: string; creationTimestamp: string };
};

/** An object to send, with its name. */
export type Named<T> = T & { apiVersion: string; kind: string; metadata: { name: string } };

/** A kind and its path in the API. `T` is the type of its objects, only for the compiler. */
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

/** The status subresource of `resource`: writes change only the status. */
export function statusOf<T extends KubeObject>(resource: Resource<T>): Resource<T> {
  return { ...resource, subresource: 'status' };
}

/** The scale subresource of `resource`. */
export function scaleResourceOf(resource: Resource): Resource<Scale> {
  const { apiVersion, kind, plural, namespaced } = resource;
  return { apiVersion, kind, plural, namespaced, subresource: 'scale' };
}

/** The key of an object. Cluster-scoped kinds have no `namespace`. */
export interface ObjectKey {
  namespace?: string;
  name: string;
}

export interface RequestOptions {
  /** Cancels the request, which then fails with reason `Aborted`. */
  signal?: AbortSignal;
  /** Milliseconds until the request fails with reason `ClientTimeout`. Default: the client's. */
  timeoutMs?: number;
}

export interface WriteOptions extends RequestOptions {
  /** The server does everything except storing the result. */
  dryRun?: boolean;
}

export interface ManagedWriteOptions extends WriteOptions {
  /** Recorded in managedFields. */
  fieldManager?: string;
  /** The server refuses unknown fields (400), as for an apply. Default: the server drops them silently. */
  fieldValidation?: 'Strict';
}

export interface ApplyOptions extends WriteOptions {
  fieldManager: string;
  /** Take over fields from other managers. Without it such fields are a conflict (409, `isConflict`). */
  force?: boolean;
}

export interface DeleteOptions extends WriteOptions {
  /** The delete fails with a conflict (409) unless the object matches exactly. */
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
  /** Absent: all namespaces. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

export interface ListOptions extends Selection, RequestOptions {
  /** Objects per answer. The `continue` of the answer gets the next page. */
  limit?: number;
  continue?: string;
  /** https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list. Absent: the newest; `"0"`: any version that the server has cached. */
  resourceVersion?: string;
  resourceVersionMatch?: 'Exact' | 'NotOlderThan';
}

export interface ObjectList<T> {
  /** The version of the collection, from which a watch continues. */
  resourceVersion: string;
  continue?: string;
  items: Live<T>[];
}

export interface WatchOptions extends Selection {
  /** Events after this version. */
  resourceVersion: string;
  /** The server ends the watch after this time. */
  timeoutSeconds: number;
  /** Milliseconds of silence after which the watch fails with `ClientTimeout`. Bookmarks, about one per minute, count as data. */
  idleTimeoutMs: number;
  signal?: AbortSignal;
}

/** The client throws an `ERROR` of the stream as a KubeError. The object of a bookmark has only a resourceVersion. */
export type WatchEvent<T> =
  { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: Live<T> } | { type: 'BOOKMARK'; resourceVersion: string };

/** One finished request, for metrics. */
export interface RequestRecord {
  verb: Verb;
  /** Plural and subresource, such as `deployments/scale`; `version` for the version. */
  resource: string;
  /** HTTP status; 0 without an answer. */
  code: number;
  /** Time until the answer is read; for a watch, until it starts. */
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
 * The verbs of the API, for every kind. A function fails only with a `KubeError`, and never retries or sleeps. A plain
 * object of functions, so that a test can provide its own.
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
  /** Replaces the object (PUT). With a resourceVersion in its metadata, only if the object still has that version. */
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
  /** Returns the object while it is being deleted (finalizers, graceful deletion); undefined if it is gone. */
  delete: <T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options?: DeleteOptions,
  ) => Promise<Live<T> | undefined>;
  /** Ends without an error when the server ends the watch. */
  watch: <T extends KubeObject>(resource: Resource<T>, options: WatchOptions) => AsyncIterable<WatchEvent<T>>;
  version: (options?: RequestOptions) => Promise<VersionInfo>;
  /** Ends watches, waits for requests, and closes the connections. */
  close: () => Promise<void>;
}
