/** A simulated API server: verbs, preconditions and refusals. */
import { KubeError } from '../../src/kube/errors.ts';
import type { StatusCause } from '../../src/kube/errors.ts';
import type { DeleteOptions, JsonPatchOperation, Patch, Resource } from '../../src/kube/types.ts';
import type { OwnerReference } from '../../src/api/common.ts';
import { canonicalJson } from '../../src/lib/canonical-json.ts';
import { complete } from './complete.ts';
import type { Manager, Managers } from './fields.ts';
import {
  changedFields,
  conflictsOf,
  fieldsOf,
  fieldsV1,
  managerKey,
  managerName,
  moveToApply,
  setField,
  valueAt,
  without,
} from './fields.ts';
import type { World, WorldObject } from './world.ts';

export interface WriteAs {
  actor: string;
  manager: string;
  force?: boolean;
  dryRun?: boolean;
}

export type SentObject = { apiVersion?: string; kind?: string; metadata?: { name?: string } } & Record<string, unknown>;

export interface ApiServer {
  get: (resource: Resource, name: string) => WorldObject;
  /** Selects objects by a label: `key=value`. */
  list: (resource: Resource, labelSelector?: string) => { resourceVersion: string; items: WorldObject[] };
  create: (resource: Resource, object: SentObject, as: WriteAs) => WorldObject;
  apply: (resource: Resource, object: SentObject, as: WriteAs) => WorldObject;
  patch: (resource: Resource, name: string, patch: Patch, as: WriteAs) => WorldObject;
  /** Undefined: the object is gone. */
  remove: (resource: Resource, name: string, options: DeleteOptions, as: WriteAs) => WorldObject | undefined;
  admission: {
    /** Whether the template of a Deployment is invalid: the field and the reason. */
    refuse?: (object: WorldObject, dryRun: boolean) => StatusCause | undefined;
    /** How long a webhook for Deployments keeps a write of the operator waiting (ms). */
    hangs?: () => number | undefined;
    /** Whether a policy, a webhook or a quota stops the write of an object; `isNew`: the write creates it. */
    stop?: (object: WorldObject, isNew: boolean) => { code: number; reason: string; message: string } | undefined;
  };
}

const IMMUTABLE: Record<string, string[]> = {
  Deployment: ['spec', 'selector'],
  ControllerRevision: ['data'],
  ReleaseRollback: ['spec'],
  ReleasePromotion: ['spec'],
};

/** How long a pod takes to end. */
const GRACE_MS = 5000;

