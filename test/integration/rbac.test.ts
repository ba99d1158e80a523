// The roles in manifests/ allow exactly the requests of the operator, by the API server's audit log and not by its own
// report.
import { readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ANNOTATION, API_VERSION } from '../../src/api/meta.ts';
import type { RouteKind } from '../../src/api/route.ts';
import { ROUTE_KINDS } from '../../src/api/route.ts';
import { APP_RELEASES, ROLLBACKS, VM_POOLS } from '../../src/controller/kinds/api-kinds.ts';
import { AUTOSCALERS } from '../../src/controller/kinds/autoscalers.ts';
import { BUDGETS } from '../../src/controller/kinds/budgets.ts';
import { REVISIONS } from '../../src/controller/kinds/revisions.ts';
import { GRPC_ROUTES, HTTP_ROUTES } from '../../src/controller/kinds/routes.ts';
import { SERVICES } from '../../src/controller/kinds/services.ts';
import { allowedRights, auditPolicy, neededRights, parseAudit, withoutConflicts } from '../cluster/audit.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { pushImage } from '../cluster/images.ts';
import { addNodes, standardPools } from '../cluster/nodes.ts';
import { installGatewayApi } from '../cluster/gateway-api.ts';
import { startRegistry } from '../cluster/registry.ts';
import type { ControlPlane, Registry } from '../cluster/types.ts';
import { installOperator, QUICK_LEASE, startOperatorProcess } from './operator-process.ts';
import { ownCluster } from './own-cluster.ts';
import type { ProcessWorld } from './process-world.ts';
import { createProcessWorld } from './process-world.ts';
import type { Spec } from './release-objects.ts';
import { pool, release, template } from './release-objects.ts';

let dir: string;
let cluster: ControlPlane;
let registry: Registry;

beforeAll(async () => {
  // It is removed with the cluster, however the test ends.
  dir = await mkdtemp(join(ownCluster().dir, 'rbac-'));
  await writeFile(join(dir, 'policy.json'), JSON.stringify(auditPolicy));
  const flags = [`--audit-policy-file=${join(dir, 'policy.json')}`, `--audit-log-path=${join(dir, 'audit.log')}`];
  cluster = await startControlPlane({ flags: { 'kube-apiserver': flags } });
  await addNodes(cluster, ...standardPools);
  await installGatewayApi((args) => cluster.kubectl([...args]));
  registry = await startRegistry();
});

afterAll(async () => {
  await registry.stop();
  await cluster.stop();
});

test('the roles allow exactly the requests of the operator', async () => {
  const kubeconfig = await installOperator(cluster);
  const world = await createProcessWorld(cluster);
  const flags = [`--insecure-registry=${registry.host}`, ...QUICK_LEASE];
  const operator = await startOperatorProcess(cluster, { kubeconfig, flags });
  try {
    await everythingThereIsToDo(world);
  } finally {
    expect(await operator.stop()).toBe(0);
    await world.end();
  }
  const events = parseAudit(readFileSync(join(dir, 'audit.log'), 'utf8'));
  expect(events.filter(({ responseStatus }) => responseStatus?.code === 403)).toEqual([]);
  expect(events.filter(({ objectRef }) => objectRef === undefined)).toEqual([]);
  expect(withoutConflicts(neededRights(events))).toEqual(withoutConflicts(allowedRights()));
}, 300_000);

