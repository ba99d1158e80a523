// Docs/moving.md, from top to bottom: move to an AppRelease, switch by hand while the operator is down, leave again.
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { API_VERSION } from '../../src/api/meta.ts';
import { ENDPOINT_SLICES } from '../../src/controller/kinds/endpoint-slices.ts';
import type { KubeClient } from '../../src/kube/types.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { pushImage } from '../cluster/images.ts';
import { addNodes, standardPools } from '../cluster/nodes.ts';
import { waitFor } from '../cluster/processes.ts';
import { startRegistry } from '../cluster/registry.ts';
import type { ControlPlane, Registry } from '../cluster/types.ts';
import type { OperatorProcess } from './operator-process.ts';
import { installOperator, startOperatorProcess } from './operator-process.ts';
import { commandsOf, createRun, readPage, type Run } from './page.ts';
import { connectAs } from './release-operator.ts';
import { objectName } from '../../src/release/record/names.ts';

const page = await readPage('moving.md');
let cluster: ControlPlane;
let registry: Registry;
let kubeconfig: string;
let operator: OperatorProcess;
let admin: KubeClient;
let run: Run;

beforeAll(async () => {
  cluster = await startControlPlane();
  registry = await startRegistry();
  await addNodes(cluster, ...standardPools, { name: 'general', count: 2 });
  for (const tag of ['1.0.0', '1.1.0', '1.2.0']) await pushImage(registry, 'shop/web', tag);
  kubeconfig = await installOperator(cluster);
  admin = connectAs(cluster);
  const shell = createRun(cluster.dir, [dirname(cluster.binaries.kubectl)], { KUBECONFIG: cluster.kubeconfigPath });
  // Use the test's registry. Nobody has connections open that would have to be waited for.
  run = (script) =>
    shell(
      script
        .replaceAll('registry.example.com', registry.host)
        .replaceAll('sleep 30', 'sleep 3')
        .replace(/^ {2}stages:$/m, '  rollback: { drain: 3s }\n$&'),
    );
  await cluster.kubectl(['create', 'namespace', 'shop']);
  await startOperator();
}, 600_000);

afterAll(async () => {
  await operator.stop();
  await admin.close();
  await registry.stop();
  await cluster.stop();
});

async function startOperator(): Promise<void> {
  operator = await startOperatorProcess(cluster, {
    kubeconfig,
    flags: [`--insecure-registry=${registry.host}`],
  });
  await operator.says('leads');
}

function get(...args: string[]): Promise<string> {
  return run(`kubectl get --namespace shop ${args.join(' ')}`);
}

function selector(): Promise<string> {
  return get('service web', "--output jsonpath='{.spec.selector}'");
}

async function until(what: string, expected: string, seen: () => Promise<string>): Promise<void> {
  await waitFor(what, async () => (await seen()) === expected, { timeoutSeconds: 60 });
}

async function pods(): Promise<string[]> {
  return (await get('pods', "--output jsonpath='{.items[*].metadata.uid}'")).split(' ').toSorted();
}

/** Ready pods behind the Service. */
async function endpoints(): Promise<number> {
  const { items } = await admin.list(ENDPOINT_SLICES, { namespace: 'shop' });
  return items.flatMap(({ endpoints: all }) => all ?? []).filter(({ conditions }) => conditions?.ready).length;
}

/** The minimum number of ready pods behind the Service during the action. */
async function leastEndpoints(action: () => Promise<unknown>): Promise<number> {
  let least = await endpoints();
  let isOver = false;
  const done = action().finally(() => (isOver = true));
  // Awaited below.
  done.catch(() => undefined);
  const over = () => isOver;
  while (!over()) {
    least = Math.min(least, await endpoints());
    await sleep(20);
  }
  await done;
  return least;
}

async function runAll(heading: string): Promise<void> {
  for (const command of commandsOf(page, heading)) await run(command);
}

const IMAGES = "--output jsonpath='{.items[*].spec.containers[0].image}'";
const allowed = (name = 'web') =>
  get(`poddisruptionbudget ${name}`, "--output jsonpath='{.status.disruptionsAllowed}'");

const FIRST = objectName('web', 'prod-a', 1);

/** A selector in kubectl's output. */
function selects(track: string): string {
  return JSON.stringify({ 'apprelease.dev/release': 'web', 'apprelease.dev/track': track });
}