export function createApiServer(world: World): ApiServer {
  /** By uid. */
  const ownership = new Map<string, Managers>();
  const admission: ApiServer['admission'] = {};

  function get(resource: Resource, name: string): WorldObject {
    const object = world.get(resource.kind, name);
    if (!object) throw refusal(404, 'NotFound', resource, name, `${resource.plural} "${name}" not found`);
    return object;
  }

  function list({ kind }: Resource, labelSelector?: string): ReturnType<ApiServer['list']> {
    const [key = '', value] = labelSelector?.split('=') ?? [];
    const items = world.list(kind).filter(({ metadata }) => metadata.labels?.[key] === value);
    return { resourceVersion: world.version(), items };
  }

  function create(resource: Resource, sent: SentObject, as: WriteAs): WorldObject {
    const name = sent.metadata?.name ?? '';
    if (world.get(resource.kind, name)) {
      throw refusal(409, 'AlreadyExists', resource, name, `${resource.plural} "${name}" already exists`);
    }
    const { status: _status, ...object } = structuredClone(sent);
    const owned = fieldsOf(resource.kind, object);
    if (resource.kind === 'Pod') Object.assign(object, { status: { phase: 'Pending', conditions: [] } });
    return store(resource, undefined, object as SentObject & WorldObject, as, () => [
      [managerKey('Update', as.manager), { operation: 'Update', time: world.timestamp(), owned }],
    ]);
  }

  function apply(resource: Resource, sent: SentObject, as: WriteAs): WorldObject {
    const { kind } = resource;
    const name = sent.metadata?.name ?? '';
    const { metadata: given, ...body } = structuredClone(sent) as unknown as WorldObject;
    const { resourceVersion, uid, ...metadata } = given as Partial<WorldObject['metadata']>;
    const desired = { ...body, metadata } as WorldObject;
    const owned = fieldsOf(kind, desired);
    const live = world.get(kind, name);
    const own: Manager = { operation: 'Apply', time: world.timestamp(), owned };
    const key = managerKey('Apply', as.manager);
    if (!live) {
      if (resourceVersion || uid) throw staleVersion(resource, name);
      return store(resource, undefined, desired, as, () => [[key, own]]);
    }
    if (uid && uid !== live.metadata.uid) {
      const field = 'metadata.uid';
      const causes = [{ reason: 'FieldValueInvalid', field, message: 'field is immutable' }];
      throw refusal(
        422,
        'Invalid',
        resource,
        name,
        `${kind} "${name}" is invalid: ${field}: field is immutable`,
        causes,
      );
    }
    if (resourceVersion && resourceVersion !== live.metadata.resourceVersion) throw staleVersion(resource, name);
    const managers = ownership.get(live.metadata.uid) ?? new Map<string, Manager>();
    const conflicts = conflictsOf(managers, key, desired, live, owned);
    if (conflicts.size > 0 && !as.force) {
      const causes = [...conflicts].map(([who, paths]) => ({
        field: `.${paths[0]?.join('.') ?? ''}`,
        message: `conflict with "${managerName(who)}"`,
      }));
      const text = causes.map(({ field, message }) => `${message}: ${field}`).join('; ');
      throw refusal(409, 'Conflict', resource, name, `Apply failed with conflicts: ${text}`, causes);
    }
    const next = structuredClone(live);
    for (const path of owned.values()) setField(next, path, valueAt(desired, path));
    for (const [text, path] of managers.get(key)?.owned ?? []) {
      const shared = [...managers].some(([who, manager]) => who !== key && manager.owned.has(text));
      if (!owned.has(text) && !shared) setField(next, path, undefined);
    }
    return store(resource, live, next, as, () => {
      const taken = new Map([...conflicts.values()].flat().map((path) => [path.join('\0'), path]));
      return [...without(managers, taken, key).set(key, own)];
    });
  }

  function patch(resource: Resource, name: string, given: Patch, as: WriteAs): WorldObject {
    const live = get(resource, name);
    const next = structuredClone(live);
    if (given.type === 'json') for (const operation of given.operations) operate(resource, next, operation);
    else mergeInto(next, given.body);
    if (next.metadata.resourceVersion !== live.metadata.resourceVersion) throw staleVersion(resource, name);
    if (resource.subresource === 'status') {
      const status = { ...live, ...(next.status !== undefined && { status: next.status }) };
      return store(resource, live, status, as, () => ownership.get(live.metadata.uid) ?? []);
    }
    const changed = changedFields(resource.kind, live, next);
    const moves = given.type === 'json' && given.operations.some(({ path }) => path === '/metadata/managedFields');
    const known = ownership.get(live.metadata.uid) ?? new Map<string, Manager>();
    /** A Scale object leaves out 0, so nobody owns it; and after that nobody owns the next scale. */
    function isUntold(field: string): boolean {
      return (
        (next.spec as { replicas?: number }).replicas === 0 ||
        ![...known.values()].some(({ owned }) => owned.has(field))
      );
    }
    return store(resource, live, next, as, () => {
      const key = managerKey('Update', as.manager);
      if (moves) return moveToApply(known, as.manager, world.timestamp());
      const others = without(known, changed, key);
      const before = [...(others.get(key)?.owned ?? [])].filter(([text]) => !changed.has(text));
      const present = [...changed].filter(
        ([text, path]) => valueAt(next, path) !== undefined && !(resource.subresource === 'scale' && isUntold(text)),
      );
      const owned = new Map([...before, ...present]);
      if (owned.size > 0) return others.set(key, { operation: 'Update', time: world.timestamp(), owned });
      others.delete(key);
      return others;
    });
  }

  function store(
    resource: Resource,
    live: WorldObject | undefined,
    next: WorldObject,
    as: WriteAs,
    owners: () => Iterable<readonly [string, Manager]>,
  ): WorldObject {
    complete(resource.kind, next);
    validate(resource, live, next, as.dryRun ?? false);
    const managers: Managers = new Map(owners());
    next.metadata.managedFields = showManagers(managers);
    if (as.dryRun) return next;
    if (live && same(live, next)) return live;
    const stored = world.put(as.actor, next);
    ownership.set(stored.metadata.uid, managers);
    return stored;
  }

  function validate(resource: Resource, live: WorldObject | undefined, next: WorldObject, dryRun: boolean): void {
    const { name } = next.metadata;
    function invalid(field: string, message: string): KubeError {
      return refusal(422, 'Invalid', resource, name, `${resource.kind} "${name}" is invalid: ${field}: ${message}`, [
        { field, message },
      ]);
    }
    const controllers = (next.metadata.ownerReferences ?? []).filter(({ controller }) => controller);
    if (controllers.length > 1) {
      throw invalid('metadata.ownerReferences', 'Only one reference can have Controller set to true');
    }
    const fixed = IMMUTABLE[resource.kind];
    if (live && fixed && canonicalJson(valueAt(live, fixed)) !== canonicalJson(valueAt(next, fixed))) {
      throw invalid(fixed.join('.'), 'field is immutable');
    }
    const refused = resource.kind === 'Deployment' ? admission.refuse?.(next, dryRun) : undefined;
    if (refused) throw invalid(refused.field ?? '', refused.message ?? '');
    const stopped = admission.stop?.(next, live === undefined);
    if (stopped) throw refusal(stopped.code, stopped.reason, resource, name, stopped.message);
  }

  function remove(resource: Resource, name: string, options: DeleteOptions, as: WriteAs): WorldObject | undefined {
    const live = get(resource, name);
    const { uid, resourceVersion } = options.preconditions ?? {};
    if (uid !== undefined && uid !== live.metadata.uid) throw staleVersion(resource, name);
    if (resourceVersion !== undefined && resourceVersion !== live.metadata.resourceVersion) {
      throw staleVersion(resource, name);
    }
    if (resource.kind === 'Pod') return endPod(world, as.actor, live);
    world.remove(as.actor, resource.kind, name);
    ownership.delete(live.metadata.uid);
    return undefined;
  }

  return { get, list, create, apply, patch, remove, admission };
}

