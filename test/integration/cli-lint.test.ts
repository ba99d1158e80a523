// kubectl apprelease lint, with the verdict of the API server.
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { API_VERSION } from '../../src/api/meta.ts';
import { APP_RELEASES } from '../../src/controller/kinds/api-kinds.ts';
import { apprelease } from './cli.ts';
import { test } from './harness.ts';
import { release } from './release-objects.ts';

test('the API server has the last word: rules on changes, and nothing is stored', async ({ world }) => {
  const input = stringify({
    apiVersion: API_VERSION,
    kind: 'AppRelease',
    metadata: { name: 'web' },
    spec: release(await world.image('1.0')),
  });
  const well = await apprelease(['lint', '-f', '-', '--server', '-n', world.namespace], { input });
  expect(well).toEqual({ code: 0, out: '', err: '1 object, no problem\n' });
  expect(await world.list(APP_RELEASES)).toEqual([]);

  await world.rollback('back', { toRevision: 1 });
  const changed = stringify({
    apiVersion: API_VERSION,
    kind: 'ReleaseRollback',
    metadata: { name: 'back' },
    spec: { release: 'web', toRevision: 2 },
  });
  const offline = await apprelease(['lint', '-f', '-'], { input: changed });
  expect(offline.code).toBe(0);
  const refused = await apprelease(['lint', '-f', '-', '--server', '-n', world.namespace], { input: changed });
  expect(refused.out).toBe(
    'standard input:5:1: error: spec: Invalid value: spec is immutable: create a new object instead\n',
  );
  expect(refused).toMatchObject({ code: 1, err: '1 object, 1 problems\n' });
});

test('what is no file, and what holds no object, is an error', async () => {
  expect(await apprelease(['lint', '-f', '/missing.yaml'])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^error: cannot read \/missing\.yaml: ENOENT/) as string,
  });
  expect(await apprelease(['lint', '-f', '-'], { input: 'kind: ConfigMap' })).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^error: no object of apprelease\.dev\/v1alpha1 /) as string,
  });
  expect(await apprelease(['lint'])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/required option '-f, --filename/) as string,
  });
});
