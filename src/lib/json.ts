/** Checks and normalizes JSON values that users write. */

/** Twice the depth of the deepest Kubernetes object, and far below the stack limit. */
const MAX_DEPTH = 100;

export interface JsonFault {
  path: readonly (string | number)[];
  message: string;
}

interface Place {
  value: unknown;
  key?: string | number;
  parent?: Place;
  depth: number;
}

/**
 * Why a value cannot be processed: it is nested so deeply that recursive functions would overflow the stack (the API
 * server accepts thousands of levels), or it has the key `__proto__`. This function is not recursive.
 */
export function jsonFault(value: unknown): JsonFault | undefined {
  const open: Place[] = [{ value, depth: 0 }];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    if (place.key === '__proto__') return { path: pathOf(place), message: 'no field can have this name' };
    if (place.value === null || typeof place.value !== 'object') continue;
    if (place.depth >= MAX_DEPTH) return { path: pathOf(place), message: `nested deeper than ${MAX_DEPTH} levels` };
    const { depth } = place;
    if (Array.isArray(place.value)) {
      for (const [key, inner] of place.value.entries())
        open.push({ value: inner, key, parent: place, depth: depth + 1 });
    } else {
      for (const [key, inner] of Object.entries(place.value))
        open.push({ value: inner, key, parent: place, depth: depth + 1 });
    }
  }
  return undefined;
}

function pathOf(place: Place): (string | number)[] {
  const path: (string | number)[] = [];
  for (let at: Place | undefined = place; at?.key !== undefined; at = at.parent) path.unshift(at.key);
  return path;
}

/** Removes keys whose value is null, because Kubernetes treats null as absent. Returns the same value if there are none. */
export function withoutNulls<Value>(value: Value): Value {
  return (value === null || typeof value !== 'object' ? value : cleaned(value)) as Value;
}

function cleaned(value: object): object {
  const isList = Array.isArray(value);
  let changed = false;
  const kept: [string, unknown][] = [];
  for (const [key, inner] of Object.entries(value)) {
    // A list entry cannot be absent: the schema reports the null.
    if (inner === null && !isList) {
      changed = true;
      continue;
    }
    const clean: unknown = withoutNulls<unknown>(inner);
    changed ||= clean !== inner;
    kept.push([key, clean]);
  }
  if (!changed) return value;
  return isList ? kept.map(([, inner]) => inner) : Object.fromEntries(kept);
}

/** Whether a parsed value is an object, and no list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
