// The demo on the cluster of the current kubectl context. It checks the cluster before it creates anything, uses a
// namespace of its own, and removes everything that it created, however it ends.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { stringify } from 'yaml';
import { API_VERSION } from '../../src/api/meta.ts';
import { controlPlane } from '../cluster/build.ts';
import { ensureTool } from '../cluster/go-tool.ts';
import { installCrds, kubectlFor } from '../cluster/kubectl.ts';
import { start, type Running } from '../cluster/processes.ts';
import { behaviourAnnotation } from '../cluster/stages.ts';
import type { ControlPlane } from '../cluster/types.ts';
import {
  checkImage,
  checkReachable,
  checkRights,
  findNodes,
  findOperator,
  missingCrds,
  neededRights,
  probeOf,
  type App,
} from './checks.ts';
import { placesOf, type Place } from './places.ts';
import { root, step, temporaryFolder, type DemoStage } from './setup.ts';

/** In the order of examples/web.yaml: by stage, then by pool. */
const POOLS = [['canary-vms'], ['prod-a', 'prod-b', 'prod-c']] as const;
const STAGES = ['canary', 'production'] as const;
/** Nothing listens on this port, so a probe of it never succeeds. */
const WRONG_PORT = 1;

export interface CurrentOptions {
  readonly app: App;
  readonly versions: readonly string[];
  /** The version that is never ready. */
  readonly broken: string;
  readonly signal: AbortSignal;
}

type Kubectl = ControlPlane['kubectl'];

/** @throws Error that names what the cluster lacks */
export async function setTheStageOnCurrent(options: CurrentOptions, ending: AsyncDisposableStack): Promise<DemoStage> {
  const { app, signal } = options;
  const folder = await temporaryFolder(ending);
  const tools = await takeContext(folder);
  const kubectl = kubectlFor({ ...tools, dir: folder });
  const namespace = `apprelease-demo-${randomBytes(3).toString('hex')}`;

  const found = await step('Looking at the cluster', async () => {
    await checkReachable(kubectl);
    const { nodes, simulated } = await findNodes(kubectl);
    const places = placesOf(nodes, POOLS.flat());
    const [operator, crds] = await Promise.all([findOperator(kubectl), missingCrds(kubectl)]);
    const needs = { crds: crds.length > 0, operator: operator === undefined };
    await checkRights(kubectl, neededRights(namespace, needs));
    return { places, simulated, operator, crds };
  });

  await addCrds(kubectl, found.crds, ending);
  await undoLater(
    ending,
    `the namespace ${namespace}`,
    () => kubectl(['create', 'namespace', namespace]),
    () => kubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--timeout=120s']),
    `kubectl delete namespace ${namespace}`,
  );
  const place = found.places.get(POOLS[0][0]) as Place;
  const digest = await step(`Trying ${app.image} on a node`, () =>
    checkImage(kubectl, app, { namespace, place, signal }),
  );
  const checkout = await writeCheckout({ ...options, ...found, folder, namespace, digest });
  const operator =
    found.operator === undefined
      ? await step('Starting the operator here', () => startOperator(tools.kubeconfigPath, namespace, folder, ending))
      : undefined;
  return {
    ...tools,
    operator,
    checkout,
    patienceSeconds: 300,
    script: {
      namespace,
      opening: ['cat kustomization.yaml version.yaml'],
      // The demo does not create VMPools in an existing cluster.
      vms: () => [],
      commit: (version) => `cp versions/${version}.yaml version.yaml`,
      // It has the image of the failed version, so each stage needs an approval that names the version.
      letIn: (version) => STAGES.map((stage) => `kubectl create -f versions/${version}-${stage}.yaml`),
    },
  };
}

/** A copy of the current context, because the user may change the context meanwhile. */
async function takeContext(folder: string): Promise<Pick<DemoStage, 'binaries' | 'kubeconfigPath'>> {
  const binaries = { kubectl: findOnPath('kubectl') ?? join(await ensureTool(controlPlane), 'kubectl') };
  const asUser = kubectlFor({ binaries, kubeconfigPath: process.env['KUBECONFIG'] ?? '', dir: folder });
  const config = await asUser(['config', 'view', '--minify', '--flatten', '--raw']).catch((cause: unknown) => {
    throw new Error('kubectl has no current context: choose one, or start a cluster with `make cluster`', { cause });
  });
  const kubeconfigPath = join(folder, 'kubeconfig');
  await writeFile(kubeconfigPath, config, { mode: 0o600 });
  return { binaries, kubeconfigPath };
}

