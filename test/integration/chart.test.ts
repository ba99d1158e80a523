// The Helm chart on a real API server: install, upgrade, uninstall without the releases, install again.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { KINDS } from '../../src/api/kinds.ts';
import { GROUP } from '../../src/api/meta.ts';
import { APP_RELEASES } from '../../src/controller/kinds/api-kinds.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { PODS } from '../../src/controller/kinds/pods.ts';
import type { Helm, Values } from '../chart/helm.ts';
import { chart, createHelm, EVERYTHING, NAME, NAMESPACE, root } from '../chart/helm.ts';
import { prometheusCrds } from '../chart/prometheus-crds.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { serviceAccountKubeconfig } from '../cluster/kubeconfig.ts';
import { installCrds } from '../cluster/kubectl.ts';
import { addNodes, standardPools } from '../cluster/nodes.ts';
import { ensureHelm } from '../kind/tools.ts';
import type { ControlPlane } from '../cluster/types.ts';
import type { OperatorProcess } from './operator-process.ts';
import { QUICK_LEASE, startOperatorProcess, sumOf } from './operator-process.ts';
import { createPoster, groupObject } from './post.ts';
import type { ProcessWorld } from './process-world.ts';
import { createProcessWorld } from './process-world.ts';
import { release } from './release-objects.ts';

const IMAGE = `registry.example.com/shop/web:1.0@sha256:${'01'.repeat(32)}`;
const NEXT_IMAGE = `registry.example.com/shop/web:2.0@sha256:${'02'.repeat(32)}`;
const CRDS = KINDS.map(({ plural }) => `${plural}.${GROUP}`);

let cluster: ControlPlane;
let helm: Helm;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'chart-'));
  cluster = await startControlPlane();
  await addNodes(cluster, ...standardPools, { name: 'general', count: 2 });
  for (const file of await prometheusCrds()) await cluster.kubectl(['apply', '--server-side', '-f', file]);
  helm = await createHelm({ KUBECONFIG: cluster.kubeconfigPath });
  for (const name of [NAMESPACE, 'shop-operator', 'shop', 'bank', 'monitoring']) await createNamespace(name);
}, 600_000);

afterAll(async () => {
  await helm.close();
  await cluster.stop();
  await rm(dir, { recursive: true });
});

/** A namespace that enforces the restricted Pod Security Standard. */
async function createNamespace(name: string): Promise<void> {
  await cluster.kubectl(['create', 'namespace', name]);
  await cluster.kubectl(['label', 'namespace', name, 'pod-security.kubernetes.io/enforce=restricted']);
}

function install(verb: 'install' | 'upgrade', values: Values = {}, from = chart): Promise<string> {
  return helm.run([verb, NAME, from, `--namespace=${NAMESPACE}`, '--wait', '--timeout=110s'], values);
}

function uninstall(name = NAME, namespace = NAMESPACE): Promise<string> {
  return helm.run(['uninstall', name, `--namespace=${namespace}`, '--wait', '--timeout=60s']);
}

/** The operator with the flags of its Deployment and the rights of its service account, because simulated nodes run nothing. */
async function startOperator(name = NAME, namespace = NAMESPACE): Promise<OperatorProcess> {
  const jsonpath = '--output=jsonpath={.spec.template.spec.containers[0].args}';
  const args = await cluster.kubectl(['get', 'deployment', name, `--namespace=${namespace}`, jsonpath]);
  const flags = (JSON.parse(args) as string[]).filter((flag) => !flag.startsWith('--metrics-address'));
  const path = join(dir, `${name}.kubeconfig`);
  const kubeconfig = await serviceAccountKubeconfig(cluster, { namespace, name, path });
  return startOperatorProcess(cluster, { kubeconfig, flags, env: { POD_NAMESPACE: namespace } });
}

/** The objects that a returning operator must not change: specs of Deployments, and pods. */
async function running({ admin, namespace }: ProcessWorld): Promise<unknown> {
  const deployments = await admin.list(DEPLOYMENTS, { namespace });
  const pods = await admin.list(PODS, { namespace });
  return {
    deployments: deployments.items.map(({ metadata, spec }) => [metadata.name, metadata.uid, spec]).sort(),
    pods: pods.items.map(({ metadata }) => metadata.uid).sort(),
  };
}

async function categories(): Promise<string> {
  return cluster.kubectl(['get', 'crd', `appreleases.${GROUP}`, '--output=jsonpath={.spec.names.categories}']);
}

/** The chart in a possible earlier version, with fewer fields in its CRDs. */
async function olderChart(): Promise<string> {
  const older = join(dir, NAME);
  await cp(chart, older, { recursive: true });
  for (const [file, from, to] of [
    ['Chart.yaml', 'version: 0.1.0', 'version: 0.0.9'],
    [`templates/crds/${GROUP}_appreleases.yaml`, /^ {4}categories:\n {4}- apprelease-all\n/m, ''],
  ] as const) {
    const text = await readFile(join(older, file), 'utf8');
    expect(text).toMatch(from);
    await writeFile(join(older, file), text.replace(from, to));
  }
  return older;
}

