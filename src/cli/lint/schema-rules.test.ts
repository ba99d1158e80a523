import { expect, test } from 'vitest';
import type { StructuralSchema } from '../../api/crd.ts';
import { toCustomResourceDefinition } from '../../api/crd.ts';
import { KINDS } from '../../api/kinds.ts';
import { brokenRules, compiled, unknownFields } from './schema-rules.ts';

function rulesOf(schema: StructuralSchema): string[] {
  const own = (schema['x-kubernetes-validations'] ?? []) as { rule: string }[];
  const nested = [schema.items, schema.additionalProperties, ...Object.values(schema.properties ?? {})];
  return [...own.map(({ rule }) => rule), ...nested.flatMap((one) => (typeof one === 'object' ? rulesOf(one) : []))];
}

test('every rule of the CRDs can be evaluated, but those on changes', () => {
  const rules = KINDS.flatMap((kind) =>
    rulesOf(toCustomResourceDefinition(kind).spec.versions[0]?.schema.openAPIV3Schema ?? {}),
  );
  expect(rules.length).toBeGreaterThan(50);
  expect([...new Set(rules)].filter((rule) => !compiled(rule))).toEqual(['self == oldSelf']);
});

test('a broken rule is told with its path; words that CEL reserves are escaped', () => {
  const rule = { rule: 'has(self.__for__) || self.n > 1', message: 'must have one' };
  const schema: StructuralSchema = { properties: { steps: { items: { 'x-kubernetes-validations': [rule] } } } };
  const value = { steps: [{ n: 1 }, { n: 2 }, { n: 0, for: '1m' }] };
  expect(brokenRules(schema, value)).toEqual([{ path: ['steps', 0], message: 'must have one' }]);
});

test('an unknown field is told with its path; maps and opaque objects have no unknown fields', () => {
  const schema: StructuralSchema = {
    properties: {
      labels: { additionalProperties: { type: 'string' } },
      opaque: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      replicas: { type: 'integer' },
      pools: { items: { properties: { name: {} } } },
    },
  };
  const value = { labels: { x: '1' }, opaque: { y: 1 }, Replicas: 1, pools: [{ name: 'a', nam: 'b' }], pool: [] };
  expect(unknownFields(schema, value)).toEqual([
    { path: ['Replicas'], message: 'unknown field: did you mean replicas?' },
    { path: ['pools', 0, 'nam'], message: 'unknown field' },
    { path: ['pool'], message: 'unknown field: did you mean pools?' },
  ]);
});
