// Objects of a release are equal after an apply and a read, however the API server stores unusual valid specs. The same for a
// dry run. DRIFT_CASES=500 sets the number of cases, DRIFT_SEED repeats those of an earlier run.
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Autoscaling, PodTemplate } from '../../src/api/app-release.ts';
import { FIELD_MANAGER } from '../../src/api/meta.ts';
import { AUTOSCALERS } from '../../src/controller/kinds/autoscalers.ts';
import { BUDGETS } from '../../src/controller/kinds/budgets.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { SERVICES } from '../../src/controller/kinds/services.ts';
import { formOf, keptOf } from '../../src/controller/release/stored-forms.ts';
import { isInvalid } from '../../src/kube/errors.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import { withoutNulls } from '../../src/lib/json.ts';
import { makeAutoscaler } from '../../src/release/pools/autoscaler.ts';
import { makeBudget } from '../../src/release/pools/disruption-budget.ts';
import { desiredHash, driftOf, objectKey } from '../../src/release/state/drift.ts';
import type { DesiredObject } from '../../src/release/record/kube-objects.ts';
import { makeDeployment, makeService } from '../../src/release/record/desired.ts';
import { placementOf, topologyOf } from '../../src/release/record/revision.ts';
import { observed, revision, spec } from '../../src/release/testing.ts';
import { admin } from './harness.ts';
import { podTemplates } from './pod-templates.ts';

const CASES = Number(process.env['DRIFT_CASES'] ?? 12);
const SEED = process.env['DRIFT_SEED'];
const NAMESPACES: Resource = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false };

const namespace = `stored-${randomBytes(4).toString('hex')}`;
const owner = { name: 'web', namespace, uid: '9d4c3f5e-0000-4000-8000-000000000000' };
const { memory } = observed();

const CONFIG_MAPS: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
/** An owner instead of the AppRelease, because objects without an existing owner are collected. */
const owners: { apiVersion: string; kind: string; name: string; uid: string }[] = [];

beforeAll(async () => {
  await admin.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const [apiVersion, kind, name] = ['v1', 'ConfigMap', owner.name];
  const { metadata } = await admin.create(CONFIG_MAPS, { apiVersion, kind, metadata: { name, namespace } });
  owners.push({ apiVersion, kind, name, uid: metadata.uid });
});

afterAll(async () => {
  await admin.delete(NAMESPACES, { name: namespace });
});

/** Nobody else writes, so the live object must equal the answers. */
async function isHeld(resource: Resource, made: DesiredObject): Promise<void> {
  const desired = { ...made, metadata: { ...made.metadata, ownerReferences: owners } };
  const apply = (dryRun: boolean) =>
    admin.apply(resource, desired, { fieldManager: FIELD_MANAGER, force: true, dryRun });
  const answer = await apply(true).catch((error: unknown) => {
    // Two valid fields may contradict each other; such a spec is invalid.
    if (isInvalid(error)) fc.pre(false);
    throw error;
  });
  const asked = formOf(desired, answer);
  const form = formOf(desired, await apply(false));
  expect(asked.values).toBe(form.values);
  // Others may change status and scale.
  const body = { metadata: { labels: { theirs: 'x' } }, ...(resource === DEPLOYMENTS && { spec: { replicas: 1 } }) };
  const key = { namespace, name: desired.metadata.name };
  await admin.patch(resource, key, { type: 'merge', body });
  const live: KubeObject = await admin.get(resource, key);
  const stored = new Map([[objectKey(desired), { hash: desiredHash(desired), form, held: true }]]);
  const unscaled = { ...desired, spec: { ...(desired.spec as object), replicas: undefined } };
  expect(driftOf({ ...memory, stored }, unscaled, keptOf(desired, live as never))).toBe('None');
  expect(formOf(desired, await apply(true)).values).toBe(form.values);
  await admin.delete(resource, key, { propagationPolicy: 'Background' });
}

async function always<T>(arbitrary: fc.Arbitrary<T>, resource: Resource, make: (value: T) => DesiredObject) {
  const options = { numRuns: CASES, ...(SEED !== undefined && { seed: Number(SEED) }) };
  await fc.assert(
    fc.asyncProperty(arbitrary, (value) => isHeld(resource, make(value))),
    options,
  );
}

let count = 0;

function identityOf(wanted: ReturnType<typeof spec>) {
  count += 1;
  const pool = wanted.stages[0]?.pools[0];
  if (!pool) throw new Error('no pool');
  return { pool: `p${count}`, revision: revision(1, wanted), placement: placementOf(pool), key: 'key' };
}