describe('the life of a release', () => {
  let world: ProcessWorld;
  let operator: OperatorProcess;
  let before: unknown;

  afterAll(async () => {
    await operator.stop();
    await world.end();
    await uninstall();
  });

  test('installs the CRDs and an operator that releases', async () => {
    const notes = await install('install', { extraArgs: QUICK_LEASE }, await olderChart());
    expect(notes).toContain('watches every namespace');
    expect(notes).not.toContain('WARNING');
    expect(await categories()).toBe('');
    operator = await startOperator();
    world = await createProcessWorld(cluster);
    // Wait until the API server knows the kind that the tenants policy uses.
    await world.until('the AppRelease', () => world.apply(release(IMAGE)).then(() => true));
    await world.released('1.0');
    before = await running(world);
  });

  test('the API server accepts the steps in its notes', async () => {
    const notes = await helm.run(['get', 'notes', NAME, `--namespace=${NAMESPACE}`]);
    const steps = [...notes.matchAll(/<<'YAML'\n([\s\S]*?)\n *YAML/g)].map(([, text = '']) => text);
    expect(steps).toHaveLength(2);
    for (const step of steps) await dryRun('create', step);
  });

  test('nobody but its service account acts in another’s name', async () => {
    const poster = createPoster(cluster, world.namespace);
    const rollback = groupObject('ReleaseRollback', 'asked', { release: 'web', requestedBy: 'jane' });
    try {
      await world.until('the policy', async () => (await poster.refusal(rollback)) !== undefined);
      expect(await poster.refusal(rollback)).toContain('but the user is admin');
      expect(await poster.refusal(rollback, `system:serviceaccount:${NAMESPACE}:${NAME}`)).toBeUndefined();
    } finally {
      await poster.close();
    }
  });

  test('is upgraded, and the CRDs with it', async () => {
    await install('upgrade', { extraArgs: QUICK_LEASE, workers: 4 });
    expect(await categories()).toBe('["apprelease-all"]');
    const { items } = await world.admin.list(APP_RELEASES, { namespace: world.namespace });
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['web']);
    await operator.stop();
    operator = await startOperator();
    await operator.says('leads');
    expect(operator.log().find(({ msg }) => msg === 'started')).toMatchObject({ config: { workers: 4 } });
  });

  test('leaves the CRDs, the AppReleases and their workloads when it is uninstalled', async () => {
    expect(await operator.stop()).toBe(0);
    const said = await uninstall();
    for (const name of CRDS) expect(said).toContain(name);
    const left = await cluster.kubectl(['get', 'crd', ...CRDS, '--output=name']);
    expect(left.trim().split('\n')).toHaveLength(CRDS.length);
    await world.until('the end of its pods', async () => {
      return (await cluster.kubectl(['get', 'all', `--namespace=${NAMESPACE}`, '--output=name'])) === '';
    });
    expect(await cluster.kubectl(['get', 'clusterroles', '--output=name'])).not.toContain('apprelease-');
    expect(await world.condition('Ready')).toMatchObject({ status: 'True' });
    expect(await running(world)).toEqual(before);
  });

  test('is installed under another name only with --take-ownership', async () => {
    const other = ['install', 'other', chart, '--namespace=shop-operator'];
    await expect(helm.run(other)).rejects.toThrow('invalid ownership metadata');
    await helm.run([...other, '--take-ownership']);
    await uninstall('other', 'shop-operator');
    await cluster.kubectl(['annotate', 'crd', ...CRDS, `meta.helm.sh/release-name=${NAME}`, '--overwrite']);
    await cluster.kubectl(['annotate', 'crd', ...CRDS, `meta.helm.sh/release-namespace=${NAMESPACE}`, '--overwrite']);
  });

  test('is installed again, and takes over the objects without a restart of any pod', async () => {
    await install('install', { extraArgs: QUICK_LEASE });
    operator = await startOperator();
    await operator.says('leads');
    await world.until('a pass', async () => sumOf(await operator.metrics(), 'apprelease_reconcile_total') > 0);
    expect(await running(world)).toEqual(before);
    await world.apply(release(NEXT_IMAGE));
    await world.released('2.0');
    expect(await world.invariant.violations()).toEqual([]);
  });
});

