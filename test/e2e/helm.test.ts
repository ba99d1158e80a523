// Issue 4, items 3 and 4: the operator by Helm, while an app is served: installed, upgraded, uninstalled, installed again.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { chart, createHelm, NAME, NAMESPACE, root, type Helm } from '../chart/helm.ts';
import { prepareEngine } from '../kind/engine.ts';
import { errorsOf, startAsker } from './asker.ts';
import { installOperator } from './operator.ts';
import { SERVICES, web } from './releases.ts';
import { e2e, kubectl, test, type World } from './world.ts';

const VALUES = {
  insecureRegistries: [e2e.registry, e2e.lockedRegistry],
  tolerations: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists' }],
};

let helm: Helm;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'helm-e2e-'));
  helm = await createHelm({ KUBECONFIG: e2e.cluster.kubeconfigPath });
  // The CRDs stay, and with them what other tests left.
  await kubectl('delete', '-k', join(root, 'manifests'));
});

afterAll(async () => {
  await helm.run(['uninstall', NAME, `--namespace=${NAMESPACE}`, '--ignore-not-found', '--wait']);
  await helm.close();
  await rm(dir, { recursive: true });
  const cluster = { ...e2e.cluster, engine: await prepareEngine() };
  await installOperator({ cluster, kubectl: e2e.kubectl, registries: VALUES.insecureRegistries });
});

function install(verb: 'install' | 'upgrade', from = chart): Promise<string> {
  // CRDs that kubectl installed become the chart's.
  const flags = [`--namespace=${NAMESPACE}`, '--create-namespace', '--take-ownership', '--wait', '--timeout=3m'];
  return helm.run([verb, NAME, from, ...flags], VALUES);
}

/** The chart as the version before. */
async function chartBefore(): Promise<string> {
  const before = join(dir, NAME);
  await cp(chart, before, { recursive: true });
  const file = join(before, 'Chart.yaml');
  await writeFile(file, (await readFile(file, 'utf8')).replace(/^version: .*$/m, 'version: 0.0.9'));
  return before;
}

async function podsOf(world: World): Promise<string[]> {
  return (await world.pods()).map(({ uid }) => uid).sort();
}

describe('by Helm', () => {
  test('the operator comes and goes, and no pod of a release is touched', async ({ world }) => {
    await install('install', await chartBefore());
    await world.apply(await web(world, '1.0.0'));
    await world.released('1.0.0');
    const asker = await startAsker(world, SERVICES);
    const pods = await podsOf(world);

    await install('upgrade');
    const test = await helm.run(['test', NAME, `--namespace=${NAMESPACE}`, '--timeout=2m']);
    expect(test).toMatch(/Phase:\s+Succeeded/);
    await helm.run(['uninstall', NAME, `--namespace=${NAMESPACE}`, '--wait']);
    await world.until('the end of the operator', async () => {
      return (await kubectl('get', 'pods', `--namespace=${NAMESPACE}`, '--output=name')) === '';
    });
    expect(await podsOf(world)).toEqual(pods);
    expect((await world.status()).version).toBe('1.0.0');

    await install('install');
    await world.conditionIs('Ready', 'True');
    // It works again, on what it found.
    await world.apply(await web(world, '1.0.0', { paused: true }));
    await world.conditionIs('Paused', 'True');
    expect(await podsOf(world)).toEqual(pods);
    await world.apply(await web(world, '2.0.0'));
    await world.released('2.0.0');
    expect(errorsOf(await asker.answers())).toEqual([]);
    await asker.stop();
  });
});
