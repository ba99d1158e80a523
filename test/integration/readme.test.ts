// Runs the README's commands one after the other, as a reader would, in a copy of this folder.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { setTheStage, type DemoStage } from '../demo/setup.ts';

const root = join(import.meta.dirname, '../..');
const readme = await readFile(join(root, 'README.md'), 'utf8');
const commands = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = '']) => text);
const ending = new AsyncDisposableStack();
let stage: DemoStage;

beforeAll(async () => {
  stage = await setTheStage(['1.0.0', '1.1.0'], ending);
  for (const folder of ['crds', 'manifests'])
    await cp(join(root, folder), join(stage.checkout, folder), { recursive: true });
  await mkdir(join(stage.checkout, 'examples'), { recursive: true });
}, 300_000);

afterAll(() => ending.disposeAsync());

function run(script: string): Promise<{ stdout: string; stderr: string }> {
  const { kubeconfigPath, binaries } = stage;
  const env = {
    ...process.env,
    KUBECONFIG: kubeconfigPath,
    PATH: `${dirname(binaries.kubectl)}:${process.env['PATH'] ?? ''}`,
  };
  return promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: stage.checkout,
    env,
    timeout: 300_000,
  });
}

test('the AppRelease in the README is the example', async () => {
  const [, shown] = /<!-- examples\/web.yaml -->\n+```yaml\n(.*?)^```$/ms.exec(readme) ?? [];
  expect(shown).toBe(await readFile(join(root, 'examples/web.yaml'), 'utf8'));
});

test('every command of the README works, in its order', async () => {
  // The images are in the test's own registry, and the test does not wait ten minutes for the canary.
  const { stdout: example } = await run('kubectl kustomize .');
  const patient = example.replace(/progressDeadlineSeconds: \d+/, 'progressDeadlineSeconds: 120');
  await writeFile(join(stage.checkout, 'examples/web.yaml'), patient);
  // Left by a failed attempt.
  await run('kubectl delete namespace shop --ignore-not-found');
  expect(commands.length).toBeGreaterThan(5);
  for (const command of commands) await run(command);
  const { stdout } = await run(
    'kubectl get releaserollbacks --namespace shop --output jsonpath=\'{.items[*].status.conditions[?(@.type=="Accepted")].reason}\'',
  );
  expect(stdout).toBe('Accepted');
}, 300_000);

test('every target and file that the README names exists', async () => {
  const makefile = await readFile(join(root, 'Makefile'), 'utf8');
  const targets = [...readme.matchAll(/(?:`|^)make ([a-z0-9-]+)/gm)].map(([, target = '']) => target);
  for (const target of targets) expect(makefile).toMatch(new RegExp(`^${target}:.* ## `, 'm'));
  const files = [...readme.matchAll(/\]\(([\w./-]+)\)/g)].map(([, file = '']) => file);
  for (const file of files) expect(existsSync(join(root, file)), file).toBe(true);
});
