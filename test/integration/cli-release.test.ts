// The commands of the kubectl plugin that change what a release wants.
import { expect } from 'vitest';
import { APP_RELEASES } from '../../src/controller/kinds/api-kinds.ts';
import { apprelease } from './cli.ts';
import { test } from './harness.ts';
import { oneStage, release } from './release-objects.ts';

test('release has the spec want a version and its image, and says what it changes', async ({ world }) => {
  const of = ['web', '-n', world.namespace];
  const image = await world.image('1.0');
  const next = await world.image('1.1');
  await world.apply(release(image, { stages: oneStage }));
  await world.released('1.0');

  const dry = await apprelease(['release', ...of, '--version', '1.1', '--dry-run=server']);
  expect(dry).toEqual({
    code: 0,
    out: `version: 1.0 → 1.1\nimage of web: ${image} → ${next}\napprelease.apprelease.dev/web changed (server dry run)\n`,
    err: '',
  });
  expect((await world.list(APP_RELEASES))[0]?.spec.version).toBe('1.0');
  expect(await apprelease(['release', ...of, '--version', '-1'])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^Error from server \(Invalid\): .*must begin with a letter, a digit or _/) as string,
  });

  expect(await apprelease(['release', ...of, '--version', '1.1'])).toMatchObject({ code: 0, err: '' });
  expect(await apprelease(['status', ...of, '--version', '1.1'])).toMatchObject({ code: 0 });
  const history = await apprelease(['history', ...of]);
  expect(history.out).toMatch(/^2 \* +1\.1 +Good/m);
});

test('restart starts new pods of the version', async ({ world }) => {
  const of = ['web', '-n', world.namespace];
  await world.apply(release(await world.image('1.0'), { stages: oneStage }));
  await world.released('1.0');
  const before = (await world.pods()).map(({ uid }) => uid);
  expect(await apprelease(['restart', ...of])).toMatchObject({
    code: 0,
    out: 'a new revision of version 1.0 enters its stages by their gates\napprelease.apprelease.dev/web restarted\n',
  });
  expect(await apprelease(['status', ...of])).toMatchObject({ code: 0 });
  const serving = (await world.pods()).filter(({ revision }) => revision === 2);
  expect(serving).toHaveLength(2);
  expect(serving.filter(({ uid }) => before.includes(uid))).toEqual([]);
});
