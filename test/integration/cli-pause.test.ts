// The commands of the kubectl plugin that stop promotions, and let them go on.
import { expect } from 'vitest';
import { ROLLBACKS } from '../../src/controller/kinds/api-kinds.ts';
import { apprelease } from './cli.ts';
import { test } from './harness.ts';
import { oneStage, release } from './release-objects.ts';

test('pause stops promotions with its reason, and resume lets them go on', async ({ world }) => {
  const of = ['web', '-n', world.namespace];
  await world.apply(release(await world.image('1.0'), { stages: oneStage }));
  await world.released('1.0');
  expect(await apprelease(['resume', ...of])).toMatchObject({ code: 1, err: 'error: release web is not paused\n' });
  expect((await apprelease(['pause', ...of])).err).toMatch(/^error: required option '--reason <text>'/);
  expect((await apprelease(['pause', ...of, '--reason', ' '])).err).toBe(
    'error: --reason must say why the release is paused\n',
  );

  const dry = await apprelease(['pause', ...of, '--reason', 'incident 42', '--dry-run=server']);
  expect(dry).toEqual({ code: 0, out: 'apprelease.apprelease.dev/web paused (server dry run)\n', err: '' });
  expect((await world.condition('Paused')).status).toBe('False');
  expect(await apprelease(['pause', ...of, '--reason', 'incident 42'])).toEqual({
    code: 0,
    out: 'apprelease.apprelease.dev/web paused\n',
    err: '',
  });
  const paused = await world.conditionIs('Paused', { status: 'True' });
  expect(paused.message).toContain('incident 42');

  await world.apply(release(await world.image('2.0'), { stages: oneStage }), {
    annotations: { 'apprelease.dev/paused': 'incident 42' },
  });
  await world.conditionIs('Ready', { reason: 'Paused' });
  expect(await apprelease(['status', ...of])).toMatchObject({ code: 3 });
  expect(await apprelease(['resume', ...of])).toMatchObject({
    code: 0,
    out: 'apprelease.apprelease.dev/web resumed\n',
  });
  await world.released('2.0');
});

test('end-hold deletes what holds the release, and the version may enter again', async ({ world }) => {
  const of = ['web', '-n', world.namespace];
  for (const tag of ['1.0', '2.0']) {
    await world.apply(release(await world.image(tag), { stages: oneStage }));
    await world.released(tag);
  }
  expect(await apprelease(['end-hold', ...of])).toMatchObject({
    code: 1,
    err: 'error: no ReleaseRollback holds release web\n',
  });
  expect((await apprelease(['rollback', ...of, '--wait'])).code).toBe(0);
  await world.conditionIs('Ready', { reason: 'RolledBack' });

  const dry = await apprelease(['end-hold', ...of, '--dry-run=server']);
  expect(dry.out).toMatch(
    /^ReleaseRollback (web-\w+) holds release web at 1\.0\.\nWithout it version 2\.0 may enter each stage again, after an approval\.\nreleaserollback\.apprelease\.dev\/\1 deleted \(server dry run\)\n$/,
  );
  expect(await world.list(ROLLBACKS)).toHaveLength(1);
  expect(await apprelease(['end-hold', ...of])).toMatchObject({ code: 0, err: '' });
  expect(await world.list(ROLLBACKS)).toEqual([]);
  await world.conditionIs('Ready', { reason: 'WaitingForApproval' });
});
