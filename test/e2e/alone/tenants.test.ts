// Only tenants get onto a pool's VMs, with the real scheduler and real kubelets.
import { randomBytes } from 'node:crypto';
import { expect, onTestFinished } from 'vitest';
import { API_VERSION } from '../../../src/api/meta.ts';
import { POOL_LABEL } from '../../kind/cluster.ts';
import { onePool, web, webOf } from '../releases.ts';
import { kubectl, send, test, type World } from '../world.ts';
import { makeVmPools, namesOf, placeOf } from '../vms.ts';

const { nodeSelector, tolerations } = placeOf('prod-a');
const EVERY_TAINT = { tolerations: [{ operator: 'Exists' }] };

/** Commands in the namespace of the guest, or of the tenant. */
interface Place {
  readonly namespace: string;
  readonly image: string;
}

function podSpec({ image }: Place, fields: object): object {
  return { terminationGracePeriodSeconds: 1, containers: [{ name: 'guest', image }], ...fields };
}

function createPod(place: Place, name: string, fields: object): Promise<string> {
  const { namespace } = place;
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace }, spec: podSpec(place, fields) };
  return send(['create', '--filename=-'], pod);
}

function createWorkload(place: Place, kind: 'DaemonSet' | 'Deployment', fields: object): Promise<string> {
  const labels = { app: kind.toLowerCase() };
  return send(['create', '--filename=-'], {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: labels.app, namespace: place.namespace },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: podSpec(place, fields) } },
  });
}

/** A separate namespace that is no tenant. */
async function makeGuest(world: World): Promise<Place> {
  const namespace = `e2e-guest-${randomBytes(4).toString('hex')}`;
  await kubectl('create', 'namespace', namespace);
  onTestFinished(async () => {
    await kubectl('delete', 'namespace', namespace, '--wait=false');
  });
  return { namespace, image: await world.image('0.0.1') };
}

/** Namespaces of the pods on VMs. */
async function namespacesOn(nodes: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    nodes.map((node) =>
      kubectl(
        'get',
        'pods',
        '--all-namespaces',
        `--field-selector=spec.nodeName=${node}`,
        '--output=jsonpath={.items[*].metadata.namespace}',
      ),
    ),
  );
  return found.flatMap((names) => names.split(' '));
}

/** Waits until admission knows the VMPools, which it gets by a watch. */
async function untilClosed(world: World, guest: Place): Promise<void> {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'first', namespace: guest.namespace },
    spec: podSpec(guest, { nodeSelector }),
  };
  await world.until('a refusal', () =>
    send(['create', '--dry-run=server', '--filename=-'], pod).then(
      () => false,
      (error: unknown) => String(error).includes('VMPool prod-a is closed'),
    ),
  );
}

async function kubeProxies(node: string): Promise<string[]> {
  const selectors = ['--selector=k8s-app=kube-proxy', `--field-selector=spec.nodeName=${node},status.phase=Running`];
  const names = await kubectl('get', 'pods', '--namespace=kube-system', ...selectors, '--output=name');
  return names.split('\n').filter((name) => name !== '');
}

test('a pool admits only its tenants, and system agents keep running', async ({ world }) => {
  const guest = await makeGuest(world);
  await makeVmPools(onTestFinished, { 'prod-a': { tenants: { namespaces: [world.namespace] } } });
  await untilClosed(world, guest);
  const vms = await namesOf('prod-a');
  const [vm = ''] = vms;
  const closed = `VMPool prod-a is closed to namespace ${guest.namespace}: `;

  const ways: [string, object, string][] = [
    ['named', { nodeName: vm }, 'spec.nodeName bypasses the scheduler'],
    ['named-tolerant', { nodeName: vm, ...EVERY_TAINT }, 'a toleration of every key'],
    ['selected', { nodeSelector, tolerations }, `its label ${POOL_LABEL} is selected`],
    ['tolerant', EVERY_TAINT, 'a toleration of every key'],
    ['hostname', { nodeSelector: { 'kubernetes.io/hostname': vm }, tolerations }, `the toleration of ${POOL_LABEL}`],
  ];
  for (const [name, fields, why] of ways) {
    await expect(createPod(guest, name, fields), name).rejects.toThrow(new RegExp(`${closed}.*${why}`));
  }
  await expect(createWorkload(guest, 'DaemonSet', EVERY_TAINT)).rejects.toThrow(closed);
  // The controller is admitted, but its pods are not.
  await createWorkload(guest, 'Deployment', { nodeSelector, tolerations });
  await world.until('the refusal of its pods', async () => {
    const own = [`--namespace=${guest.namespace}`, '--field-selector=reason=FailedCreate'];
    return (await kubectl('get', 'events', ...own, '--output=jsonpath={.items[*].message}')).includes(closed);
  });
  // A pod that selects no VM is admitted, and the taint keeps it away.
  await createPod(guest, 'anywhere', {});
  const own = `--namespace=${guest.namespace}`;
  await kubectl('wait', 'pod/anywhere', own, '--for=condition=PodScheduled=false', '--timeout=60s');
  await createPod(guest, 'by-hostname', { nodeSelector: { 'kubernetes.io/hostname': vm } });
  await kubectl('wait', 'pod/by-hostname', own, '--for=condition=PodScheduled=false', '--timeout=60s');

  const tenant = { namespace: world.namespace, image: guest.image };
  await createPod(tenant, 'own', { nodeSelector, tolerations });
  await createWorkload(tenant, 'DaemonSet', { nodeSelector, tolerations });
  await world.kubectl('wait', 'pod/own', '--for=condition=Ready', '--timeout=60s');
  await world.kubectl('rollout', 'status', 'daemonset/daemonset', '--timeout=60s');
  expect((await namespacesOn(vms)).filter((name) => name === world.namespace)).toHaveLength(1 + vms.length);

  const [before = ''] = await kubeProxies(vm);
  await kubectl('delete', '--namespace=kube-system', before);
  await world.until('another kube-proxy', async () => {
    const [after] = await kubeProxies(vm);
    return after !== undefined && after !== before;
  });
  expect(await namespacesOn(vms)).not.toContain(guest.namespace);
});

test('an AppRelease on the pool of another tenant is refused, and the tenant’s own is released', async ({ world }) => {
  const guest = await makeGuest(world);
  await makeVmPools(onTestFinished, { 'prod-a': { tenants: { namespaces: [world.namespace] } } });
  await untilClosed(world, guest);
  const byName = onePool({ name: 'prod-a', replicas: 1 });
  const byLabel = onePool({ name: 'mine', replicas: 1, nodeSelector });
  for (const stages of [byName, byLabel]) {
    const release = {
      apiVersion: API_VERSION,
      kind: 'AppRelease',
      metadata: { name: 'web', namespace: guest.namespace },
      spec: webOf(guest.image, '0.0.1', stages),
    };
    await expect(send(['create', '--filename=-'], release)).rejects.toThrow(
      new RegExp(
        `VMPool prod-a is closed to namespace ${guest.namespace}: spec.stages of the AppRelease uses it.*have namespace ${guest.namespace} added to spec.tenants of VMPool prod-a`,
      ),
    );
  }
  const stages = [{ name: 'production', prepull: true, pools: [{ name: 'prod-a', replicas: 2 }] }];
  await world.apply(await web(world, '1.0.0', { stages }));
  await world.released('1.0.0');
  const vms = await namesOf('prod-a');
  for (const { node } of await world.pods()) expect(vms).toContain(node);
  expect(await kubectl('get', 'vmpool', 'prod-a', '--no-headers')).toContain(world.namespace);
});
