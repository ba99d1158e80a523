// `make verify` fails if a generated file differs from the schemas.
import { execFile } from 'node:child_process';
import { appendFile, cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
let copy = '';

beforeEach(async () => {
  copy = await mkdtemp(join(tmpdir(), 'generate-test-'));
  for (const name of ['crds', 'charts', 'manifests', 'scripts', 'src', 'package.json']) {
    await cp(join(root, name), join(copy, name), { recursive: true });
  }
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
});

afterEach(() => rm(copy, { recursive: true }));

/** Output and exit status of the script. */
async function generate(...args: string[]): Promise<{ code: number; stderr: string }> {
  const script = join(copy, 'scripts/generate.ts');
  return promisify(execFile)(process.execPath, [script, ...args]).then(
    ({ stderr }) => ({ code: 0, stderr }),
    (error: unknown) => error as { code: number; stderr: string },
  );
}

it('names each file that differs, is missing or has no kind; generating fixes them', { timeout: 60_000 }, async () => {
  await generate();
  expect(await generate('--check')).toEqual({ code: 0, stderr: '' });

  const schema = join(copy, 'src/api/app-release.ts');
  const text = await readFile(schema, 'utf8');
  await writeFile(
    schema,
    text.replace('Stops promotions, but no rollback and no move to other VMs.', 'Another description.'),
  );
  await rm(join(copy, 'crds/apprelease.dev_releaserollbacks.yaml'));
  await appendFile(join(copy, 'crds/left-over.yaml'), 'kind: Nothing\n');
  const values = join(copy, 'charts/apprelease-operator/values.yaml');
  await writeFile(values, (await readFile(values, 'utf8')).replace('workers: 16', 'workers: 17'));
  const { code, stderr } = await generate('--check');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^crds\/apprelease\.dev_appreleases\.yaml is not .*line \d+ should be .*Another description/m);
  expect(stderr).toMatch(/^docs\/reference\.md is not .*Another description/m);
  expect(stderr).toMatch(/^crds\/apprelease\.dev_releaserollbacks\.yaml is not .*the file is missing$/m);
  expect(stderr).toMatch(/^crds\/left-over\.yaml is not .*no kind generates this file$/m);
  expect(stderr).toMatch(/^charts\/apprelease-operator\/README\.md is not .*`workers` +\| `17`/m);
  expect(stderr).toContain('make generate');

  await generate();
  expect((await generate('--check')).code).toBe(0);
});
