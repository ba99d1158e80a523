// The commands of docs/install.md, one after the other, on an empty cluster.
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GROUP } from '../../src/api/meta.ts';
import { parseConfig } from '../../src/process/config.ts';
import { NAME, NAMESPACE } from '../chart/helm.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { addNodes } from '../cluster/nodes.ts';
import type { ControlPlane } from '../cluster/types.ts';
import { ensureHelm } from '../kind/tools.ts';
import { commandsOf, createRun, readPage, root, type Run } from './page.ts';
import { groupObject } from './post.ts';
import { release } from './release-objects.ts';

const IMAGE = `registry.example.com/shop/web:1.0@sha256:${'01'.repeat(32)}`;
const page = await readPage('install.md');
let cluster: ControlPlane;
let folder: string;
let run: Run;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'docs-install-'));
  cluster = await startControlPlane();
  await addNodes(cluster, { name: 'general', count: 2 });
  for (const name of ['crds', 'manifests', 'charts'])
    await cp(join(root, name), join(folder, name), { recursive: true });
  await cp(cluster.caFile, join(folder, 'registry-ca.pem'));
  const tools = [dirname(await ensureHelm()), dirname(cluster.binaries.kubectl)];
  run = createRun(folder, tools, { KUBECONFIG: cluster.kubeconfigPath, HOME: folder, PASSWORD: 'secret' });
}, 600_000);

afterAll(async () => {
  await cluster.stop();
  await rm(folder, { recursive: true });
});

async function runAll(heading: string): Promise<void> {
  for (const command of commandsOf(page, heading)) await run(command);
}

/** The configuration of the operator, parsed from its flags. */
async function configOf(name = NAME, namespace = NAMESPACE): Promise<object> {
  const jsonpath = '--output=jsonpath={.spec.template.spec.containers[0].args}';
  const args = await cluster.kubectl(['get', 'deployment', name, `--namespace=${namespace}`, jsonpath]);
  const parsed = parseConfig(JSON.parse(args) as string[], {});
  if (parsed.kind !== 'config') throw new Error(JSON.stringify(parsed));
  return parsed.config;
}

async function crds(): Promise<number> {
  return (await cluster.kubectl(['get', 'crd', '--output=name'])).split('\n').filter((name) => name.endsWith(GROUP))
    .length;
}

test('kubectl: install, change, upgrade, uninstall without the releases, and remove everything', async () => {
  const [install = '', overlay = ''] = commandsOf(page, 'With kubectl and kustomize');
  await run(install);
  await run(overlay);
  expect(await configOf()).toMatchObject({ insecureRegistry: ['registry.internal:5000'] });
  await runAll('Upgrade');
  const web = groupObject('AppRelease', 'web', release(IMAGE));
  await cluster.kubectl(['create', '--namespace=default', '--filename=-'], { input: JSON.stringify(web) });
  const [uninstall = '', remove = ''] = commandsOf(page, 'Uninstall');
  await run(uninstall);
  expect(await cluster.kubectl(['get', 'appreleases', '--output=name'])).toContain('/web');
  expect(await cluster.kubectl(['get', 'clusterroles', '--output=name'])).not.toContain('apprelease-');
  await run(remove);
  expect(await crds()).toBe(0);
}, 300_000);

test('Helm: install, upgrade, uninstall; a list of namespaces', async () => {
  const [first = ''] = commandsOf(page, 'With Helm');
  await run(first);
  expect(await crds()).toBe(4);
  await runAll('Some namespaces alone');
  expect(await configOf('shop-operator', 'shop-operator')).toMatchObject({ namespace: ['shop', 'shop-staging'] });
}, 300_000);

test('private registries: credentials, a CA, and plain HTTP', async () => {
  await run('helm uninstall shop-operator --namespace shop-operator');
  await cluster.kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=true']);
  await runAll('Private registries');
  expect(await configOf()).toMatchObject({
    registryDockerConfig: '/etc/apprelease/registry/config.json',
    registryCaFile: '/etc/apprelease/ca/ca.crt',
    insecureRegistry: ['registry.internal:5000'],
    registryPrivateNetworks: 'deny',
    registryAllowNetwork: ['10.20.0.0/16'],
    registryTokenServer: ['authn.nvidia.com'],
  });
  const account = ['get', 'serviceaccount', 'default', '--namespace=shop'];
  expect(await cluster.kubectl([...account, '--output=jsonpath={.imagePullSecrets[*].name}'])).toBe('shop-registry');
}, 300_000);
