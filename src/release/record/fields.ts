/** The fields of an object that one manager owns, as the API server lists them in managedFields. Pure. */
import { canonicalJson } from '../../lib/canonical-json.ts';

/**
 * `fieldsV1` of a managedFields entry. The first letter of a part says what it names: `f` a field, `k` the item of a list
 * with these keys, `v` the item with this value, `i` the item at this place; `.` is the thing itself.
 */
export interface FieldSet {
  readonly [part: string]: FieldSet;
}

/** The values of these fields and of no others. A field without parts is one value, whatever is in it. */
export function pickFields(fields: FieldSet, value: unknown): unknown {
  const parts = Object.entries(fields);
  if (parts.length === 0) return value;
  return Object.fromEntries(
    parts.map(([part, inner]) => [
      part,
      part === '.' ? value !== undefined : pickFields(inner, valueOfPart(part, value)),
    ]),
  );
}

function valueOfPart(part: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object') return undefined;
  const name = part.slice(2);
  if (part.startsWith('f:')) return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
  if (!Array.isArray(value)) return undefined;
  const items: unknown[] = value;
  if (part.startsWith('i:')) return items[Number(name)];
  const wanted: unknown = JSON.parse(name);
  if (part.startsWith('v:')) return items.find((item) => canonicalJson(item) === canonicalJson(wanted));
  return items.find((item) => hasKeys(item, wanted as Record<string, unknown>));
}

function hasKeys(item: unknown, keys: Readonly<Record<string, unknown>>): boolean {
  if (item === null || typeof item !== 'object') return false;
  return Object.entries(keys).every(([key, value]) => (item as Record<string, unknown>)[key] === value);
}
