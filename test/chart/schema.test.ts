// Accepted values, and the messages for refused ones.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Helm, Values } from './helm.ts';
import { chart, createHelm, EVERYTHING } from './helm.ts';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

let helm: Helm;
const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8')) as Schema;
const values = parse(readFileSync(join(chart, 'values.yaml'), 'utf8')) as Values;

beforeAll(async () => {
  helm = await createHelm();
});

afterAll(() => helm.close());

function resolve(part: Schema): Schema {
  const name = part.$ref?.replace('#/$defs/', '');
  return (name === undefined ? part : schema.$defs?.[name]) ?? {};
}

/** Paths of every value that the schema names. */
function paths(part: Schema, path: string): string[] {
  const { properties } = resolve(part);
  if (!properties) return [path];
  return Object.entries(properties).flatMap(([key, inner]) => paths(inner, `${path}.${key}`));
}

/** Paths of every value of values.yaml, as deep as the schema goes. */
function given(value: unknown, part: Schema, path: string): string[] {
  const { properties } = resolve(part);
  if (!properties) return [path];
  return Object.entries(value as Values).flatMap(([key, inner]) =>
    given(inner, properties[key] ?? {}, `${path}.${key}`),
  );
}

test('the schema has exactly the values of values.yaml, and those for a parent chart', () => {
  expect(paths(schema, '').toSorted()).toEqual([...given(values, schema, ''), '.enabled', '.global'].toSorted());
});

test('every object with known keys refuses other keys', () => {
  const closed = (part: Schema): boolean =>
    part.properties === undefined ||
    (part.additionalProperties === false && Object.values(part.properties).every(closed));
  expect([schema, ...Object.values(schema.$defs ?? {})].every(closed)).toBe(true);
});

test.each<[string, Values]>([
  ['everything that is off by default', EVERYTHING],
  ['a chart of charts', { enabled: true, global: { imageRegistry: 'x' } }],
  ['no operator at all', { replicaCount: 0 }],
  ['a service account that there is', { serviceAccount: { create: false, name: 'mine' } }],
  ['a user that the platform chooses', { podSecurityContext: { runAsUser: null, runAsGroup: null } }],
  ['a share of pods', { podDisruptionBudget: { minAvailable: '50%' } }],
])('takes %s', async (_what, given) => {
  expect(await helm.refusal(given)).toBe('nothing is wrong');
});

test.each<[Values, string]>([
  [{ replicas: 2 }, "additional properties 'replicas' not allowed"],
  [{ metrics: { serviceMonitor: { enable: true } } }, "additional properties 'enable' not allowed"],
  [{ crds: { enabled: true } }, "additional properties 'enabled' not allowed"],
  [{ replicaCount: 'two' }, '/replicaCount'],
  [{ crds: { keep: 'yes' } }, '/crds/keep'],
  [{ watchNamespaces: ['Shop'] }, '/watchNamespaces/0'],
  [{ watchNamespaces: ['shop', 'shop'] }, '/watchNamespaces'],
  [{ watchNamespaces: 'shop' }, '/watchNamespaces'],
  [{ policies: { systemNamespaces: ['Kube-System'] } }, '/policies/systemNamespaces/0'],
  [{ policies: { tenantsFailurePolicy: 'Warn' } }, '/policies/tenantsFailurePolicy'],
  [{ policies: { schedulers: 'mine' } }, '/policies/schedulers'],
  [{ logLevel: 'loud' }, '/logLevel'],
  [{ workers: 0 }, '/workers'],
  [{ leaderElection: { leaseDuration: '15' } }, '/leaderElection/leaseDuration'],
  [{ image: { tag: 'not a tag' } }, '/image/tag'],
  [{ image: { digest: 'sha256:1' } }, '/image/digest'],
  [{ insecureRegistries: ['http://registry.example.com'] }, '/insecureRegistries/0'],
  [{ extraArgs: ['log-level=debug'] }, '/extraArgs/0'],
  [{ podAntiAffinity: 'sometimes' }, '/podAntiAffinity'],
  [{ commonLabels: { team: 1 } }, '/commonLabels/team'],
  [{ metrics: { port: 80_800 } }, '/metrics/port'],
  [{ metrics: { port: 8081 } }, '8081 is the port of the health checks'],
  [
    { metrics: { serviceMonitor: { enabled: true }, podMonitor: { enabled: true } } },
    'would scrape the metrics twice: enable only one of them',
  ],
  [{ metrics: { enabled: false, podMonitor: { enabled: true } } }, 'need metrics.enabled=true'],
])('refuses %j', async (given, message) => {
  expect(await helm.refusal(given)).toContain(message);
});
