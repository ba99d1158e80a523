// A record of an older operator lacks later fields: they get their defaults, and no write follows.
import { describe, expect, test } from 'vitest';
import type { AppRelease } from '../api/app-release.ts';
import { appReleaseKind } from '../api/app-release.ts';
import type { StructuralSchema } from '../api/crd.ts';
import { toCustomResourceDefinition } from '../api/crd.ts';
import { canonicalJson } from '../lib/canonical-json.ts';
import { ANNOTATION, LABEL } from '../api/meta.ts';
import { plan } from './plan.ts';
import { topologyOf } from './record/revision.ts';
import type { Observed } from './state/observed.ts';
import { ledgerWith, NOW } from './testing.ts';
import type { Words } from './world-testing.ts';
import { GOOD, world } from './world-testing.ts';

/** Revision 1 is wanted and serves in every pool. */
const ARRIVED: Words = { wants: 1, revisions: { 1: { in: { a: GOOD, b: GOOD } } } };

type Json = Record<string, unknown>;

const RECORDED: Json = { ...topologyOf(world(ARRIVED).release.spec) };

const SPEC: StructuralSchema =
  toCustomResourceDefinition(appReleaseKind).spec.versions[0]?.schema.openAPIV3Schema.properties?.['spec'] ?? {};

/** The path of each field with a default, for example `rollback.drain` or `stages.prepull`. */
function defaulted({ properties = {}, items }: StructuralSchema, path: readonly string[] = []): string[] {
  const inner = Object.entries(properties).flatMap(([name, field]) => [
    ...(field['default'] === undefined ? [] : [[...path, name].join('.')]),
    ...defaulted(field, [...path, name]),
  ]);
  return items ? defaulted(items, path) : inner;
}

/** Removes the fields with these paths where they have their default, as if they had not existed yet. */
function without(value: unknown, fields: readonly string[], schema = SPEC, path: readonly string[] = []): unknown {
  if (Array.isArray(value)) return value.map((item) => without(item, fields, schema.items ?? {}, path));
  const { properties } = schema;
  if (value === null || typeof value !== 'object' || !properties) return value;
  const kept = Object.entries(value).filter(
    ([key, inner]) =>
      !fields.includes([...path, key].join('.')) ||
      canonicalJson(inner) !== canonicalJson(properties[key]?.['default']),
  );
  return Object.fromEntries(
    kept.map(([key, inner]) => [key, without(inner, fields, properties[key] ?? {}, [...path, key])]),
  );
}

/** `change`: makes the spec of an older operator, for the ledger and for the stored AppRelease. */
function written(change: (recorded: Json) => unknown, more: Partial<Observed> = {}): { kind: string }[] {
  const seen = world(ARRIVED);
  const recorded = change(topologyOf(seen.release.spec));
  const { actions } = plan(
    {
      ...seen,
      revisions: [...seen.revisions.slice(0, 1), ledgerWith({ [ANNOTATION.topology]: JSON.stringify(recorded) })],
      ...more,
    },
    NOW,
  );
  return actions;
}

const WORKLOADS = ['ApplyDeployment', 'DeleteDeployment', 'CreateRevision', 'ApplyService'];

/** Every field of the spec with a default that the recorded topology has: each may be younger than the record. */
const LATER = defaulted(SPEC).filter((field) => canonicalJson(without(RECORDED, [field])) !== canonicalJson(RECORDED));

test('the fields with a default are found, at every depth', () => {
  expect(LATER).toEqual(expect.arrayContaining(['capacity', 'strategy.type', 'rollback.drain', 'stages.prepull']));
});

test.each(LATER)('a recorded topology without %s', (field) => {
  const [before, after] = [written((all) => all), written((all) => without(all, [field]))];
  expect(after).toEqual(before);
  expect(after.filter(({ kind }) => WORKLOADS.includes(kind))).toEqual([]);
  expect(after.filter(({ kind }) => kind === 'AnnotateRevision')).toEqual([]);
});

test.each(LATER)('a recorded topology without %s, while the spec is not valid', (field) => {
  const wrong: Partial<Observed> = { release: invalid(world(ARRIVED).release) };
  const [before, after] = [written((all) => all, wrong), written((all) => without(all, [field]), wrong)];
  expect(after).toEqual(before);
  expect(after.filter(({ kind }) => WORKLOADS.includes(kind))).toEqual([]);
});

function invalid(release: AppRelease): AppRelease {
  return { ...release, spec: { ...release.spec, stages: [] } };
}

test('a spec that was stored before the fields existed', () => {
  const { release } = world(ARRIVED);
  const stored = { ...release, spec: without(release.spec, LATER) as AppRelease['spec'] };
  expect(stored.spec).not.toEqual(release.spec);
  expect(written((all) => all, { release: stored })).toEqual(written((all) => all));
});

describe('pods of a revision that another operator recorded', () => {
  const template = {
    metadata: { labels: { [LABEL.managedBy]: 'Helm' } },
    spec: {
      containers: [{ name: 'main', image: 'web:1', env: ['HOST', 'URL'].map((name) => ({ name, value: 'x' })) }],
    },
  };
  const difference = { spec: { containers: [{ name: 'main', env: [{ name: 'HOST', value: 'y' }] }] } };

  function recordedWith(renderer: number): Observed {
    return world({
      ...ARRIVED,
      spec: { template },
      pools: { a: { spec: { template: difference } } },
      revisions: { 1: { in: { a: GOOD, b: GOOD }, renderer } },
    });
  }

  function kindsOf(seen: Observed): string[] {
    return plan(seen, NOW).actions.map(({ kind }) => kind);
  }

  test('are not restarted if it was an older operator', () => {
    const seen = recordedWith(1);
    const [pods] = seen.deployments.map(({ spec }) => spec.template);
    expect(pods?.metadata?.labels).toMatchObject({ [LABEL.managedBy]: 'apprelease' });
    expect(pods?.spec.containers[0]?.env?.map(({ name }) => name)).toEqual(['URL', 'HOST']);
    const kinds = kindsOf(seen);
    for (const kind of [...WORKLOADS, 'DryRunApply']) expect(kinds).not.toContain(kind);
  });

  test('are not restarted if it was a newer operator, whose renderer made other pods', () => {
    const seen = recordedWith(99);
    for (const { spec } of seen.deployments) spec.template.spec.hostNetwork = true;
    const kinds = kindsOf(seen);
    for (const kind of [...WORKLOADS, 'DryRunApply']) expect(kinds).not.toContain(kind);
  });
});
