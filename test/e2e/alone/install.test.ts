// The operator with Helm, while an app serves: install, upgrade, uninstall, install again;
// and with one Application of Argo CD, with its CRDs and a release, into an empty cluster.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { chart, createHelm, NAME, NAMESPACE, root, type Helm } from '../../chart/helm.ts';
import { errorsOf, startAsker } from '../asker.ts';
import { createApplication, createRepository, manifestOf, removeApplication, test } from '../gitops.ts';
import { installOperator, OPERATOR } from '../operator.ts';
import { SERVICE_NAMES, web } from '../releases.ts';
import { e2e, kubectl, type World } from '../world.ts';

const REGISTRIES = [...e2e.registries, e2e.lockedRegistry];
const VALUES = {
  insecureRegistries: REGISTRIES,
  networkPolicy: { limitEgress: true, egressPorts: [443, 6443, ...REGISTRIES.map(portOf)] },
  tolerations: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists' }],
};

let helm: Helm;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'helm-e2e-'));
  helm = await createHelm({ KUBECONFIG: e2e.cluster.kubeconfigPath });
  // The CRDs stay, and so do objects of other tests.
  await kubectl('delete', '-k', join(root, 'manifests'));
});

afterAll(async () => {
  await uninstall();
  await helm.close();
  await rm(dir, { recursive: true });
  await installOperator({ ...e2e, registries: REGISTRIES });
});

function install(verb: 'install' | 'upgrade', from = chart): Promise<string> {
  // The chart takes over CRDs that kubectl installed.
  const flags = [`--namespace=${NAMESPACE}`, '--create-namespace', '--take-ownership', '--wait', '--timeout=3m'];
  return helm.run([verb, NAME, from, ...flags], VALUES);
}

async function uninstall(): Promise<void> {
  const own = `--namespace=${NAMESPACE}`;
  await helm.run(['uninstall', NAME, own, '--ignore-not-found', '--wait']);
  // The operator's rights were removed with it, so it could not release the Lease: delete it, so that the next need not wait.
  await kubectl('delete', 'lease', NAME, own, '--ignore-not-found');
}

/** The chart as a previous version. */
async function chartBefore(): Promise<string> {
  const before = join(dir, NAME);
  await cp(chart, before, { recursive: true });
  const file = join(before, 'Chart.yaml');
  await writeFile(file, (await readFile(file, 'utf8')).replace(/^version: .*$/m, 'version: 0.0.9'));
  return before;
}

function portOf(registry: string): number {
  return Number(registry.split(':')[1]);
}

interface PolicyPort {
  readonly port: string | number;
}

interface Policy {
  readonly podSelector: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly ingress: readonly { readonly ports: readonly PolicyPort[] }[];
  readonly egress: readonly { readonly ports: readonly PolicyPort[] }[];
}

interface OperatorPod {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly containers: readonly { readonly ports: readonly { readonly name: string }[] }[] };
}

interface Slice {
  readonly ports: readonly PolicyPort[];
}

async function getAll<T>(...args: string[]): Promise<T[]> {
  return (JSON.parse(await kubectl('get', ...args, '--output=json')) as { items: T[] }).items;
}

/** The network of kind enforces no policy, so check that the stored policy matches the pods and their targets. */
async function expectPolicyFits(): Promise<void> {
  const own = `--namespace=${NAMESPACE}`;
  const [policy] = await getAll<{ spec: Policy }>('networkpolicies', own);
  if (!policy) throw new Error('there is no NetworkPolicy');
  const { podSelector, ingress, egress } = policy.spec;
  const selector = Object.entries(podSelector.matchLabels).map(([key, value]) => `${key}=${value}`);
  const pods = await getAll<OperatorPod>('pods', own, `--selector=${selector.join(',')}`);
  const ofDeployment = await getAll<OperatorPod>('pods', own, '--selector=pod-template-hash');
  expect(pods.length).toBeGreaterThan(0);
  expect(pods.map(({ metadata }) => metadata.name)).toEqual(ofDeployment.map(({ metadata }) => metadata.name));
  const names = pods.flatMap(({ spec }) => spec.containers).flatMap(({ ports }) => ports.map(({ name }) => name));
  const inward = ingress.flatMap(({ ports }) => ports).map(({ port }) => port);
  expect(inward).toEqual(['health', 'metrics']);
  expect(names).toEqual(expect.arrayContaining(inward));
  // The endpoints of the API server, which a policy sees.
  const slices = await getAll<Slice>('endpointslices', '--selector=kubernetes.io/service-name=kubernetes');
  const outward = egress.flatMap(({ ports }) => ports).map(({ port }) => port);
  expect(slices.length).toBeGreaterThan(0);
  for (const { port } of slices.flatMap(({ ports }) => ports)) expect(outward).toContain(port);
}