describe('some namespaces, without Secrets', () => {
  const name = 'shop-operator';
  const user = `system:serviceaccount:${name}:${name}`;
  const worlds: ProcessWorld[] = [];
  let operator: OperatorProcess;

  beforeAll(async () => {
    for (let count = 0; count < 3; count += 1) worlds.push(await createProcessWorld(cluster));
    const values = {
      fullnameOverride: name,
      watchNamespaces: worlds.slice(0, 2).map(({ namespace }) => namespace),
      rbac: { readSecrets: false },
      extraArgs: QUICK_LEASE,
    };
    await helm.run(['install', name, chart, `--namespace=${name}`, '--take-ownership'], values);
    operator = await startOperator(name, name);
  });

  afterAll(async () => {
    await operator.stop();
    await Promise.all(worlds.map((world) => world.end()));
    await uninstall(name, name);
  });

  test('are all watched, and no others', async () => {
    for (const world of worlds) await world.apply(release(IMAGE));
    const [first, second, other] = worlds;
    await first?.released('1.0');
    await second?.released('1.0');
    const { items } = (await other?.admin.list(APP_RELEASES, { namespace: other.namespace })) ?? { items: [] };
    expect(items.map(({ status }) => status)).toEqual([{ observedGeneration: -1 }]);
    // Except for errors that a slow machine may cause.
    const renewal = 'cannot acquire or renew the lease';
    const problems = operator.log().filter(({ level, msg }) => ['error', 'warn'].includes(level) && msg !== renewal);
    expect(problems).toEqual([]);
    expect((await operator.health('/readyz'))[0]).toBe(200);
  });

  test('limit its rights; it can read nodes', async () => {
    const [inside = '', , outside = ''] = worlds.map(({ namespace }) => namespace);
    const can = async (namespace: string, verb: string, resource: string) => {
      const poster = createPoster(cluster, namespace);
      try {
        return await poster.can(user, verb, resource);
      } finally {
        await poster.close();
      }
    };
    expect(await can(inside, 'patch', 'services')).toBe(true);
    expect(await can(inside, 'get', 'secrets')).toBe(false);
    expect(await can(outside, 'list', 'appreleases.apprelease.dev')).toBe(false);
    expect(await can(outside, 'patch', 'services')).toBe(false);
    expect(await can('', 'list', 'nodes')).toBe(true);
    expect(await can('', 'list', 'pods')).toBe(false);
  });
});

/** The commands of the chart's README. */
describe('the README', () => {
  test('has commands that work, one after the other', async () => {
    const text = await readFile(join(chart, 'README.md'), 'utf8');
    const commands = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, command = '']) => command);
    expect(commands.length).toBeGreaterThan(5);
    // Start with an empty cluster, like a reader.
    await cluster.kubectl(['delete', 'crd', '--ignore-not-found', ...CRDS]);
    await cluster.kubectl(['delete', 'namespace', '--ignore-not-found', 'shop']);
    for (const command of commands) await shell(command);
    expect(await cluster.kubectl(['get', 'crd', '--output=name'])).not.toContain(GROUP);
    await uninstall('shop-operator', 'shop-operator');
  }, 300_000);

  /** Runs the commands as a reader would, except `helm test`, because simulated nodes run no containers. */
  async function shell(script: string): Promise<void> {
    const env = {
      ...process.env,
      KUBECONFIG: cluster.kubeconfigPath,
      PATH: [dirname(await ensureHelm()), dirname(cluster.binaries.kubectl), process.env['PATH']].join(':'),
      PASSWORD: 'secret',
      HOME: dir,
    };
    const lines = script.split('\n').filter((line) => !line.startsWith('helm test '));
    await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', lines.join('\n')], { cwd: root, env });
  }
});

/** Validates objects on the API server without storing them; an unknown field is an error. */
function dryRun(verb: 'apply' | 'create', input: string): Promise<string> {
  const flags = verb === 'apply' ? ['--server-side', '--force-conflicts'] : [];
  return cluster.kubectl([verb, ...flags, '--dry-run=server', '--validate=strict', '--filename=-'], { input });
}

describe('the API server accepts', () => {
  beforeAll(async () => {
    await installCrds(cluster);
  });

  test.each<[string, Values]>([
    ['the defaults', {}],
    ['everything that is off by default', EVERYTHING],
    ['some namespaces', { watchNamespaces: ['shop', 'bank'], rbac: { readSecrets: false } }],
    ['a PodMonitor in another namespace', { metrics: { podMonitor: { enabled: true, namespace: 'monitoring' } } }],
    [
      'required anti-affinity and a share of pods',
      { podAntiAffinity: 'required', podDisruptionBudget: { minAvailable: '50%' } },
    ],
    ['no metrics', { metrics: { enabled: false }, networkPolicy: { enabled: false } }],
  ])('%s', async (_what, values) => {
    const objects = await helm.render(values);
    const taken = await dryRun('apply', objects.map((object) => JSON.stringify(object)).join('\n---\n'));
    expect(taken.trim().split('\n')).toHaveLength(objects.length);
  });

  test('the examples for Artifact Hub', async () => {
    const { annotations } = parse(await readFile(join(chart, 'Chart.yaml'), 'utf8')) as {
      annotations: Record<string, string>;
    };
    const examples = parse(annotations['artifacthub.io/crdsExamples'] ?? '') as object[];
    expect(examples).toHaveLength(KINDS.length);
    for (const example of examples) await dryRun('create', JSON.stringify(example));
  });
});
