/** The fields of an object that one manager owns, as the API server lists them in managedFields. Pure. */
import { canonicalJson } from '../../lib/canonical-json.ts';

/**
 * `fieldsV1` of a managedFields entry. The prefix of a part names its type: `f` a field, `k` the list item with these keys,
 * `v` the list item with this value, `i` the list item at this index. `.` is the field or item itself.
 */
export interface FieldSet {
  readonly [part: string]: FieldSet;
}

/** The values of only these fields. A field without parts is compared as one value. */
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