async function podsOf(world: World): Promise<string[]> {
  return (await world.pods()).map(({ uid }) => uid).sort();
}

test('Helm installs and removes the operator without a change of release pods', async ({ world }) => {
  // Left by a failed attempt.
  await uninstall();
  await install('install', await chartBefore());
  await world.apply(await web(world, '1.0.0'));
  await world.released('1.0.0');
  const asker = await startAsker(world, SERVICE_NAMES);
  const pods = await podsOf(world);

  await install('upgrade');
  const test = await helm.run(['test', NAME, `--namespace=${NAMESPACE}`, '--timeout=2m']);
  expect(test).toMatch(/Phase:\s+Succeeded/);
  await expectPolicyFits();
  await uninstall();
  await world.until('the end of the operator', async () => {
    return (await kubectl('get', 'pods', `--namespace=${NAMESPACE}`, '--output=name')) === '';
  });
  expect(await podsOf(world)).toEqual(pods);
  expect((await world.status()).version).toBe('1.0.0');

  await install('install');
  await world.conditionIs('Ready', 'True');
  // It works again with the existing objects.
  await world.apply(await web(world, '1.0.0', { paused: true }));
  await world.conditionIs('Paused', 'True');
  expect(await podsOf(world)).toEqual(pods);
  await world.apply(await web(world, '2.0.0'));
  await world.released('2.0.0');
  expect(errorsOf(await asker.answers())).toEqual([]);
  await asker.stop();
});

test('one Argo CD Application installs the operator, CRDs and a release into an empty cluster', async ({
  argo,
  world,
}) => {
  await uninstall();
  await kubectl('delete', '-k', join(root, 'crds'), '--ignore-not-found');
  const repository = await createRepository(argo, world.namespace);
  await repository.commitFolder('Add the operator', chart, 'operator');
  const release = manifestOf(await web(world, '1.0.0'), { namespace: world.namespace });
  await repository.commit('Add web', { 'apps/web.yaml': release });

  const common = { repoURL: repository.url, targetRevision: 'main' };
  const app = await createApplication(argo, world, repository, {
    destination: NAMESPACE,
    sources: [
      { ...common, path: 'operator', helm: { releaseName: NAME, valuesObject: VALUES } },
      { ...common, path: 'apps' },
    ],
    syncPolicy: {
      automated: { prune: true, selfHeal: true },
      syncOptions: ['CreateNamespace=true'],
      retry: { limit: 0 },
    },
  });
  try {
    await app.becomes('Healthy', /version 1\.0\.0 is in every pool/);
    const { operationState, resources } = await app.status();
    expect(operationState).toMatchObject({ phase: 'Succeeded' });
    expect(resources?.filter(({ status }) => status !== 'Synced')).toEqual([]);

    await app.commit('Release 2.0.0', {
      'apps/web.yaml': manifestOf(await web(world, '2.0.0'), { namespace: world.namespace }),
    });
    await app.becomes('Healthy', /version 2\.0\.0 is in every pool/);
    expect(await app.fights()).toBe(0);
  } finally {
    await removeApplication(app.name);
  }
  await expect(kubectl('get', OPERATOR, `--namespace=${NAMESPACE}`)).rejects.toThrow('not found');
  // The chart keeps them.
  expect(await kubectl('get', 'crd', 'appreleases.apprelease.dev', '--output=name')).toContain('appreleases');
});
