// A real API server accepts the examples.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installCrds } from '../cluster/kubectl.ts';
import { ownCluster } from './own-cluster.ts';

const root = join(import.meta.dirname, '../..');
const examples = (await readdir(join(root, 'examples'))).sort();
const cluster = ownCluster();

beforeAll(async () => {
  await installCrds(cluster);
  await cluster.kubectl(['create', 'namespace', 'shop']);
});

afterAll(() => cluster.kubectl(['delete', 'namespace', 'shop', '--wait=true']));

/** Creates nothing; an unknown field is an error. */
function create(file: string, input = ''): Promise<string> {
  return cluster.kubectl(['create', '--dry-run=server', '--validate=strict', '--output=json', '-f', file], { input });
}

test('there are examples', () => {
  expect(examples).toEqual(['promotion.yaml', 'rollback.yaml', 'vm-pools.yaml', 'web.yaml', 'worker.yaml']);
});

test('the API server accepts examples/vm-pools.yaml', async () => {
  const file = join(root, 'examples/vm-pools.yaml');
  const output = await cluster.kubectl([
    'create',
    '--dry-run=server',
    '--validate=strict',
    '--output=name',
    '-f',
    file,
  ]);
  const names = ['canary-vms', 'prod-a', 'prod-b', 'prod-c'].map((name) => `vmpool.apprelease.dev/${name}`);
  expect(output.trim().split('\n')).toEqual(names);
});

test.each(examples.filter((name) => name !== 'vm-pools.yaml'))('the API server accepts examples/%s', async (name) => {
  const object = JSON.parse(await create(join(root, 'examples', name))) as { metadata: object };
  expect(object.metadata).toMatchObject({ namespace: 'shop' });
});

test.each(['promotion.yaml', 'rollback.yaml'])('the commented fields of examples/%s are valid too', async (name) => {
  const text = await readFile(join(root, 'examples', name), 'utf8');
  const input = text
    .replaceAll(/^ {2}# (\w+: .*?)( +#.*)?$/gm, '  $1')
    .replace(/requestedBy: .*/, 'requestedBy: admin');
  expect(Object.keys((JSON.parse(await create('-', input)) as { spec: object }).spec).length).toBeGreaterThan(4);
});
