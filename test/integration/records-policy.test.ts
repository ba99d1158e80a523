// The records of versions are not deleted by hand: the policy of manifests/ on a real API server, without an operator.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { API_VERSION } from '../../src/api/meta.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { installCrds } from '../cluster/kubectl.ts';
import type { ControlPlane } from '../cluster/types.ts';
import { commandsOf, readPage } from './page.ts';
import { release } from './release-objects.ts';

const root = join(import.meta.dirname, '../..');
const OPERATOR = 'system:serviceaccount:apprelease-system:apprelease-operator';

let cluster: ControlPlane;

beforeAll(async () => {
  cluster = await startControlPlane();
  await installCrds(cluster);
  await cluster.kubectl(['apply', '-k', join(root, 'manifests/policies')]);
  const role = ['--verb=get,list,delete', '--resource=controllerrevisions'];
  await cluster.kubectl(['create', 'clusterrole', 'operator', ...role]);
  await cluster.kubectl(['create', 'clusterrolebinding', 'operator', '--clusterrole=operator', `--user=${OPERATOR}`]);
  await createRelease('shop');
  await until(async () => {
    expect(await refusal('web-1', '--dry-run=server')).toContain('web-1');
  });
}, 300_000);

afterAll(() => cluster.stop());

function until(check: () => Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 60_000, interval: 200 });
}

async function create(object: object): Promise<void> {
  await cluster.kubectl(['create', '--filename=-'], { input: JSON.stringify(object) });
}

/** A release in a new namespace, with the records web-1 and web-2, and a record without an owner. */
async function createRelease(namespace: string): Promise<void> {
  await cluster.kubectl(['create', 'namespace', namespace]);
  const spec = release('registry.example.com/shop/web:1.0');
  await create({ apiVersion: API_VERSION, kind: 'AppRelease', metadata: { name: 'web', namespace }, spec });
  const output = '--output=jsonpath={.metadata.uid}';
  const uid = await cluster.kubectl(['get', 'apprelease', 'web', `--namespace=${namespace}`, output]);
  const owner = { apiVersion: API_VERSION, kind: 'AppRelease', name: 'web', uid, controller: true };
  for (const [name, ownerReferences] of [
    ['web-1', [owner]],
    ['web-2', [owner]],
    ['left-1', []],
  ] as const) {
    const metadata = { name, namespace, ownerReferences };
    await create({ apiVersion: 'apps/v1', kind: 'ControllerRevision', metadata, revision: 1, data: {} });
  }
}

/** Why a deletion in the namespace shop is refused; empty if it is accepted. */
async function refusal(...which: string[]): Promise<string> {
  return cluster.kubectl(['delete', 'controllerrevisions', '--namespace=shop', ...which]).then(
    () => '',
    (error: unknown) => (error as Error).message,
  );
}

async function records(namespace: string): Promise<string[]> {
  const output = '--output=jsonpath={.items[*].metadata.name}';
  const names = await cluster.kubectl(['get', 'controllerrevisions', `--namespace=${namespace}`, output]);
  return names.split(' ').filter((name) => name !== '');
}

test('an administrator deletes no record of a release, alone or with all others', async () => {
  expect(await refusal('web-1')).toContain(
    'ControllerRevision web-1 is a record of an AppRelease: without it the operator cannot roll back to that version',
  );
  expect(await refusal('--all')).toContain('ControllerRevision web-1 is a record of an AppRelease');
  expect(await records('shop')).toEqual(expect.arrayContaining(['web-1', 'web-2']));
});

describe('a record is deleted', () => {
  test('by the operator, and by the command of docs/restore.md, which acts as the operator', async () => {
    const [command = ''] = commandsOf(await readPage('restore.md'), 'If a record was deleted');
    expect(command).toContain(`--as=${OPERATOR}`);
    await cluster.kubectl(command.trim().split(' ').slice(1));
    expect(await records('shop')).not.toContain('web-2');
  });

  test('by an administrator, if no release owns it', async () => {
    await createRelease('orphans');
    await cluster.kubectl(['delete', 'controllerrevision', 'left-1', '--namespace=orphans']);
    expect(await records('orphans')).toEqual(['web-1', 'web-2']);
  });

  test('with its release', async () => {
    await createRelease('ended');
    await cluster.kubectl(['delete', 'apprelease', 'web', '--namespace=ended']);
    await until(async () => {
      expect(await records('ended')).toEqual(['left-1']);
    });
  });

  test('with its namespace', async () => {
    await createRelease('old');
    await cluster.kubectl(['delete', 'namespace', 'old', '--wait=true', '--timeout=60s']);
    expect(await records('old')).toEqual([]);
  });
});
