// `make explain` says why nothing happens to a release.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { cluster, test } from './harness.ts';
import { pool, release } from './release-objects.ts';

const script = join(import.meta.dirname, '../../scripts/explain.ts');

function explain(...args: string[]): Promise<{ stdout: string }> {
  const env = { ...process.env, KUBECONFIG: cluster.kubeconfigPath };
  return promisify(execFile)(process.execPath, [script, ...args], { env });
}

test('the output says for each pool what it waits for', async ({ world }) => {
  const stages = [{ name: 'production', approval: 'Manual' as const, pools: [pool('prod-a', 2)] }];
  await world.apply(release(await world.image('1.0'), { stages }));
  await world.conditionIs('Ready', { reason: 'WaitingForApproval' });
  const { stdout } = await explain(`${world.namespace}/web`);
  expect(stdout).toContain(`${world.namespace}/web wants 1.0 (revision 1)`);
  expect(stdout).toMatch(
    /^ {2}production\/prod-a: serves nothing, 0 of 2 pods ready; .*waits for: a ReleasePromotion must admit version 1\.0/m,
  );
  expect(stdout).toMatch(/^The operator would do now\n {2}nothing$/m);
});

test('for an unknown name the output lists the known ones', async ({ world }) => {
  await world.apply(release(await world.image('1.0')));
  await expect(explain(`${world.namespace}/wbe`)).rejects.toThrow(
    new RegExp(`no AppRelease ${world.namespace}/wbe\\. There are: .*${world.namespace}/web`),
  );
  await expect(explain('web')).rejects.toThrow('make explain RELEASE=NAMESPACE/NAME');
});