const pools = fc.constantFrom<object>(
  { nodeSelector: { pool: 'a' } },
  { nodeSelector: { pool: 'a' }, tolerations: [] },
  { nodeSelector: {}, tolerations: [{ key: 'pool', operator: 'Equal', value: '' }] },
);

describe.concurrent('applied and read back is equal', { timeout: 60_000 + CASES * 3000 }, () => {
  test('a Deployment', async () => {
    const wanted = fc.record({
      template: podTemplates,
      pool: pools,
      minReadySeconds: fc.constantFrom(0, 5),
      strategy: fc.constantFrom<object>(
        { type: 'BlueGreen' },
        { type: 'RollingUpdate', maxSurge: 1, maxUnavailable: 0 },
        { type: 'RollingUpdate', maxSurge: '0%', maxUnavailable: '100%' },
      ),
    });
    await always<{ template: PodTemplate; pool: object; minReadySeconds: number; strategy: object }>(
      wanted,
      DEPLOYMENTS,
      ({ pool, ...more }) => {
        const stages = [{ name: 's', pools: [{ name: 'a', replicas: 0, ...pool }] }];
        const given = spec(withoutNulls({ ...more, stages }));
        const identity = { ...identityOf(given), strategy: given.strategy.type };
        return makeDeployment({ owner, identity, track: 'web', replicas: 0, topology: topologyOf(given) });
      },
    );
  });

  test('a Service', async () => {
    const port = fc.record(
      {
        targetPort: fc.constantFrom(8080, 'http'),
        protocol: fc.constantFrom('TCP', 'UDP'),
        appProtocol: fc.constant('http'),
      },
      { requiredKeys: [] },
    );
    const service = fc.record(
      {
        ports: fc
          .array(port, { minLength: 1, maxLength: 3 })
          .map((ports) => ports.map((own, index) => ({ name: `p${index}`, port: 80 + index, ...own }))),
        type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer'),
        metadata: fc.constantFrom({}, { labels: {}, annotations: { 'example.com/empty': '' } }),
        sessionAffinity: fc.constantFrom('None', 'ClientIP'),
        trafficDistribution: fc.constant('PreferClose'),
      },
      { requiredKeys: ['ports'] },
    );
    await always<object>(service, SERVICES, (given) => {
      const wanted = spec({ service: given });
      const { pool, revision: of } = identityOf(wanted);
      const template = wanted.service;
      if (!template) throw new Error('no service');
      const name = `web-${pool}`;
      return makeService({ owner, name, pools: [pool], track: 'web', revision: of, template, annotations: {} });
    });
  });

  test('a PodDisruptionBudget', async () => {
    await always(fc.constantFrom(0, 1, '0%', '25%', '100%'), BUDGETS, (maxUnavailable) => {
      const wanted = spec({ disruption: { maxUnavailable } });
      const { pool } = identityOf(wanted);
      return makeBudget({ owner, topology: topologyOf(wanted) }, { name: `web-${pool}`, pool });
    });
  });

  test('a HorizontalPodAutoscaler', async () => {
    const target = fc.constantFrom<object>(
      { type: 'AverageValue', averageValue: '1000m' },
      { type: 'AverageValue', averageValue: '0.5' },
      { type: 'Value', value: '2000m' },
    );
    const metric = fc.oneof(
      fc.constant({
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 7 } },
      }),
      target.map((own) => ({ type: 'External', external: { metric: { name: 'queue', selector: {} }, target: own } })),
    );
    const autoscaling = fc.record(
      {
        minReplicas: fc.constantFrom(1, 2),
        maxReplicas: fc.constant(5),
        metrics: fc.array(metric, { maxLength: 2 }),
        behavior: fc.constantFrom<object>(
          {},
          { scaleDown: { stabilizationWindowSeconds: 0 } },
          {
            scaleUp: { selectPolicy: 'Max', policies: [{ type: 'Pods', value: 1, periodSeconds: 15 }] },
            scaleDown: null,
          },
        ),
      },
      { requiredKeys: ['minReplicas', 'maxReplicas'] },
    );
    await always(autoscaling, AUTOSCALERS, (given) => {
      count += 1;
      return makeAutoscaler({
        owner,
        name: `web-p${count}`,
        pool: `p${count}`,
        autoscaling: given as Autoscaling,
        target: 'web',
        topology: {},
      });
    });
  });
});
