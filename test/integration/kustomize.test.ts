// The transformer configuration of manifests/kustomize, with the kustomize of kubectl.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { cluster } from './harness.ts';
import { root } from './page.ts';

const folders: string[] = [];

afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

interface Built {
  kind: string;
  metadata: { name: string };
  spec: unknown;
}

/** The objects that kustomize makes of a kustomization with these resources and the component. */
async function build(kustomization: object, resources: readonly object[]): Promise<Built[]> {
  const folder = await mkdtemp(join(tmpdir(), 'kustomize-'));
  folders.push(folder);
  const component = relative(folder, join(root, 'manifests/kustomize'));
  const all = { resources: ['all.yaml'], components: [component], ...kustomization };
  await writeFile(join(folder, 'all.yaml'), resources.map((object) => stringify(object)).join('---\n'));
  await writeFile(join(folder, 'kustomization.yaml'), stringify(all));
  return parseAllDocuments(await cluster.kubectl(['kustomize', folder])).map((document) => document.toJS() as Built);
}

function object(kind: string, name: string, more: object, apiVersion = 'apprelease.dev/v1alpha1'): object {
  return { apiVersion, kind, metadata: { name }, ...more };
}

/** Every way in which a container, a volume and a pool name a ConfigMap or a Secret. */
const env = [
  { name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'a' } } },
  { name: 'B', valueFrom: { secretKeyRef: { name: 'keys', key: 'b' } } },
];
const envFrom = [{ configMapRef: { name: 'settings' } }, { secretRef: { name: 'keys' } }];
const image = 'registry.example.com/web:1';
const volumes = [
  { name: 'a', configMap: { name: 'settings' } },
  { name: 'b', secret: { secretName: 'keys' } },
  { name: 'c', projected: { sources: [{ configMap: { name: 'settings' } }, { secret: { name: 'keys' } }] } },
  { name: 'd', csi: { driver: 'x', nodePublishSecretRef: { name: 'keys' } } },
  { name: 'e', persistentVolumeClaim: { claimName: 'data' } },
  { name: 'f', image: { reference: image } },
];
const web = object('AppRelease', 'web', {
  spec: {
    template: {
      spec: {
        imagePullSecrets: [{ name: 'keys' }],
        serviceAccountName: 'runner',
        initContainers: [{ name: 'init', image, env, envFrom }],
        containers: [{ name: 'web', image, env, envFrom }],
        volumes,
      },
    },
    stages: [
      {
        name: 'production',
        pools: [
          {
            name: 'prod-a',
            serviceName: 'shared',
            template: { spec: { serviceAccountName: 'runner', containers: [{ name: 'web', env, envFrom }] } },
          },
        ],
      },
    ],
  },
});

const generators = {
  configMapGenerator: [{ name: 'settings', literals: ['a=1'] }],
  secretGenerator: [{ name: 'keys', literals: ['b=2'] }],
};

function specOf(built: readonly Built[], kind: string): string {
  return JSON.stringify(built.find((one) => one.kind === kind)?.spec);
}

/** How often a text is the whole value of a field. */
function count(text: string, value: string): number {
  return text.split(`:"${value}"`).length - 1;
}

describe('in an AppRelease, kustomize', () => {
  let built: Built[];
  let spec: string;

  beforeAll(async () => {
    built = await build({ ...generators, images: [{ name: 'registry.example.com/web', newTag: '2' }] }, [web]);
    spec = specOf(built, 'AppRelease');
  });

  test.each([
    ['ConfigMap', 'settings', 8],
    ['Secret', 'keys', 10],
  ])('gives every name of a generated %s the hash of its content', (kind, name, times) => {
    const hashed = built.find((one) => one.kind === kind)?.metadata.name ?? '';
    expect(hashed).toMatch(new RegExp(`^${name}-[a-z0-9]{10}$`));
    expect(count(spec, name)).toBe(0);
    expect(count(spec, hashed)).toBe(times);
  });

  test('sets the tags of the images of containers and volumes', () => {
    expect(count(spec, 'registry.example.com/web:2')).toBe(3);
    expect(count(spec, image)).toBe(0);
  });
});

test('with a prefix of names, the names of other objects follow', async () => {
  const made = await build({ namePrefix: 'eu-' }, [
    web,
    object('ServiceAccount', 'runner', {}, 'v1'),
    object('PersistentVolumeClaim', 'data', { spec: {} }, 'v1'),
    object('Service', 'shared', { spec: {} }, 'v1'),
    object('VMPool', 'prod-a', { spec: {} }),
    object('ReleaseRollback', 'back', { spec: { release: 'web' } }),
    object('ReleasePromotion', 'go', { spec: { release: 'web', stage: 'production' } }),
  ]);
  const spec = specOf(made, 'AppRelease');
  expect(count(spec, 'eu-runner')).toBe(2);
  for (const name of ['eu-data', 'eu-shared', 'eu-prod-a']) expect(count(spec, name)).toBe(1);
  for (const kind of ['ReleaseRollback', 'ReleasePromotion'])
    expect(specOf(made, kind)).toContain('"release":"eu-web"');
});