/** Graceful deletion: the pod is terminating at once, and gone later. */
export function endPod(world: World, actor: string, pod: WorldObject): WorldObject {
  if (pod.metadata.deletionTimestamp !== undefined) return pod;
  const { name, uid } = pod.metadata;
  world.after(GRACE_MS, () => {
    if (world.get('Pod', name)?.metadata.uid === uid) world.remove('cluster', 'Pod', name);
  });
  return world.put(actor, { ...pod, metadata: { ...pod.metadata, deletionTimestamp: world.timestamp() } });
}

function same(a: WorldObject, b: WorldObject): boolean {
  function bare({ metadata, ...rest }: WorldObject): string {
    const { managedFields, ...kept } = metadata;
    const managers = managedFields?.map(({ time: _time, ...entry }) => entry);
    return canonicalJson({ ...rest, metadata: kept, managers });
  }
  return bare(a) === bare(b);
}

function showManagers(managers: Managers): NonNullable<WorldObject['metadata']['managedFields']> {
  return [...managers].map(([key, { operation, time, owned }]) => {
    return { manager: managerName(key), operation, time, fieldsType: 'FieldsV1', fieldsV1: fieldsV1(owned) };
  });
}

function operate(resource: Resource, object: WorldObject, operation: JsonPatchOperation): void {
  if (!('value' in operation)) throw new Error(`JSON patch ${operation.op} is not simulated`);
  const path = operation.path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (operation.op !== 'test') {
    setField(object, path, structuredClone(operation.value));
  } else if (canonicalJson(valueAt(object, path)) !== canonicalJson(operation.value)) {
    throw refusal(
      422,
      'Invalid',
      resource,
      object.metadata.name,
      `the server rejected our request: test of ${operation.path}`,
    );
  }
}

/** RFC 7386. */
function mergeInto(target: Record<string, unknown>, patch: object): void {
  for (const [key, value] of Object.entries(patch) as [string, unknown][]) {
    if (value === null) Reflect.deleteProperty(target, key);
    else if (typeof value === 'object' && !Array.isArray(value)) {
      const below = target[key];
      target[key] = below !== null && typeof below === 'object' && !Array.isArray(below) ? below : {};
      mergeInto(target[key] as Record<string, unknown>, value);
    } else target[key] = structuredClone(value);
  }
}

function staleVersion(resource: Resource, name: string): KubeError {
  const message = `Operation cannot be fulfilled on ${resource.plural} "${name}": the object has been modified`;
  return refusal(409, 'Conflict', resource, name, message);
}

function refusal(
  code: number,
  reason: string,
  resource: Resource,
  name: string,
  message: string,
  causes: StatusCause[] = [],
): KubeError {
  return new KubeError({ code, reason, message, causes, verb: 'write', path: `/${resource.plural}/${name}` });
}

/** Whether all owners of an object are gone. */
export function isOrphan(world: World, object: WorldObject): boolean {
  const owners: OwnerReference[] = object.metadata.ownerReferences ?? [];
  return owners.length > 0 && owners.every(({ kind, name, uid }) => world.get(kind, name)?.metadata.uid !== uid);
}
