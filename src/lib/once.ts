/** Values that are computed when somebody first asks for them, and then kept. What throws is computed anew. */

export function once<Value>(compute: () => Value): () => Value {
  let known: { value: Value } | undefined;
  return () => (known ??= { value: compute() }).value;
}

/** One value for each key; keys are compared as those of a Map. */
export function onceForKey<Key, Value>(compute: (key: Key) => Value): (key: Key) => Value {
  return keeping(new Map<Key, { value: Value }>(), compute);
}

/**
 * One value for each object, kept for as long as the object is. For what is read of cached objects: a cache returns the same
 * object, and the same array, until something in it changes, so that each is read once and not again in every pass.
 */
export function onceForObject<Key extends object, Value>(compute: (key: Key) => Value): (key: Key) => Value {
  return keeping(new WeakMap<Key, { value: Value }>(), compute);
}

/** The same for a list of objects in this order, with one value for each text: `compute` must depend on these alone. */
export function keptBy<Value>(): (
  objects: readonly [object, ...object[]],
  text: string,
  compute: () => Value,
) => Value {
  const root = branch<Value>();
  return (objects, text, compute) => {
    const { values } = objects.reduce(({ next }: Branch<Value>, object) => next(object), root);
    return keeping(values, compute)(text);
  };
}

interface Branch<Value> {
  values: Map<string, { value: Value }>;
  next: (object: object) => Branch<Value>;
}

function branch<Value>(): Branch<Value> {
  return { values: new Map(), next: onceForObject((_object: object) => branch<Value>()) };
}

interface Kept<Key, Value> {
  get: (key: Key) => { value: Value } | undefined;
  set: (key: Key, kept: { value: Value }) => unknown;
}

function keeping<Key, Value>(kept: Kept<Key, Value>, compute: (key: Key) => Value): (key: Key) => Value {
  return (key) => {
    const found = kept.get(key) ?? { value: compute(key) };
    kept.set(key, found);
    return found.value;
  };
}
