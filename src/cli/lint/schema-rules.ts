/** What the API server checks of an object beside types: unknown fields, and the CEL rules of the CRD. Pure. */
import { Environment } from '@marcbachmann/cel-js';
import type { StructuralSchema } from '../../api/crd.ts';
import type { Path } from './documents.ts';

export interface Fault {
  readonly path: Path;
  readonly message: string;
}

/** Fields that the schema does not know: the API server refuses them, or drops them silently. */
export function unknownFields(schema: StructuralSchema, value: unknown, path: Path = []): Fault[] {
  if (Array.isArray(value))
    return value.flatMap((item, index) => (schema.items ? unknownFields(schema.items, item, [...path, index]) : []));
  if (!isObject(value)) return [];
  const { properties, additionalProperties } = schema;
  return Object.entries(value).flatMap(([key, nested]) => {
    const known = ownSchema(properties, key) ?? additionalProperties;
    if (known) return unknownFields(known, nested, [...path, key]);
    if (schema['x-kubernetes-preserve-unknown-fields'] === true || !properties) return [];
    return [{ path: [...path, key], message: `unknown field${suggestion(key, Object.keys(properties))}` }];
  });
}

function ownSchema(properties: StructuralSchema['properties'], key: string): StructuralSchema | undefined {
  return properties && Object.hasOwn(properties, key) ? properties[key] : undefined;
}

/** A field that differs in the case of its letters or by one letter at the end. */
function suggestion(key: string, known: readonly string[]): string {
  const lower = key.toLowerCase();
  const meant = known.find((name) => name.toLowerCase() === lower || `${name}s` === key || name === `${key}s`);
  return meant === undefined ? '' : `: did you mean ${meant}?`;
}

interface CelRule {
  readonly rule: string;
  readonly message?: string;
}

/**
 * The broken CEL rules (x-kubernetes-validations) of a value with its defaults. Rules on changes (oldSelf), and such that the
 * evaluator does not know, are left to the API server.
 */
export function brokenRules(schema: StructuralSchema, value: unknown, path: Path = []): Fault[] {
  const rules = (schema['x-kubernetes-validations'] ?? []) as readonly CelRule[];
  const own = value === undefined ? [] : rules.flatMap((rule) => brokenRule(rule, value, path));
  return [...own, ...nestedRules(schema, value, path)];
}

function nestedRules(
  { properties, items, additionalProperties }: StructuralSchema,
  value: unknown,
  path: Path,
): Fault[] {
  if (Array.isArray(value))
    return items ? value.flatMap((item, index) => brokenRules(items, item, [...path, index])) : [];
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, nested]) => {
    const schema = ownSchema(properties, key) ?? additionalProperties;
    return schema ? brokenRules(schema, nested, [...path, key]) : [];
  });
}

function brokenRule({ rule, message }: CelRule, value: unknown, path: Path): Fault[] {
  const evaluate = compiled(rule);
  if (!evaluate) return [];
  try {
    if (evaluate({ self: toCel(value) }) !== false) return [];
  } catch {
    // Such as a field of a wrong type, which is told elsewhere.
    return [];
  }
  return [{ path, message: message ?? `failed rule: ${rule}` }];
}

type Program = (context: { self: unknown }) => unknown;

/** The library of Kubernetes on sets is a receiver here, as the evaluator knows no names with a dot. */
// eslint-disable-next-line @typescript-eslint/no-extraneous-class -- the evaluator tells types by their class
class Sets {}
const environment = new Environment({ unlistedVariablesAreDyn: true })
  .registerVariable('self', 'dyn')
  .registerType('Sets', Sets)
  .registerConstant('sets', 'Sets', new Sets())
  .registerFunction('Sets.intersects(list, list): bool', (_sets: Sets, one: unknown[], other: unknown[]) =>
    one.some((item) => other.includes(item)),
  );
const programs = new Map<string, Program | undefined>();

/** undefined for a rule that cannot be evaluated here. */
export function compiled(rule: string): Program | undefined {
  if (!programs.has(rule)) programs.set(rule, compile(rule));
  return programs.get(rule);
}

function compile(rule: string): Program | undefined {
  if (/\boldSelf\b/.test(rule)) return undefined;
  try {
    return environment.parse(rule) as Program;
  } catch {
    return undefined;
  }
}

/** Words of CEL that are no names of fields. The API server escapes them: https://kubernetes.io/docs/reference/using-api/cel/#escaping */
const RESERVED = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** Whole numbers are int, which a JavaScript number is not. */
function toCel(value: unknown): unknown {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (Array.isArray(value)) return value.map(toCel);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, nested]) => [RESERVED.has(key) ? `__${key}__` : key, toCel(nested)]),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