describe('moving', () => {
  beforeAll(async () => {
    const [, before = ''] = /^```yaml\n(.*?)^```$/ms.exec(page) ?? [];
    await run(`kubectl apply -f - <<'YAML'\n${before}YAML\nkubectl rollout status deployment/web --namespace shop`);
    await waitFor('endpoints', async () => (await endpoints()) === 3, { timeoutSeconds: 60 });
  });

  test('the Service has all of its pods throughout', async () => {
    await runAll('Before: what else selects these pods');
    expect(await leastEndpoints(() => runAll('Move'))).toBeGreaterThanOrEqual(3);
    expect(await selector()).toBe(selects('web-1'));
    expect(await get('deployments', '--output name')).toBe(`deployment.apps/${FIRST}\n`);
  }, 300_000);

  test('a client-side apply removes the selector, until the operator restores it', async () => {
    const [manifest = ''] = commandsOf(page, 'In Git');
    await operator.stop();
    await run(manifest.replace('apply --server-side --force-conflicts', 'apply'));
    expect(await selector()).toBe('');
    await startOperator();
    await until('the operator’s selector', selects('web-1'), selector);
  });

  test('versions roll out with a Service in Git that has no selector', async () => {
    const least = await leastEndpoints(() => runAll('In Git'));
    expect(least).toBeGreaterThanOrEqual(3);
    expect(await selector()).toBe(selects('web-2'));
    expect(await get('ingress web', "--output jsonpath='{.spec.rules[0].host}'")).toBe('shop.example.com');
    expect(await allowed()).toBe('1');
  }, 300_000);

  test('minAvailable counts the standby: all serving pods may be evicted at once', async () => {
    await run('kubectl create poddisruptionbudget counts --namespace shop --selector app=web --min-available 2');
    await until('the pods that it lets go', '4', () => allowed('counts'));
    expect(await endpoints()).toBe(3);
    await run('kubectl delete poddisruptionbudget counts --namespace shop');
  });

  test('the Service, and so a ServiceMonitor, does not select the standby', async () => {
    const { items } = await admin.list(ENDPOINT_SLICES, { namespace: 'shop' });
    const behind = items.flatMap(({ endpoints: all }) => all ?? []).map(({ targetRef }) => targetRef?.name);
    const revisions = (label: string) => `--selector app=web,apprelease.dev/revision=${label} --output name`;
    const current = (await get('pods', revisions('2'))).trim().split('\n');
    expect(behind.map((name) => `pod/${name ?? ''}`).toSorted()).toEqual(current.toSorted());
    // A PodMonitor scrapes these pods too.
    expect((await get('pods', revisions('1'))).trim().split('\n')).toHaveLength(3);
  });

  test('the operator reverts the selector of an old manifest, and the serving pods keep serving', async () => {
    const stale = `kubectl patch service web --namespace shop --patch '{"spec":{"selector":{"app":"web"}}}'`;
    expect(await leastEndpoints(() => run(stale))).toBeGreaterThanOrEqual(3);
    await until('the operator’s selector', selects('web-2'), selector);
  });
});

/** After the drain a standby has the size that the operator sets. */
const DRAIN = 's/drain: 3s/drain: 5m/';

test('an HPA stays with the Deployment of one version, and does not follow the next', async () => {
  const hpa = (script: string) => run(script.replaceAll('shop', 'hpa'));
  const replicas = (revision: number) => () =>
    hpa(
      `kubectl get deployment ${objectName('web', 'prod-a', revision)} --namespace shop --output jsonpath='{.spec.replicas}'`,
    );
  await hpa('kubectl create namespace shop');
  await run(
    `sed 's/namespace: shop/namespace: hpa/; s/web:1.1.0/web:1.0.0/; ${DRAIN}' apprelease.yaml | kubectl apply -f -`,
  );
  await hpa('kubectl wait --namespace shop apprelease/web --for=condition=Ready --timeout=60s');
  await hpa(`kubectl autoscale deployment ${FIRST} --namespace shop --min=4 --max=6 --cpu=80%`);
  await until('the scaled version', '4', replicas(1));
  await run(`sed 's/namespace: shop/namespace: hpa/; ${DRAIN}' apprelease.yaml | kubectl apply -f -`);
  await hpa(`kubectl wait --namespace shop apprelease/web --for=jsonpath='{.status.version}'=1.1.0 --timeout=60s`);
  await hpa('kubectl wait --namespace shop apprelease/web --for=condition=Ready --timeout=60s');
  const next = await replicas(2)();
  await hpa(`kubectl patch hpa ${FIRST} --namespace shop --patch '{"spec":{"minReplicas":5}}'`);
  await until('the scaled standby', '5', replicas(1));
  expect(await replicas(2)()).toBe(next);
  await hpa('kubectl delete namespace shop --wait=false');
}, 180_000);

