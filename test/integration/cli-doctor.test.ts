// kubectl apprelease doctor and version, against an installation.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LEASES } from '../../src/kube/lease.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { addNodes } from '../cluster/nodes.ts';
import type { ControlPlane } from '../cluster/types.ts';
import type { CliAnswer } from './cli.ts';
import { apprelease } from './cli.ts';
import { connectAs } from './release-operator.ts';

const root = join(import.meta.dirname, '../..');
/** Of its own, since an operator with its policies is installed. */
let cluster: ControlPlane;
beforeAll(async () => {
  cluster = await startControlPlane();
  await addNodes(cluster, { name: 'system', count: 2 });
});
afterAll(async () => {
  await cluster.stop();
});

function run(...args: string[]): Promise<CliAnswer> {
  return apprelease(args, { env: { KUBECONFIG: cluster.kubeconfigPath } });
}

const key = { namespace: 'apprelease-system', name: 'apprelease-operator' };

test('the doctor names what is missing, and then that all is well', async () => {
  const before = await run('doctor');
  expect(before).toMatchObject({ code: 1, err: '' });
  expect(before.out).toMatch(/^Operator +bad +no Deployment has the label/m);

  await cluster.kubectl(['apply', '--server-side', '-k', join(root, 'crds')]);
  await cluster.kubectl(['apply', '-k', join(root, 'manifests')]);
  await cluster.kubectl([
    'wait',
    '--for=condition=Available',
    '--timeout=60s',
    '-n',
    key.namespace,
    `deployment/${key.name}`,
  ]);
  const renewTime = new Date().toISOString().replace('Z', '000Z');
  const lease = { apiVersion: LEASES.apiVersion, kind: LEASES.kind, metadata: key };
  const admin = connectAs(cluster);
  await admin.create(LEASES, { ...lease, spec: { holderIdentity: 'operator-1', leaseDurationSeconds: 15, renewTime } });
  await admin.close();

  const after = await run('doctor');
  expect(after.out).toMatch(/^Kinds +ok +4 CRDs, as this plugin knows them$/m);
  expect(after.out).toMatch(/^Operator +ok +apprelease-system\/apprelease-operator has 2 of 2 ready pods/m);
  expect(after.out).toMatch(/^Leader +ok +operator-1 leads$/m);
  expect(after.out).toMatch(/^Policies +ok +4 policies are in force$/m);
  expect(after).toMatchObject({ code: 0, err: '' });
});

test('who may read nothing is told so', async () => {
  const { code, out, err } = await run('doctor', '--as', 'jane');
  expect(code).toBe(0);
  expect(out.match(/ unknown /g)).toHaveLength(5);
  expect(err).toMatch(/^not shown: the operator \(Error from server \(Forbidden\): .*jane/m);
});

test('versions', async () => {
  expect((await run('version', '--client', '--kubeconfig', '/missing')).out).toMatch(/^Plugin: \d+\.\d+\.\d+\n$/);
  const { out } = await run('version');
  expect(out).toMatch(
    /^Operator: apprelease\/operator\S* \(apprelease-system\/apprelease-operator\)\nKubernetes: v1\.\d+/m,
  );
});
