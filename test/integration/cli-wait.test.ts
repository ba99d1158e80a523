// The command of the kubectl plugin that waits.
import { expect } from 'vitest';
import { APP_RELEASES } from '../../src/controller/kinds/api-kinds.ts';
import { apprelease, asViewer, startApprelease } from './cli.ts';
import type { Asked } from './fault-proxy.ts';
import { startFaultProxy } from './fault-proxy.ts';
import { cluster, test } from './harness.ts';
import { pool, release } from './release-objects.ts';

const STAGES = [
  { name: 'canary', pools: [pool('canary-vms', 1)] },
  { name: 'production', approval: 'Manual' as const, pools: [pool('prod-a', 2)] },
];

test('status waits for a stage, a person and the whole release, and tells each by its exit code', async ({ world }) => {
  const of = ['web', '-n', world.namespace];
  const missing = await apprelease(['status', ...of]);
  expect(missing).toMatchObject({ code: 1, out: '', err: expect.stringContaining('"web" not found') as string });

  await world.apply(release(await world.image('1.0'), { stages: STAGES }));
  const [canary, whole] = await Promise.all([
    apprelease(['status', ...of, '--for', 'stage/canary']),
    apprelease(['status', ...of]),
  ]);
  expect(canary.err).toBe('');
  expect(canary).toMatchObject({ code: 0 });
  expect(canary.out).toMatch(/^release web: stage canary serves version 1\.0\n$/m);
  expect(whole).toMatchObject({ code: 3 });
  expect(whole.err).toMatch(
    /^error: release web waits for a person: WaitingForApproval: a ReleasePromotion must admit .*; see kubectl apprelease explain WaitingForApproval\n$/,
  );
  expect(await apprelease(['status', ...of, '--for', 'pool/prod-a'])).toMatchObject({ code: 3 });
  expect(await apprelease(['status', ...of, '--for', 'pool/prod-b'])).toMatchObject({
    code: 1,
    err: 'error: release web: the release has no pool prod-b: it has canary-vms, prod-a\n',
  });

  // A version that the spec does not want yet, nor ever.
  const early = await apprelease(['status', ...of, '--version', '2.0', '--timeout', '1s']);
  expect(early).toMatchObject({
    code: 2,
    out: 'the spec does not want version 2.0 yet: it wants 1.0\n',
    err: 'error: release web is not there after 1 s: the spec does not want version 2.0 yet: it wants 1.0\n',
  });

  await world.promote('go', { stage: 'production' });
  await world.released('1.0');
  expect(await apprelease(['status', ...of, '--timeout', '0'])).toEqual({
    code: 0,
    out: 'release web: version 1.0 serves in every pool\n',
    err: '',
  });
});

