// The rights of the installed operator match its requests: compares the API server's audit log
// since its start with the roles of manifests/.
import { expect } from 'vitest';
import { ANNOTATION, API_VERSION } from '../../../src/api/meta.ts';
import { ROUTE_KINDS } from '../../../src/api/route.ts';
import { pool, type Spec } from '../../integration/release-objects.ts';
import { allowedRights, neededRights, parseAudit, withoutConflicts, type AuditEvent } from '../../cluster/audit.ts';
import { readAuditLog } from '../../kind/cluster.ts';
import { installGatewayApi, removeGatewayApi } from '../../cluster/gateway-api.ts';
import { NAMESPACE, OPERATOR } from '../operator.ts';
import { webOf } from '../releases.ts';
import { kubectl, test, type Behaviour, type World } from '../world.ts';

const CANARY = pool('canary-vms', 1);
const PRODUCTION = pool('prod-a', 2, { autoscaling: { minReplicas: 2, maxReplicas: 3 } });

test('every right of the operator is used, and none is missing', async ({ world }) => {
  // Requests during the deletion of this namespace are refused.
  await world.until('the end of what other tests left', async () => {
    const names = (await kubectl('get', 'namespaces', '--output=name')).trim().split('\n');
    return names.filter((name) => name.startsWith('namespace/e2e-')).length === 1;
  });
  const since = Date.now();
  try {
    // The operator fills its caches at the start, and creates the Lease if it is missing.
    await stopAll(world);
    await kubectl('delete', 'lease', 'apprelease-operator', OWN);
    await installGatewayApi((args) => kubectl(...args));
    await startAll();
    await world.create({
      apiVersion: API_VERSION,
      kind: 'VMPool',
      metadata: { name: world.namespace },
      spec: { nodeSelector: PRODUCTION.nodeSelector },
    });
    await everythingThereIsToDo(world);
    await kubectl('wait', `vmpool/${world.namespace}`, '--for=condition=Ready', '--timeout=60s');
    // Repeated events are counted at the end.
    await stopAll(world);
  } finally {
    await startAll();
    await kubectl('delete', 'vmpool', world.namespace, '--ignore-not-found');
    await removeGatewayApi((args) => kubectl(...args));
  }
  const events = await eventsSince(world, since);
  expect(events.filter(({ responseStatus }) => responseStatus?.code === 403)).toEqual([]);
  expect(events.filter(({ objectRef }) => objectRef === undefined)).toEqual([]);
  expect(withoutConflicts(neededRights(events))).toEqual(withoutConflicts(allowedRights()));
});

async function eventsSince(world: World, since: number): Promise<AuditEvent[]> {
  const events = parseAudit(await readAuditLog(world));
  return events.filter(({ requestReceivedTimestamp }) => Date.parse(requestReceivedTimestamp) >= since);
}

const OWN = `--namespace=${NAMESPACE}`;

async function stopAll(world: World): Promise<void> {
  await kubectl('scale', OPERATOR, OWN, '--replicas=0');
  await world.until('the end of the operator', async () => (await kubectl('get', 'pods', OWN, '--output=name')) === '');
}

async function startAll(): Promise<void> {
  await kubectl('scale', OPERATOR, OWN, '--replicas=2');
  await kubectl('rollout', 'status', OPERATOR, OWN, '--timeout=120s');
}