test.each(['situations.md', 'troubleshooting.md'])(
  'the commands of docs/%s work on this release',
  async (name) => {
    const vmPool = {
      apiVersion: API_VERSION,
      kind: 'VMPool',
      metadata: { name: 'prod-a' },
      spec: { nodeSelector: { 'apprelease.dev/pool': 'prod-a' } },
    };
    await cluster.kubectl(['apply', '--filename=-'], { input: JSON.stringify(vmPool) });
    for (const command of commandsOf(await readPage(name))) await run(command.replaceAll('vm-1', 'prod-a-0'));
    await cluster.kubectl(['delete', 'vmpool', 'prod-a']);
  },
  120_000,
);

describe('with the operator down', () => {
  const [rollback = '', byHand = '', cold = ''] = commandsOf(page, 'With the operator down');

  test('a version that was only switched by hand counts as current, and is promoted from', async () => {
    await operator.stop();
    await run(byHand);
    expect(await selector()).toBe(selects('web-1'));
    await startOperator();
    await until('the wanted version', selects('web-2'), selector);
  }, 120_000);

  test('a switch by hand with a ReleaseRollback is kept', async () => {
    await operator.stop();
    await run(rollback);
    expect(await leastEndpoints(() => run(byHand))).toBeGreaterThanOrEqual(3);
    await startOperator();
    await run('kubectl wait --namespace shop apprelease/web --for=condition=RolledBack --timeout=60s');
    await run('kubectl wait --namespace shop releaserollback --all --for=condition=Complete --timeout=60s');
    expect(await selector()).toBe(selects('web-1'));
  }, 120_000);

  test('a version that no longer runs comes back by its image, then by the operator', async () => {
    await run(`sed -i.before 's/web:1.1.0/web:1.2.0/' apprelease.yaml && kubectl apply -f apprelease.yaml`);
    await until('the next version', selects('web-3'), selector);
    await run('kubectl wait --namespace shop apprelease/web --for=condition=Ready --timeout=60s');
    await operator.stop();
    await run(`kubectl delete deployment ${FIRST} --namespace shop --ignore-not-found`);
    await run(rollback);
    const least = await leastEndpoints(() => run(cold));
    expect(least).toBeGreaterThan(0);
    const images = async () => [...new Set((await get('pods', IMAGES)).split(' '))].join(' ');
    await waitFor('the old image alone', async () => /^\S+\/web:1\.0\.0@sha256:\w+$/.test(await images()), {
      timeoutSeconds: 60,
    });
    await startOperator();
    await until('the old version', selects('web-1'), selector);
    await until('the end of the changed one', `deployment.apps/${FIRST}\n`, () => get('deployments', '--output name'));
  }, 300_000);
});

describe('leaving', () => {
  const [orphan = '', rest = '', own = ''] = commandsOf(page, 'Leave AppRelease');

  test('an AppRelease that is created again takes over the remaining objects, without a restart', async () => {
    // Pods of the rolled-back version may still be terminating.
    await waitFor('the pods that serve alone', async () => (await pods()).length === 3, { timeoutSeconds: 60 });
    const before = await pods();
    await run(orphan);
    expect(await get('deployments', "--output jsonpath='{.items[*].metadata.ownerReferences}'")).toBe('');
    await run('kubectl delete releaserollbacks --namespace shop --all');
    await run(`sed -i.before 's/web:1.2.0/web:1.0.0/' apprelease.yaml && kubectl apply -f apprelease.yaml`);
    await run('kubectl wait --namespace shop apprelease/web --for=condition=Ready --timeout=60s');
    expect(await pods()).toEqual(before);
  }, 120_000);

  test('the remaining objects are a plain app, and another Deployment can replace it', async () => {
    await run(orphan);
    await run(rest);
    expect(await endpoints()).toBe(3);
    expect(await leastEndpoints(() => run(own))).toBeGreaterThanOrEqual(3);
    expect(await get('deployments', '--output name')).toBe('deployment.apps/shop-web\n');
    expect(await get('service web', '--show-labels --no-headers')).toMatch(/<none>\n$/);
    const adopt = "--output jsonpath='{.metadata.annotations.apprelease\\.dev/adopt}'";
    expect(await get('service web', adopt)).toBe('');
  }, 300_000);
});
