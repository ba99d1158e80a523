// The chart with its default values is the install in manifests/ and crds/.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../src/process/config.ts';
import type { Helm, Rendered, RoleRule } from './helm.ts';
import { createHelm, idOf, isHook, NAMESPACE, parseObjects, root } from './helm.ts';

/** Labels of Helm, and labels that distinguish releases of the chart. */
const HELM_LABELS = [
  'app.kubernetes.io/component',
  'app.kubernetes.io/instance',
  'app.kubernetes.io/managed-by',
  'app.kubernetes.io/part-of',
  'app.kubernetes.io/version',
  'helm.sh/chart',
  'helm.sh/resource-policy',
];
/** Defaults of Kubernetes. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  imagePullPolicy: 'IfNotPresent',
  terminationGracePeriodSeconds: 30,
};

let helm: Helm;
let ofChart: Map<string, unknown>;
const ofKustomize = byId([...readKustomization('manifests'), ...readKustomization('crds')]);

beforeAll(async () => {
  helm = await createHelm();
  ofChart = byId((await helm.render()).filter((object) => !isHook(object)));
});

afterAll(() => helm.close());

interface Kustomization {
  readonly resources: readonly string[];
  readonly images?: readonly { readonly name: string; readonly newTag: string }[];
}

/** Supports the features that our kustomizations use: files, folders and image tags. */
function readKustomization(folder: string): Rendered[] {
  const { resources, images = [] } = parse(read(folder, 'kustomization.yaml')) as Kustomization;
  return resources.flatMap((resource) => {
    if (!resource.endsWith('.yaml')) return readKustomization(join(folder, resource));
    let text = read(folder, resource);
    for (const { name, newTag } of images) text = text.replaceAll(`image: ${name}\n`, `image: ${name}:${newTag}\n`);
    return parseObjects(text);
  });
}

function read(...path: string[]): string {
  return readFileSync(join(root, ...path), 'utf8');
}

function byId(objects: readonly Rendered[]): Map<string, unknown> {
  return new Map(
    objects.map((object) => {
      const same = comparable(object) as Rendered;
      return [idOf(same), same];
    }),
  );
}

/** The object without allowed differences. */
function comparable(value: unknown, path = ''): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => comparable(item, `${path}[]`));
    // Only the chart has the pod of `helm test`, which asks for the health check.
    if (path === '.spec.ingress') return items.filter((item) => !JSON.stringify(item).includes('"port":"health"'));
    return path === '.rules' ? (items as RoleRule[]).toSorted((a, b) => (rightsOf(a) < rightsOf(b) ? -1 : 1)) : items;
  }
  if (typeof value !== 'object' || value === null) return named(value, path);
  const isContainer = path.endsWith('.containers[]');
  const entries = Object.entries(isContainer ? { args: [], ...value } : value)
    .filter(([key, inner]) => !HELM_LABELS.includes(key) && DEFAULTS[key] !== inner)
    .filter(([key]) => !(path === '.metadata.labels' && key === 'app.kubernetes.io/name'))
    .map(([key, inner]) => [key, isContainer && key === 'args' ? meaning(inner) : comparable(inner, `${path}.${key}`)])
    .filter(([key, inner]) => !(['labels', 'annotations'].includes(key as string) && isEmpty(inner)));
  return Object.fromEntries(entries);
}

/** The chart may need a second Role beside it if the operator's own namespace is on the list. */
function named(value: unknown, path: string): unknown {
  const isName = path === '.metadata.name' || path === '.roleRef.name';
  return isName && value === 'apprelease-operator-leader' ? 'apprelease-operator' : value;
}

/** Ignores flags with their default values. */
function meaning(args: unknown): unknown {
  return parseConfig(args as string[], { POD_NAMESPACE: NAMESPACE });
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function rightsOf({ apiGroups, resources, verbs }: RoleRule): string {
  return JSON.stringify([apiGroups, resources, verbs]);
}

test('both have the same objects, except that Helm creates the namespace', () => {
  expect([`Namespace ${NAMESPACE}`, ...ofChart.keys()].toSorted()).toEqual([...ofKustomize.keys()].toSorted());
});

test.each([...ofKustomize.keys()].filter((id) => !id.startsWith('Namespace ')))('%s is the same in both', (id) => {
  expect(ofChart.get(id)).toEqual(ofKustomize.get(id));
});
