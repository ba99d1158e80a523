// The command of the kubectl plugin that rolls back.
import { describe, expect } from 'vitest';
import { APP_RELEASES, ROLLBACKS } from '../../src/controller/kinds/api-kinds.ts';
import { apprelease } from './cli.ts';
import { grant } from './cli-rights.ts';
import { test } from './harness.ts';
import { releaseAll } from './release-all.ts';
import type { Spec } from './release-objects.ts';
import { pool } from './release-objects.ts';

const both: Spec['stages'] = [{ name: 'production', pools: [pool('prod-a', 1), pool('prod-b', 1)] }];

describe.concurrent('rollback', () => {
  test('says what changes, asks the operator, and waits until every pool is back', async ({ world }) => {
    await releaseAll(world, ['1.0', '2.0'], { stages: both });
    const args = ['rollback', 'web', '-n', world.namespace, '--reason', 'too many errors'];

    const dry = await apprelease([...args, '--dry-run=server']);
    expect(dry).toMatchObject({ code: 0, err: '' });
    expect(dry.out).toMatch(
      /^POOL +FROM +TO +READINESS +NOTE\nprod-a +2\.0 \(revision 2\) +1\.0 \(revision 1\) +Warm\nprod-b +2\.0 .*Warm\nreleaserollback\.apprelease\.dev\/web-\w+ created \(server dry run\)\n$/,
    );
    expect(await world.list(ROLLBACKS)).toEqual([]);

    const done = await apprelease([...args, '--wait', '--timeout', '60s']);
    expect(done).toMatchObject({ code: 0, err: '' });
    expect(done.out).toMatch(/^releaserollback\.apprelease\.dev\/web-\w+ created$/m);
    expect(done.out).toMatch(/accepted: takes back prod-a 2 → 1, prod-b 2 → 1$/m);
    expect(done.out).toMatch(/pool prod-a: serves revision 1 after \d+\.\ds$/m);
    expect(done.out).toMatch(/pool prod-b: serves revision 1 after \d+\.\ds$/m);
    expect(done.out).toMatch(/complete: prod-a, prod-b serve their targets\n$/);
    expect(await world.selected()).toEqual({ 'web-prod-a': 1, 'web-prod-b': 1 });
    const [made, ...others] = await world.list(ROLLBACKS);
    expect(others).toEqual([]);
    expect(made?.spec).toEqual({
      release: 'web',
      force: false,
      reason: 'too many errors',
      requestedBy: 'admin',
    });
  });

  test('to a version tells why the operator rejects it', async ({ world }) => {
    await releaseAll(world, ['1.0', '2.0'], { stages: both });
    const args = ['rollback', 'web', '-n', world.namespace];
    const never = await apprelease([...args, '--to', '0.9']);
    expect(never.out).toMatch(/^prod-a +2\.0 \(revision 2\) +stays +- +version 0\.9 was never recorded$/m);
    expect(never).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: releaserollback\S+ was rejected: version 0\.9 was never recorded/) as string,
    });
    const unknown = await apprelease([...args, '--pool', 'prod-c', '--wait']);
    expect(unknown.out).toMatch(/^prod-c .*the release has no pool prod-c: it has prod-a, prod-b$/m);
    expect(unknown.code).toBe(1);

    const one = await apprelease([...args, '--to', '1.0', '--pool', 'prod-b', '-o', 'json', '--wait']);
    expect(one.code).toBe(0);
    expect(JSON.parse(one.out)).toMatchObject({
      kind: 'ReleaseRollback',
      spec: { toVersion: '1.0', pools: ['prod-b'] },
      status: { toVersion: '1.0', pools: [{ name: 'prod-b', from: 2, to: 1 }] },
    });
    expect(one.err).toMatch(/pool prod-b: serves revision 1/);
    expect(await world.selected()).toEqual({ 'web-prod-a': 2, 'web-prod-b': 1 });
  });

  test('refuses arguments that name no release', async ({ world }) => {
    const n = ['-n', world.namespace];
    const none = /^error: name one release, or several by their labels/;
    for (const args of [[], ['web', '-l', 'team=shop']])
      expect(await apprelease(['rollback', ...args, ...n])).toMatchObject({
        code: 1,
        err: expect.stringMatching(none) as string,
      });
    expect(await apprelease(['rollback', '-l', 'team=shop', ...n])).toMatchObject({
      code: 1,
      err: `error: no release in namespace ${world.namespace} has the labels team=shop\n`,
    });
    expect(await apprelease(['rollback', 'web', ...n])).toMatchObject({
      code: 1,
      err: expect.stringContaining('appreleases.apprelease.dev "web" not found') as string,
    });
    expect(await apprelease(['rollback', 'web', '--to', '1.0', '--to-revision', '1', ...n])).toMatchObject({
      code: 1,
      err: expect.stringContaining("option '--to <version>' cannot be used with option '--to-revision") as string,
    });
  });

  test('of several releases goes side by side', async ({ world }) => {
    const one: Spec['stages'] = [{ name: 'production', pools: [pool('prod-a', 1)] }];
    await releaseAll(world, ['1.0', '2.0'], { stages: one });
    for (const version of ['1.0', '2.0']) {
      const [web] = await world.list(APP_RELEASES);
      const spec = { ...(web?.spec as unknown as Spec), version };
      spec.template = structuredClone(spec.template);
      for (const container of spec.template.spec.containers) container.image = await world.image(version);
      await world.apply(spec, { name: 'api' });
      await world.released(version, 'api');
    }
    for (const name of ['web', 'api'])
      await world.merge(APP_RELEASES, name, { metadata: { labels: { team: 'cart' } } });
    const done = await apprelease(['rollback', '-l', 'team=cart', '-n', world.namespace, '--wait', '--yes']);
    expect(done).toMatchObject({ code: 0, err: '' });
    expect(done.out).toMatch(/^RELEASE +POOL .*\napi +prod-a .*\nweb +prod-a /);
    for (const name of ['web', 'api'])
      expect(done.out).toMatch(new RegExp(`/${name}-\\w+ complete: prod-a serves its target$`, 'm'));
    expect(await world.selected()).toEqual({ 'web-prod-a': 1, 'api-prod-a': 1 });
  });

  test('without rights to read says less, and goes on', async ({ world }) => {
    await releaseAll(world, ['1.0', '2.0'], { stages: both });
    // The user is not authenticated, and so has not even the right to ask who it is.
    const user = 'system:anonymous';
    const args = ['rollback', 'web', '-n', world.namespace, '--as', user, '--to', '1.0'];
    await grant(world, user, [{ resources: ['releaserollbacks'], verbs: ['create'] }]);
    const blind = await apprelease(args);
    expect(blind.code).toBe(0);
    expect(blind.out).toMatch(/^releaserollback\.apprelease\.dev\/web-\w+ created\n$/);
    expect(blind.err).toContain('note: the object does not name you');
    expect(blind.err).toMatch(/^not shown: what will change \(Error from server \(Forbidden\)/m);
    expect(blind.err).toMatch(/^not shown: the answer of the operator \(/m);
    const [made] = await world.list(ROLLBACKS);
    expect(made?.spec).toEqual({ release: 'web', force: false, toVersion: '1.0' });

    await grant(world, user, [{ resources: ['appreleases', 'releaserollbacks'], verbs: ['get'] }], 'look');
    const half = await apprelease([...args, '--pool', 'prod-a', '--wait']);
    expect(half.err).toMatch(/^not shown: in which pools a version was good /m);
    expect(half.err).toMatch(/was rejected: pool prod-a runs revision 1 \(1\.0\) already/);
    expect(half.code).toBe(1);
    expect(half.out).toMatch(/^prod-a +1\.0 \(revision 1\) +stays .*serves revision 1 already$/m);

    const none = await apprelease(['rollback', 'web', '-n', world.namespace, '--as', 'nobody']);
    expect(none).toMatchObject({ code: 1 });
    expect(none.err).toMatch(/^Error from server \(Forbidden\): releaserollbacks\.apprelease\.dev is forbidden/m);
  });

  test('without an operator says that nobody answered', async ({ world }) => {
    await releaseAll(world, ['1.0', '2.0'], { stages: both });
    await world.operator.stop();
    const args = ['rollback', 'web', '-n', world.namespace];
    const left = await apprelease(args);
    expect(left).toMatchObject({
      code: 0,
      err: expect.stringMatching(/^releaserollback\S+: the operator has not answered yet\n$/) as string,
    });
    const late = await apprelease([...args, '--wait', '--timeout', '1s']);
    expect(late).toMatchObject({ code: 2, err: expect.stringContaining('was not answered in time') as string });
  });
});
