/** Values as JSON.parse makes them of what users write. */

/** Twice what the deepest object of Kubernetes has, and far from the end of the stack. */
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
 * Why a value cannot be worked with: it is so deep that functions which call themselves would run out of stack (the API
 * server takes thousands of levels), or has a key that JavaScript keeps to itself. This function does not call itself.
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

/** Without the keys whose value is null: Kubernetes takes null for absent. The same value where there are none. */
export function withoutNulls<Value>(value: Value): Value {
  return (value === null || typeof value !== 'object' ? value : cleaned(value)) as Value;
}

function cleaned(value: object): object {
  const isList = Array.isArray(value);
  let changed = false;
  const kept: [string, unknown][] = [];
  for (const [key, inner] of Object.entries(value)) {
    // An entry of a list cannot be absent: the schema says what is wrong with it.
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