async function everythingThereIsToDo(world: World): Promise<void> {
  async function apply(
    version: string,
    pools = [CANARY, PRODUCTION],
    behaviour: Behaviour = 'serve',
    secrets = {},
    route?: Spec['route'],
  ) {
    const { image } = await world.images.push(version, behaviour);
    const spec = webOf(image, version, {
      stages: [{ name: 'all', prepull: true, pools }],
      rollback: { warmFor: '0s', drain: '0s' },
      disruption: { holdVMs: true },
      revisionHistoryLimit: 1,
      progressDeadlineSeconds: behaviour === 'serve' ? 60 : 10,
      ...(route && { route }),
    });
    Object.assign(spec.template.spec, secrets);
    await world.apply(spec);
  }
  async function release(version: string): Promise<void> {
    await apply(version);
    await world.released(version);
  }
  // Digests with the credentials of the service account, then of a pull secret.
  await release('1.0.0');
  await apply('1.1.0', undefined, 'serve', { imagePullSecrets: [{ name: 'there-is-none' }] });
  await world.released('1.1.0');

  // A person rolls back, and promotes again.
  await world.rollback('back');
  await world.kubectl('wait', 'releaserollback/back', '--for=condition=Complete', '--timeout=60s');
  await world.promote('again', { version: '1.1.0', stage: 'all' });
  await world.released('1.1.0');

  // The operator rolls back.
  await apply('1.2.0', undefined, 'unready');
  await world.conditionIs('RolledBack', 'True');

  // Somebody takes the name of the next revision, and changes the budget.
  await world.create({
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: { name: 'web-4' },
    revision: 1,
    data: {},
  });
  const budgets = await world.kubectl('get', 'poddisruptionbudgets', '--output=name');
  // The operator's apply does not name the annotation, so the operator reads the budget first.
  await world.kubectl('annotate', budgets.trim(), 'example.com/note=a foreign field');
  await putBack(world, budgets.trim(), '/spec/maxUnavailable', 2);

  // More versions than the history limit, one without its image on any VM, and one pool fewer.
  for (const version of ['1.3.0', `1.4.0-${world.namespace}`, '1.5.0']) await release(version);
  await world.until('fewer revisions', async () => {
    return !(await world.kubectl('get', 'controllerrevisions', '--output=name'))
      .split('\n')
      .some((name) => name.endsWith('/web-1'));
  });
  await apply('1.5.0', [CANARY]);
  await world.until('one pool', async () => !(await services(world)).includes('service/web-prod-a'));

  await routeOfEachKind(world, (route) => apply('1.5.0', [CANARY], 'serve', {}, route));

  // A repeated event is only counted.
  for (let round = 0; round < 2; round += 1) {
    await putBack(world, 'service/web-canary-vms', '/spec/ports/0/targetPort', 9999);
  }
}

/** A route of each kind, which somebody changes, then none. No gateway is needed. */
async function routeOfEachKind(world: World, apply: (route?: Spec['route']) => Promise<void>): Promise<void> {
  const routes = async () => (await world.kubectl('get', 'httproutes,grpcroutes', '--output=name')).trim();
  await world.kubectl('annotate', 'apprelease', 'web', `${ANNOTATION.routeRemoval}=force`);
  for (const kind of ROUTE_KINDS) {
    await apply({ kind, parentRefs: [{ name: 'public' }] });
    const route = `${kind.toLowerCase()}.gateway.networking.k8s.io/web`;
    await world.until(`only ${route}`, async () => (await routes()) === route);
    await putBack(world, route, '/spec/rules/0/backendRefs/0/weight', 7);
  }
  await apply();
  await world.until('no route', async () => (await routes()) === '');
}

async function services(world: World): Promise<string[]> {
  return (await world.kubectl('get', 'services', '--output=name')).split('\n');
}

/** Somebody changes a field of an object, and the operator reverts it. */
async function putBack(world: World, object: string, path: string, value: number): Promise<void> {
  const jsonpath = path
    .slice(1)
    .replaceAll('/', '.')
    .replaceAll(/\.(\d+)/g, '[$1]');
  const field = () => world.kubectl('get', object, `--output=jsonpath={.${jsonpath}}`);
  const before = await field();
  const patch = JSON.stringify([{ op: 'replace', path, value }]);
  await world.kubectl('patch', object, '--type=json', `--patch=${patch}`, '--field-manager=somebody');
  await world.until(`${path} as it was`, async () => (await field()) === before);
}
