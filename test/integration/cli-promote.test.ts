// The commands of the kubectl plugin that let a version in.
import { expect } from 'vitest';
import { PROMOTIONS } from '../../src/controller/kinds/api-kinds.ts';
import { apprelease } from './cli.ts';
import { test } from './harness.ts';
import { pool, release } from './release-objects.ts';

const STAGES = [
  { name: 'canary', pools: [pool('canary-vms', 1)] },
  { name: 'production', approval: 'Manual' as const, pools: [pool('prod-a', 1)] },
];

test('approve, promote and retry say what they let in, and wait until it is there', async ({ world }) => {
  const n = ['-n', world.namespace];
  await world.apply(release(await world.image('1.0'), { stages: STAGES }));
  await world.conditionIs('Ready', { reason: 'WaitingForApproval' });

  const dry = await apprelease(['promote', 'web', ...n, '--dry-run=server']);
  expect(dry).toMatchObject({ code: 0, err: '' });
  expect(dry.out).toMatch(
    /^STAGE +POOL +FROM +TO +WAITS FOR\nproduction +prod-a +- +1\.0 \(revision 1\) +a ReleasePromotion must .*\nreleasepromotion\.apprelease\.dev\/web-\w+ created \(server dry run\)\n$/,
  );
  expect(await world.list(PROMOTIONS)).toEqual([]);
  expect(await apprelease(['promote', 'web', 'prod', ...n])).toMatchObject({
    code: 1,
    err: 'error: release web has no stage prod: it has canary, production\n',
  });
  expect(await apprelease(['retry', 'web', ...n])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^error: release web: version 1\.0 has not failed/) as string,
  });

  const approved = await apprelease(['approve', 'web', ...n, '--reason', 'looked at it', '--wait']);
  expect(approved).toMatchObject({ code: 0, err: '' });
  expect(approved.out).toMatch(/complete: revision 1 entered stage production\n$/);
  await world.released('1.0');
  const [made] = await world.list(PROMOTIONS);
  expect(made?.spec).toEqual({
    release: 'web',
    stage: 'production',
    revision: 1,
    skipSoak: false,
    reason: 'looked at it',
    requestedBy: 'admin',
  });
  expect(await apprelease(['approve', 'web', ...n])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^error: release web: nothing waits for an approval \(Released: /) as string,
  });

  await world.apply(release(await world.image('2.0'), { stages: STAGES }));
  await world.conditionIs('Ready', { reason: 'WaitingForApproval' });
  expect((await apprelease(['rollback', 'web', ...n, '--wait'])).code).toBe(0);
  const again = await apprelease(['retry', 'web', ...n, '--wait']);
  expect(again).toMatchObject({ code: 0, err: '' });
  expect(again.out).toMatch(/^Version 2\.0 \(revision 2\) is tried again: wants 2\.0, runs 1\.0 by /);
  expect(again.out).toMatch(/complete: revision 2 entered stage canary\n$/);
});