/** Causes at least one of each request that the operator can send. */
async function everythingThereIsToDo(world: ProcessWorld): Promise<void> {
  const { admin, namespace } = world;
  const canary = pool('canary-vms', 1);
  const production = pool('prod-a', 2, { autoscaling: { minReplicas: 2, maxReplicas: 3 } });
  const version = async (tag: string, changes: Partial<Spec> = {}): Promise<Spec> => {
    const { image } = await pushImage(registry, 'shop/web', tag);
    return release(image, {
      stages: [{ name: 'all', prepull: true, pools: [canary, production] }],
      rollback: { warmFor: '0s', drain: '0s' },
      revisionHistoryLimit: 1,
      disruption: { holdVMs: true },
      ...changes,
    });
  };
  // Meanwhile the operator writes the status of VMPools.
  const spec = { ...(production.nodeSelector && { nodeSelector: production.nodeSelector }) };
  await admin.create(VM_POOLS, { apiVersion: API_VERSION, kind: 'VMPool', metadata: { name: namespace }, spec });

  // Create, with the credentials of the service account, then of a pull secret.
  await world.apply(await version('1.0'));
  await world.released('1.0');
  const second = await version('2.0');
  const withSecret = template(second.template.spec.containers[0]?.image ?? '');
  Object.assign(withSecret.spec, { imagePullSecrets: [{ name: 'there-is-none' }] });
  await world.apply({ ...second, template: withSecret });
  await world.released('2.0');

  // A person rolls back, and promotes again.
  await world.rollBack('back');
  await world.rolledBack('back');
  await world.promote('again', { version: '2.0', stage: 'all' });
  await world.released('2.0');

  // The operator rolls back.
  await world.apply(await version('3.0-never-ready', { progressDeadlineSeconds: 10 }));
  await world.until('rollback by the operator', async () => {
    const { items } = await admin.list(ROLLBACKS, { namespace });
    return items.some(({ metadata }) => metadata.name.startsWith('web-r'));
  });

  // Somebody takes the name of the next revision, and changes the budget.
  await admin.create(REVISIONS, {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: { name: 'web-4', namespace },
    revision: 1,
    data: {},
  });
  await putBudgetBack(world);

  // More versions than the history limit, and one pool fewer.
  for (const tag of ['4.0', '5.0', '6.0']) {
    await world.apply(await version(tag));
    await world.released(tag);
  }
  await world.until('fewer revisions', async () => {
    const { items } = await admin.list(REVISIONS, { namespace });
    return !items.some(({ metadata }) => metadata.name === 'web-1');
  });
  await world.apply(await version('6.0', { stages: [{ name: 'all', pools: [canary] }] }));
  await world.until('one pool', async () => (await admin.list(SERVICES, { namespace })).items.length === 1);
  await world.until('no autoscaler', async () => (await admin.list(AUTOSCALERS, { namespace })).items.length === 0);

  // A route of each kind, which is put back and removed.
  const annotations = { [ANNOTATION.routeRemoval]: 'force' };
  await admin.patch(
    APP_RELEASES,
    { namespace, name: 'web' },
    { type: 'merge', body: { metadata: { annotations } } },
    { fieldManager: 'somebody' },
  );
  const routed = (kind?: RouteKind) =>
    version('6.0', {
      stages: [{ name: 'all', pools: [canary] }],
      ...(kind && { route: { kind, parentRefs: [{ name: 'public' }], hostnames: ['shop.example.com'] } }),
    });
  for (const kind of ROUTE_KINDS) {
    await world.apply(await routed(kind));
    await putRouteBack(world, kind === 'HTTPRoute' ? HTTP_ROUTES : GRPC_ROUTES);
  }
  await world.apply(await routed());
  await world.until('no route', async () => (await admin.list(GRPC_ROUTES, { namespace })).items.length === 0);

  // A repeated event is only counted.
  for (let round = 0; round < 2; round += 1) await putBack(world);
}

/** Somebody changes a Service, and the operator reverts it. */
async function putBack({ admin, namespace, until }: ProcessWorld): Promise<void> {
  const key = { namespace, name: 'web-canary-vms' };
  const target = async () => (await admin.get(SERVICES, key)).spec.ports?.[0]?.targetPort;
  const before = await target();
  const operations = [{ op: 'replace' as const, path: '/spec/ports/0/targetPort', value: 9999 }];
  await admin.patch(SERVICES, key, { type: 'json', operations }, { fieldManager: 'somebody' });
  await until('the port as it was', async () => (await target()) === before);
}

/** Somebody changes the route, and the operator reverts it. */
async function putRouteBack({ admin, namespace, until }: ProcessWorld, resource: typeof HTTP_ROUTES): Promise<void> {
  const key = { namespace, name: 'web' };
  await until('the route', async () => (await admin.list(resource, { namespace })).items.length === 1);
  const hosts = async () => (await admin.get(resource, key)).spec?.hostnames?.join();
  // The operator's apply does not name the annotation, so the operator reads the route first.
  const body = {
    metadata: { annotations: { 'example.com/note': 'a foreign field' } },
    spec: { hostnames: ['other.example.com'] },
  };
  await admin.patch(resource, key, { type: 'merge', body }, { fieldManager: 'somebody' });
  await until('the host name as it was', async () => (await hosts()) === 'shop.example.com');
}

/** Somebody changes a PodDisruptionBudget, and the operator reverts it. */
async function putBudgetBack({ admin, namespace, until }: ProcessWorld): Promise<void> {
  const { items } = await admin.list(BUDGETS, { namespace });
  const key = { namespace, name: items[0]?.metadata.name ?? '' };
  const limit = async () => (await admin.get(BUDGETS, key)).spec.maxUnavailable;
  const before = await limit();
  const operations = [
    { op: 'replace' as const, path: '/spec/maxUnavailable', value: 2 },
    // The operator's apply does not name it, so the operator reads the budget first.
    { op: 'add' as const, path: '/metadata/annotations', value: { 'example.com/note': 'a foreign field' } },
  ];
  await admin.patch(BUDGETS, key, { type: 'json', operations }, { fieldManager: 'somebody' });
  await until('the budget as it was', async () => (await limit()) === before);
}
