// Argo CD's own command runs the health checks and actions from argocd-cm, with the test data of the folder
// from which they are generated.
import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { ensureTool } from '../cluster/go-tool.ts';
import { execute } from '../kind/engine.ts';
import { argocd } from '../kind/tools.ts';
import { blockOf } from './gitops.ts';
import { e2e } from './world.ts';

const manifests = join(import.meta.dirname, '../../manifests/argocd');
const folder = join(manifests, 'resource_customizations');

/** The format of Argo CD's own tests for such folders. */
interface HealthTests {
  tests: { inputPath: string; healthStatus: { status: string; message: string } }[];
}
interface ActionTests {
  discoveryTests: { inputPath: string; result: { name: string; disabled: boolean }[] }[];
  actionTests: {
    action: string;
    inputPath: string;
    expectedOutputPath?: string;
    expectedErrorMessage?: string;
    parameters?: Record<string, string>;
  }[];
}

const binary = join(await ensureTool(argocd), 'argocd');
const healthTests = casesOf('**/health_test.yaml') as Cases<HealthTests>[];
const actionTests = casesOf('**/action_test.yaml') as Cases<ActionTests>[];

interface Cases<T> {
  kind: string;
  dir: string;
  cases: T;
}

function casesOf(pattern: string): Cases<unknown>[] {
  const paths = globSync(pattern, { cwd: folder }).sort();
  return paths.map((path) => ({
    kind: path.split('/')[1] ?? '',
    dir: join(folder, dirname(path)),
    cases: parse(readFileSync(join(folder, path), 'utf8')) as unknown,
  }));
}

/** `argocd admin settings resource-overrides`, with the generated settings. */
async function run(...args: string[]): Promise<string> {
  const settings = `--argocd-cm-path=${join(manifests, 'argocd-cm.yaml')}`;
  // The output shows the patched object. Argo CD leaves the compared files behind.
  const scratch = await mkdtemp(join(tmpdir(), 'argocd-'));
  const env = { KUBECTL_EXTERNAL_DIFF: `sh -c 'cat "$2"' diff`, TMPDIR: scratch };
  try {
    return await execute(binary, ['admin', 'settings', 'resource-overrides', ...args, settings], { env });
  } finally {
    await rm(scratch, { recursive: true });
  }
}

describe.for(healthTests)('the health of $kind', ({ dir, cases }) => {
  test.for(cases.tests)('$healthStatus.status: $inputPath', async ({ inputPath, healthStatus }) => {
    const { status, message } = healthStatus;
    expect(await run('health', join(dir, inputPath))).toBe(`STATUS: ${status}\nMESSAGE: ${message}\n`);
  });

  test('every file of test data is used', () => {
    const used = cases.tests.map(({ inputPath }) => inputPath);
    const files = globSync('testdata/*.yaml', { cwd: dir });
    expect(used.sort()).toEqual(files.sort());
  });
});

describe.for(actionTests)('the actions of $kind', ({ dir, cases }) => {
  test.for(cases.discoveryTests)('that can be run: $inputPath', async ({ inputPath, result }) => {
    const [, ...rows] = (await run('list-actions', join(dir, inputPath))).trimEnd().split('\n');
    const listed = rows.map((row) => row.split(/\s+/));
    expect(listed).toEqual(result.map(({ name, disabled }) => [name, String(disabled)]).sort());
  });

  test.for(cases.actionTests)('$action: $inputPath', async (action) => {
    const parameters = Object.entries(action.parameters ?? {}).map(([name, value]) => `--param=${name}=${value}`);
    const output = run('run-action', join(dir, action.inputPath), action.action, ...parameters);
    if (action.expectedOutputPath === undefined) {
      await expect(output).rejects.toThrow(action.expectedErrorMessage);
      return;
    }
    const expected: unknown = parse(await readFile(join(dir, action.expectedOutputPath), 'utf8'));
    // The text of Argo CD before the object.
    const object: unknown = parse((await output).replace(/^Following .*:\n/, ''));
    expect(object).toEqual(Array.isArray(expected) ? (expected as [Created])[0].unstructuredObj : expected);
  });
});

interface Created {
  unstructuredObj: object;
}

describe('the policy in docs/gitops.md', () => {
  test.for([
    ['on-call', 'rollback', 'Yes'],
    ['on-call', 'promote', 'No'],
    ['release-manager', 'promote', 'Yes'],
  ])('may %s %s: %s', async ([role, action, answer]) => {
    const scratch = await mkdtemp(join(tmpdir(), 'argocd-'));
    try {
      const policy = join(scratch, 'policy.csv');
      await writeFile(policy, blockOf('csv', 'role:on-call'));
      const what = [`role:${role}`, `action/apprelease.dev/AppRelease/${action}`, 'applications', 'default/shop'];
      const flags = [`--policy-file=${policy}`, `--kubeconfig=${e2e.cluster.kubeconfigPath}`];
      // The exit code is 1 if the answer is no.
      const args = ['-c', '"$@" || true', 'sh', binary, 'admin', 'settings', 'rbac', 'can', ...what, ...flags];
      expect((await execute('sh', args)).trim()).toBe(answer);
    } finally {
      await rm(scratch, { recursive: true });
    }
  });
});