function findOnPath(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

/** Creates something, and removes it at the end, also if the creation was interrupted. */
async function undoLater(
  ending: AsyncDisposableStack,
  what: string,
  make: () => Promise<unknown>,
  undo: () => Promise<unknown>,
  byHand: string,
): Promise<void> {
  const over = Promise.withResolvers<undefined>();
  // First, because this throws during the shutdown, so that nothing is created.
  ending.defer(async () => {
    await over.promise;
    await step(`Removing ${what}`, undo).catch((cause: unknown) => {
      throw new Error(`The demo left something behind; remove it with:\n\n  ${byHand}\n`, { cause });
    });
  });
  try {
    await make();
  } finally {
    over.resolve(undefined);
  }
}

async function addCrds(kubectl: Kubectl, missing: readonly string[], ending: AsyncDisposableStack): Promise<void> {
  if (missing.length === 0) return;
  const remove = ['delete', 'crd', '--ignore-not-found', '--timeout=60s'];
  await step('Installing the CRDs', () =>
    undoLater(
      ending,
      'the CRDs',
      () => installCrds({ kubectl }),
      async () => {
        const used = await Promise.all(missing.map((name) => isUsed(kubectl, name)));
        const unused = missing.filter((_name, index) => !used[index]);
        if (unused.length > 0) await kubectl([...remove, ...unused]);
      },
      `kubectl delete crd ${missing.join(' ')}`,
    ),
  );
}

/** Whether somebody else has created objects of the kind meanwhile, which would be deleted with the CRD. */
async function isUsed(kubectl: Kubectl, crd: string): Promise<boolean> {
  const objects = await kubectl(['get', crd, '--all-namespaces', '--output=name']).catch(() => '');
  return objects !== '';
}

/** Runs as the user, only for the demo's namespace. */
async function startOperator(
  kubeconfigPath: string,
  namespace: string,
  folder: string,
  ending: AsyncDisposableStack,
): Promise<Running> {
  const operator = await start({
    name: 'the operator',
    file: process.execPath,
    args: [
      `--import=${join(import.meta.dirname, 'exit-with-parent.ts')}`,
      join(root, 'dist/operator.mjs'),
      `--kubeconfig=${kubeconfigPath}`,
      `--namespace=${namespace}`,
      '--leader-elect=false',
      '--health-address=off',
      '--metrics-address=off',
    ],
    logFile: join(folder, 'operator.log'),
    detached: false,
  });
  ending.defer(() => operator.stop());
  return operator;
}

interface Checkout extends CurrentOptions {
  readonly folder: string;
  readonly namespace: string;
  readonly places: ReadonlyMap<string, Place>;
  readonly simulated: boolean;
  readonly digest: string;
}

/** A folder like a user's Git checkout: examples/ in the demo's namespace, and the changes of each version. */
async function writeCheckout(checkout: Checkout): Promise<string> {
  const { folder, namespace, versions } = checkout;
  const dir = join(folder, 'checkout');
  await cp(join(root, 'examples'), join(dir, 'examples'), { recursive: true });
  for (const name of ['promotion', 'rollback']) {
    const file = join(dir, 'examples', `${name}.yaml`);
    await writeFile(file, (await readFile(file, 'utf8')).replace('namespace: shop', `namespace: ${namespace}`));
  }
  await writeFile(join(dir, 'kustomization.yaml'), kustomization(checkout));
  await mkdir(join(dir, 'versions'));
  for (const version of versions) {
    await writeFile(join(dir, 'versions', `${version}.yaml`), versionPatch(checkout, version));
    for (const stage of STAGES)
      await writeFile(join(dir, 'versions', `${version}-${stage}.yaml`), promotion(namespace, version, stage));
  }
  await cp(join(dir, 'versions', `${versions[0] ?? ''}.yaml`), join(dir, 'version.yaml'));
  return dir;
}

function kustomization({ app, namespace, places, digest }: Checkout): string {
  const stages = POOLS.flatMap((pools, stage) =>
    pools.map((name, index) => ({
      op: 'replace',
      path: `/spec/stages/${stage}/pools/${index}`,
      value: { name, replicas: 1, ...places.get(name) },
    })),
  );
  const operations = [
    { op: 'replace', path: '/spec/stages/0/soak', value: '4s' },
    { op: 'replace', path: '/spec/progressDeadlineSeconds', value: 30 },
    { op: 'add', path: '/spec/rollback/drain', value: '1s' },
    { op: 'add', path: '/spec/template/spec/terminationGracePeriodSeconds', value: 5 },
    {
      op: 'replace',
      path: '/spec/template/spec/containers/0/resources/requests',
      value: { cpu: '10m', memory: '16Mi' },
    },
    ...stages,
  ];
  return [
    "# examples/web.yaml, adapted to this cluster's nodes, with an image that they can pull, small requests and short times.",
    `namespace: ${namespace}`,
    'resources: [examples/web.yaml]',
    'images:',
    `  - { name: registry.example.com/shop/web, newName: ${nameOf(app.image)}, digest: "${digest}" }`,
    'patches:',
    '  - { target: { kind: AppRelease }, path: version.yaml }',
    '  - target: { kind: AppRelease }',
    '    patch: |-',
    ...lines(operations).map((line) => `      ${line}`),
    '',
  ].join('\n');
}

/** The versions differ only in their settings, not in the image. */
function versionPatch({ app, broken, simulated }: Checkout, version: string): string {
  const isBroken = version === broken;
  const container = '/spec/template/spec/containers/0';
  const behaviour = { annotations: { [behaviourAnnotation]: 'unready' } };
  const operations = [
    { op: 'add', path: '/spec/version', value: version },
    { op: 'add', path: `${container}/env`, value: [{ name: 'VERSION', value: version }] },
    { op: 'replace', path: `${container}/ports`, value: [{ name: 'http', containerPort: app.port }] },
    { op: 'replace', path: `${container}/readinessProbe`, value: probeOf(isBroken ? WRONG_PORT : app.port) },
    ...(isBroken && simulated ? [{ op: 'add', path: '/spec/template/metadata', value: behaviour }] : []),
  ];
  return `${lines(operations).join('\n')}\n`;
}

function promotion(namespace: string, version: string, stage: string): string {
  const metadata = { generateName: 'web-', namespace };
  const spec = { release: 'web', version, stage, reason: 'its settings are right again' };
  return stringify({ apiVersion: API_VERSION, kind: 'ReleasePromotion', metadata, spec });
}

function lines(operations: readonly object[]): string[] {
  return operations.map((operation) => `- ${stringify(operation, { collectionStyle: 'flow', lineWidth: 0 }).trim()}`);
}

/** The image's name without tag or digest. */
function nameOf(image: string): string {
  return image.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
}
