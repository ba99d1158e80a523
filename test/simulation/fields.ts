/** Field ownership of server-side apply, simplified for Deployments and Services. */
import { canonicalJson } from '../../src/lib/canonical-json.ts';

/** The path of a field; a map key is one part. */
type Path = readonly string[];

/** The fields of one manager: path as text → path. */
export type Owned = ReadonlyMap<string, Path>;

export interface Manager {
  operation: 'Apply' | 'Update';
  time: string;
  owned: Owned;
}

/** By `managerKey`: a manager that applies and updates counts as two. */
export type Managers = ReadonlyMap<string, Manager>;

export function managerKey(operation: Manager['operation'], name: string): string {
  return `${operation} ${name}`;
}

export function managerName(key: string): string {
  return key.slice(key.indexOf(' ') + 1);
}

type Tree = Record<string, unknown>;

/** Maps that count as one field. */
const ATOMIC = new Set(['Service spec.selector', 'Deployment spec.selector']);
/** Fields without ownership. */
const IDENTITY = new Set(['apiVersion', 'kind', 'status']);
const SERVER_METADATA = new Set([
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'managedFields',
]);

/** The fields of an object. Lists are one field, except owner references, which have their uid as key. */
export function fieldsOf(kind: string, object: object): Map<string, Path> {
  const found = new Map<string, Path>();
  function visit(value: unknown, path: Path): void {
    if (value === undefined) return;
    const isMap = value !== null && typeof value === 'object' && !Array.isArray(value);
    if (isMap && !ATOMIC.has(`${kind} ${path.join('.')}`)) {
      for (const [key, part] of Object.entries(value as Tree)) {
        if (path.length === 0 && IDENTITY.has(key)) continue;
        if (path[0] === 'metadata' && path.length === 1 && SERVER_METADATA.has(key)) continue;
        visit(part, [...path, key]);
      }
    } else if (path.length === 2 && path[1] === 'ownerReferences') {
      for (const { uid } of value as { uid: string }[]) {
        const own = [...path, uid];
        found.set(own.join('\0'), own);
      }
    } else if (!isEmpty(value)) {
      found.set(path.join('\0'), path);
    }
  }
  visit(object, []);
  return found;
}

/** The paths in the form of managedFields. */
export function fieldsV1(owned: Owned): object {
  const fields: Tree = {};
  for (const path of owned.values()) {
    let set = fields;
    for (const [index, part] of path.entries()) {
      const key = path[index - 1] === 'ownerReferences' ? `k:${JSON.stringify({ uid: part })}` : `f:${part}`;
      set = (set[key] ??= {}) as Tree;
    }
  }
  return fields;
}

function isEmpty(value: unknown): boolean {
  return value !== null && typeof value === 'object' && Object.keys(value).length === 0;
}

export function valueAt(object: unknown, path: Path): unknown {
  let value = object;
  for (const key of path) {
    if (Array.isArray(value)) value = (value as { uid?: string }[]).find(({ uid }) => uid === key);
    else value = (value as Tree | undefined)?.[key];
    if (value === undefined) return undefined;
  }
  return value;
}

/** Sets a field in place, or removes it. */
export function setField(object: object, path: Path, value: unknown): void {
  let parent = object as Tree;
  for (const key of path.slice(0, -1)) {
    if (key === 'ownerReferences') {
      const others = ((parent[key] ?? []) as { uid: string }[]).filter(({ uid }) => uid !== path.at(-1));
      parent[key] = value === undefined ? others : [...others, value];
      return;
    }
    parent = (parent[key] ??= {}) as Tree;
  }
  const last = path.at(-1) ?? '';
  if (value === undefined) Reflect.deleteProperty(parent, last);
  else parent[last] = value;
}

/** Fields of `desired` that other managers own with another value: manager → paths. */
export function conflictsOf(
  managers: Managers,
  manager: string,
  desired: object,
  live: object,
  owned: Owned,
): Map<string, Path[]> {
  const conflicts = new Map<string, Path[]>();
  for (const [name, other] of managers) {
    if (name === manager) continue;
    for (const [text, path] of owned) {
      if (!other.owned.has(text)) continue;
      if (canonicalJson(valueAt(desired, path)) === canonicalJson(valueAt(live, path))) continue;
      conflicts.set(name, [...(conflicts.get(name) ?? []), path]);
    }
  }
  return conflicts;
}

/** Converts ownership by update to ownership by apply, like a write to managedFields. */
export function moveToApply(managers: Managers, name: string, time: string): Managers {
  const [updates, applies] = [managerKey('Update', name), managerKey('Apply', name)];
  const moved = managers.get(updates);
  if (!moved) return managers;
  const owned = new Map([...(managers.get(applies)?.owned ?? []), ...moved.owned]);
  const next = new Map(managers);
  next.delete(updates);
  return next.set(applies, { operation: 'Apply', time, owned });
}

/** Ownership after a write that changed fields of others. */
export function without(managers: Managers, fields: Owned, but: string): Map<string, Manager> {
  const kept = new Map<string, Manager>();
  for (const [name, manager] of managers) {
    const touched = name !== but && [...fields.keys()].some((text) => manager.owned.has(text));
    const owned = touched ? new Map([...manager.owned].filter(([text]) => !fields.has(text))) : manager.owned;
    if (owned.size > 0) kept.set(name, { ...manager, owned });
  }
  return kept;
}

/** The fields whose values differ between two versions of an object. */
export function changedFields(kind: string, before: object, after: object): Map<string, Path> {
  const all = new Map([...fieldsOf(kind, before), ...fieldsOf(kind, after)]);
  return new Map(
    [...all].filter(([, path]) => canonicalJson(valueAt(before, path)) !== canonicalJson(valueAt(after, path))),
  );
}
