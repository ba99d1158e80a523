/**
 * The value that a record itself has for a key. Names come from users, and each object inherits a `constructor` and a
 * `toString`: to read them by `record[name]` finds what nobody wrote.
 */
export function own<Value>(record: Readonly<Record<string, Value>> | undefined, key: string): Value | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}

/** The same; where there is none it is made, and kept in the record. */
export function ownOrNew<Value>(record: Record<string, Value>, key: string, make: () => Value): Value {
  const found = own(record, key);
  if (found !== undefined) return found;
  const value = make();
  setOwn(record, key, value);
  return value;
}

/** By assignment, `__proto__` would be no key. */
export function setOwn<Value>(record: Record<string, Value>, key: string, value: Value): void {
  Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true });
}
