// The commands of the kubectl plugin that show something.
import { expect } from 'vitest';
import { apprelease } from './cli.ts';
import { test } from './harness.ts';
import { pool, release } from './release-objects.ts';

const STAGES = [
  { name: 'canary', pools: [pool('canary-vms', 1)] },
  { name: 'production', approval: 'Manual' as const, pools: [pool('prod-a', 2)] },
];

test('list and get show what each part of a release waits for', async ({ world }) => {
  const n = ['-n', world.namespace];
  expect(await apprelease(['list', ...n])).toMatchObject({
    code: 0,
    out: '',
    err: expect.stringMatching(/^No releases found in namespace/) as string,
  });
  await world.apply(release(await world.image('1.0'), { stages: STAGES }));
  await world.conditionIs('Ready', { reason: 'WaitingForApproval' });

  const list = await apprelease(['list', ...n]);
  expect(list.err).toBe('');
  expect(list.out).toMatch(
    /^NAME +VERSION +STATE +STAGE +POOLS +AGE\nweb +1\.0 +WaitingForApproval +canary +1\/2 +\d+s\n$/,
  );
  const wide = await apprelease(['list', '-A', '-o', 'wide']);
  expect(wide.out).toMatch(new RegExp(`^${world.namespace} +web +1\\.0 .*a ReleasePromotion must admit`, 'm'));
  expect((await apprelease(['list', ...n, '-o', 'name'])).out).toBe('apprelease.apprelease.dev/web\n');

  const tree = await apprelease(['get', 'web', ...n]);
  expect(tree.err).toBe('');
  expect(tree.out).toMatch(/^State: +WaitingForApproval: /m);
  expect(tree.out).toMatch(
    /^stage canary\n└─ pool canary-vms {2}serves 1\.0 {2}1\/1 ready.*\n {3}└─ revision 1 \(1\.0\) {2}serves {2}1\/1 ready\n {6}└─ pod web-canary-vms-\S+ {2}Running {2}on \S+ {2}\d+s$/m,
  );
  expect(tree.out).toMatch(
    /^stage production {2}approval Manual\n└─ pool prod-a {2}serves nothing {2}0\/2 ready.*\n {3}└─ waits for a ReleasePromotion must/m,
  );
});