test('status is about the version that is asked for, and never about the one before', async ({ world }) => {
  const of = ['web', '-n', world.namespace];
  const stages = [{ name: 'production', pools: [pool('prod-a', 2)] }];
  await world.apply(release(await world.image('1.0'), { stages }));
  await world.released('1.0');

  // Asked for before the spec wants it.
  const next = startApprelease(['status', ...of, '--version', '1.1', '--timeout', '60s']);
  await next.printed(/does not want version 1\.1 yet/);
  await world.operator.stop();
  await world.apply(release(await world.image('1.1'), { stages }));
  // The status still says that 1.0 is released.
  expect(await apprelease(['status', ...of, '--timeout', '0'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('the operator has not seen the newest spec yet') as string,
  });
  await world.operator.start();
  const reached = await next.answer;
  expect(reached.err).toBe('');
  expect(reached).toMatchObject({ code: 0 });
  expect(reached.out).toMatch(
    /^the spec does not want version 1\.1 yet: it wants 1\.0\n(.*\n)*release web: version 1\.1 serves in every pool\n$/,
  );

  // A version that crashes is rolled back, and one that was replaced is not told as released.
  await world.apply(release(await world.image('1.2-crash-loop'), { stages }));
  const failed = await apprelease(['status', ...of, '--timeout', '60s']);
  expect(failed).toMatchObject({ code: 1 });
  expect(failed.err).toMatch(/^error: release web: (RolledBack|Failed|Progressing): .*/);
  expect(await apprelease(['status', ...of, '--version', '1.1', '--timeout', '60s'])).toMatchObject({
    code: 1,
    err: 'error: release web: the spec does not want version 1.1 any more: it wants 1.2; revision 2: Good\n',
  });

  // The release goes away while somebody waits for it.
  const gone = startApprelease(['status', ...of, '--version', '9.9', '--timeout', '60s']);
  await gone.printed(/does not want version 9\.9 yet/);
  await world.remove(APP_RELEASES, 'web');
  expect(await gone.answer).toMatchObject({ code: 1, err: 'error: release web: the release was deleted\n' });
});

test('status goes on while the API server is away, and reads again and again without the right to watch', async ({
  world,
}) => {
  const of = ['web', '-n', world.namespace];
  await world.apply(release(await world.image('1.0'), { stages: STAGES }));
  await world.conditionIs('Ready', { reason: 'WaitingForApproval' });
  const reader = await asViewer(world.namespace, [
    { apiGroups: ['apprelease.dev'], resources: ['appreleases'], verbs: ['get'] },
  ]);
  expect(await apprelease(['status', ...of, ...reader, '--timeout', '60s'])).toMatchObject({ code: 3 });

  const proxy = await startFaultProxy(cluster, cluster.kubeconfigPath);
  const verbs: string[] = [];
  function note({ verb }: Asked): undefined {
    verbs.push(verb);
  }
  proxy.rules(note);
  try {
    const env = { KUBECONFIG: proxy.kubeconfig };
    const args = ['status', ...of, '--version', '1.1', '--timeout', '90s'];
    const answers = Promise.all([apprelease(args, { env }), apprelease([...args, ...reader], { env })]);
    await world.until(() => {
      expect(verbs).toContain('watch');
      // The first read of each, and more of the one that may not watch.
      expect(verbs.filter((verb) => verb === 'get').length).toBeGreaterThan(2);
    });
    proxy.rules(() => ({ kind: 'reset' }));
    proxy.dropConnections();
    await world.apply(release(await world.image('1.1'), { stages: STAGES }));
    await world.conditionIs('Ready', { reason: 'WaitingForApproval' });
    await world.until(() => {
      expect(proxy.done()['reset']).toBeGreaterThan(3);
    });
    proxy.rules();
    for (const { code, out, err } of await answers) {
      expect(out).toMatch(/^error: the API server cannot be reached: .*; trying again$/m);
      expect(err).toMatch(/^error: release web waits for a person: WaitingForApproval: .* version 1\.1 /);
      expect(code).toBe(3);
    }
  } finally {
    await proxy.close();
  }
});

test('get -w shows each change until Ctrl-C, and what the user may not see is named', async ({ world }) => {
  const of = ['web', '-n', world.namespace];
  await world.apply(release(await world.image('1.0'), { stages: STAGES }));
  await world.conditionIs('Ready', { reason: 'WaitingForApproval' });
  const reader = await asViewer(world.namespace, [
    { apiGroups: ['apprelease.dev'], resources: ['appreleases'], verbs: ['get', 'list', 'watch'] },
  ]);
  const less = await apprelease(['get', ...of, ...reader]);
  expect(less.code).toBe(0);
  expect(less.out).toMatch(/^stage canary\n└─ pool canary-vms {2}serves 1\.0 {2}1\/1 ready/m);
  expect(less.out).not.toMatch(/revision 1 \(1\.0\) {2}serves|pod web-/);
  expect(less.err).toMatch(/^not shown: revisions \(.*cannot list resource "deployments".*\)$/m);
  expect(less.err).toMatch(/^not shown: pods \(.*cannot list resource "pods".*\)$/m);

  const ctrlC = new AbortController();
  const watches = [
    startApprelease(['get', ...of, '-w'], { signal: ctrlC.signal }),
    startApprelease(['get', ...of, '-w', ...reader], { signal: ctrlC.signal }),
  ];
  await Promise.all(watches.map(({ printed }) => printed(/^State: +WaitingForApproval/m)));
  await world.promote('go', { stage: 'production' });
  await Promise.all(watches.map(({ printed }) => printed(/^State: +Released/m)));
  await watches[0]?.printed(/pod web-prod-a/);
  ctrlC.abort();
  const answers = await Promise.all(watches.map(({ answer }) => answer));
  for (const { code, out } of answers) {
    expect(code).toBe(0);
    const states = [...out.matchAll(/^State: +(\w+)/gm)].map(([, state]) => state);
    expect(states.at(0)).toBe('WaitingForApproval');
    expect(states.at(-1)).toBe('Released');
    expect(out.split(/^Release: /m).length).toBeGreaterThan(2);
  }
  const [all, own] = answers;
  expect(all?.err).toBe('');
  expect(own?.out).not.toMatch(/pod web-/);
  expect(own?.err).toMatch(/^not shown: pods \(you have no right to list and watch them/m);
});
