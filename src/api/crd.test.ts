import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { duration, intOrPercent, opaqueObject, parseDuration, stringMap, timestamp } from './common.ts';
import type { StructuralSchema } from './crd.ts';
import { structuralSchema, toCustomResourceDefinition } from './crd.ts';
import { KINDS } from './kinds.ts';

/** The paths of all fields of a schema, with their schemas. */
function fields(schema: StructuralSchema, path: string): [string, StructuralSchema][] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, field]): [string, StructuralSchema][] => [
    [`${path}.${name}`, field],
    ...fields(field, `${path}.${name}`),
  ]);
  return schema.items ? [...own, ...fields(schema.items, `${path}[]`)] : own;
}

function schemaOf(kind: (typeof KINDS)[number]): StructuralSchema {
  const version = toCustomResourceDefinition(kind).spec.versions[0];
  if (version === undefined) throw new Error('no version');
  return version.schema.openAPIV3Schema;
}

describe.each(KINDS.map((kind) => [kind.kind, kind] as const))('the CRD of %s', (_, kind) => {
  it('describes every field', () => {
    const all = fields(schemaOf(kind), kind.kind);
    expect(all.length).toBeGreaterThan(20);
    const bare = all.filter(([, field]) => !field.description).map(([path]) => path);
    expect(bare).toEqual([`${kind.kind}.metadata`]);
  });

  it('describes every printer column, and ends with the age', () => {
    expect(kind.columns.filter((column) => column.description === '')).toEqual([]);
    expect(kind.columns.at(-1)).toMatchObject({ name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' });
  });

  it('has a message for each CEL rule', () => {
    const rules = [['', schemaOf(kind)] as const, ...fields(schemaOf(kind), '')].flatMap(
      ([, schema]) => (schema['x-kubernetes-validations'] ?? []) as { message?: string }[],
    );
    expect(rules.length).toBeGreaterThan(0);
    expect(rules.filter((rule) => !rule.message)).toEqual([]);
  });

  it('limits every list, because of the cost of CEL rules and the size of objects', () => {
    const unbounded = fields(schemaOf(kind), kind.kind).filter(
      ([, field]) => field.type === 'array' && field.maxItems === undefined,
    );
    expect(unbounded.map(([path]) => path)).toEqual([]);
  });
});

describe('structuralSchema', () => {
  it('writes unbounded integers as int64 and small ones as int32', () => {
    const schema = z.object({ any: z.int(), natural: z.int().min(0), small: z.int().max(7) });
    expect(structuralSchema(schema, 'spec').properties).toEqual({
      any: { type: 'integer', format: 'int64' },
      natural: { type: 'integer', format: 'int64', minimum: 0 },
      small: { type: 'integer', format: 'int32', maximum: 7 },
    });
  });

  it('writes numbers-or-percentages in the only form that the API server accepts', () => {
    expect(structuralSchema(intOrPercent, 'spec')).toMatchObject({
      anyOf: [{ type: 'integer' }, { type: 'string' }],
      'x-kubernetes-int-or-string': true,
    });
  });

  it('keeps unknown fields of objects that Kubernetes validates', () => {
    const open = { 'x-kubernetes-preserve-unknown-fields': true };
    expect(structuralSchema(opaqueObject('Resources.'), 'spec')).toEqual({
      description: 'Resources.',
      type: 'object',
      ...open,
    });
    expect(structuralSchema(z.looseObject({ name: z.string() }).meta(open), 'spec')).toEqual({
      type: 'object',
      ...open,
      required: ['name'],
      properties: { name: { type: 'string' } },
    });
  });

  it('keeps maps, defaults and timestamps, and does not require fields with defaults', () => {
    const schema = z.object({ labels: stringMap, at: timestamp, paused: z.boolean().default(false) });
    expect(structuralSchema(schema, 'spec')).toEqual({
      type: 'object',
      required: ['labels', 'at'],
      properties: {
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        at: { type: 'string', format: 'date-time' },
        paused: { type: 'boolean', default: false },
      },
    });
  });

  it('adds the default to the description, for kubectl explain', () => {
    const schema = z.int().max(9).default(3).meta({ description: 'Pods.' });
    expect(structuralSchema(schema, 'spec')).toMatchObject({ description: 'Pods. Default: 3.', default: 3 });
  });

  it('names the field that a CRD cannot express', () => {
    const list = (choice: z.ZodType) => z.object({ list: z.array(z.object({ choice })) });
    const failure = (keyword: string) => `spec.list[].choice: a CRD’s schema has no ${keyword}`;
    expect(() => structuralSchema(list(z.string().meta({ title: 'T' })), 'spec')).toThrow(failure('title'));
    expect(() => structuralSchema(list(z.union([z.string(), z.boolean()])), 'spec')).toThrow(failure('anyOf'));
  });
});

describe('duration', () => {
  it.each(['0s', '90s', '1h30m', '500ms', '1h2m3s4ms'])('accepts %s, in the schema and in parseDuration', (text) => {
    expect(duration('How long.').safeParse(text).success).toBe(true);
    expect(parseDuration(text)).toBeDefined();
  });

  it.each(['', '10', '10 minutes', '-5s', '1.5h', '1d', '1s1s1s1s1s'])('refuses %j in both', (text) => {
    expect(duration('How long.').safeParse(text).success).toBe(false);
    expect(parseDuration(text)).toBeUndefined();
  });

  it('adds the units', () => {
    expect(parseDuration('1h30m')).toBe(5_400_000);
    expect(parseDuration('1s500ms')).toBe(1500);
  });
});

// An object that is left out as a whole gets its own default: zod and the API server do not fill it in.
describe('the default of an object', () => {
  const objects = KINDS.flatMap((kind) => fields(schemaOf(kind), kind.kind)).filter(
    ([, field]) => field['default'] !== undefined && field.properties !== undefined,
  );
  it.each(objects)('has the defaults of all fields of %s', (_path, { properties = {}, default: own }) => {
    const inner = Object.entries(properties).flatMap(([name, field]) =>
      field['default'] === undefined ? [] : [[name, field['default']] as const],
    );
    expect(own).toMatchObject(Object.fromEntries(inner));
  });

  it('is found', () => {
    expect(objects.map(([path]) => path)).toContain('AppRelease.spec.rollback');
  });
});
