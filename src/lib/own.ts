/**
 * The record's own value for a key. Names come from users, and each object inherits `constructor` and `toString`, so
 * `record[name]` can return a value that nobody wrote.
 */
export function own<Value>(record: Readonly<Record<string, Value>> | undefined, key: string): Value | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}

/** The same. A missing value is created and stored in the record. */
export function ownOrNew<Value>(record: Record<string, Value>, key: string, make: () => Value): Value {
  const found = own(record, key);
  if (found !== undefined) return found;
  const value = make();
  setOwn(record, key, value);
  return value;
}

/** An assignment to `__proto__` would not create a key. */
export function setOwn<Value>(record: Record<string, Value>, key: string, value: Value): void {
  Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true });
}
