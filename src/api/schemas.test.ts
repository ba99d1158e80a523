// The JSON schemas of the kinds: what an editor says about a file.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import * as z from 'zod';
import { jsonSchema } from '../../scripts/schemas.ts';
import { KINDS } from './kinds.ts';

const root = join(import.meta.dirname, '../..');

const byKind = new Map(
  KINDS.map((kind) => [kind.kind, z.fromJSONSchema(jsonSchema(kind) as z.core.JSONSchema.JSONSchema)]),
);

/** The fields that are wrong. */
function faults(object: { kind: string }): string[] {
  const { error } = byKind.get(object.kind)?.safeParse(object) ?? {};
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the schemas accept', () => {
  test.each(globSync('examples/*.yaml', { cwd: root }))('%s', (file) => {
    const objects = parseAllDocuments(readFileSync(join(root, file), 'utf8')).map(
      (document) => document.toJS() as never,
    );
    expect(objects.length).toBeGreaterThan(0);
    for (const object of objects) expect(faults(object)).toEqual([]);
  });

  const POD =
    '{containers: [{name: web, image: "web:1", securityContext: {runAsNonRoot: true}, env: null}], hostUsers: false}';
  test.each([
    [
      'fields of a pod that only Kubernetes knows, and null',
      `{template: {spec: ${POD}}, stages: [{name: a, pools: [{name: b}]}]}`,
    ],
    [
      'a number or a percentage',
      `{template: {spec: ${POD}}, stages: [{name: a, pools: [{name: b}]}], rollback: {warmReplicas: 50%}, disruption: {maxUnavailable: 1}}`,
    ],
  ])('%s', (_what, spec) => {
    expect(faults(objectOf(spec))).toEqual([]);
  });
});

function objectOf(spec: string): { kind: string } {
  const object = { apiVersion: 'apprelease.dev/v1alpha1', kind: 'AppRelease', metadata: { name: 'web' } };
  return { ...object, spec: parse(spec) as unknown } as { kind: string };
}

describe('the schema of an AppRelease names', () => {
  const LEAST = 'template: {spec: {containers: [{name: web, image: "web:1"}]}}';
  test.each([
    ['an unknown field', `{${LEAST}, stages: [], strateggy: {}}`, /^spec: .*strateggy/],
    ['a missing field', `{${LEAST}}`, /^spec\.stages: /],
    ['a value of another type', `{${LEAST}, stages: [], version: 1.5}`, /^spec\.version: /],
    ['a value that is not in the list', `{${LEAST}, stages: [], capacity: Never}`, /^spec\.capacity: /],
    [
      'a name that is no DNS label',
      `{${LEAST}, stages: [{name: A_b, pools: [{name: b}]}]}`,
      /^spec\.stages\.0\.name: /,
    ],
    [
      'a field of a pod of another type',
      '{template: {spec: {containers: [{name: web, image: a, env: {A: b}}]}}, stages: []}',
      /^spec\.template\.spec\.containers\.0\.env: /,
    ],
  ])('%s', (_what, spec, expected) => {
    expect(faults(objectOf(spec))).toContainEqual(expect.stringMatching(expected));
  });

  test('a field beside the spec', () => {
    expect(faults({ ...objectOf(`{${LEAST}, stages: [{name: a, pools: [{name: b}]}]}`), specs: {} } as never)).toEqual([
      expect.stringContaining('specs'),
    ]);
  });
});
