// The commands of the kubectl plugin that show what happened, and the VMs.
import { expect } from 'vitest';
import { API_VERSION } from '../../src/api/meta.ts';
import { VM_POOLS } from '../../src/controller/kinds/api-kinds.ts';
import { apprelease, asViewer } from './cli.ts';
import { admin, test, withWorld } from './harness.ts';
import { oneStage, pool, release } from './release-objects.ts';

const STAGES = [
  { name: 'canary', pools: [pool('canary-vms', 1)] },
  { name: 'production', approval: 'Manual' as const, pools: [pool('prod-a', 2)] },
];

test('history, diff and events tell what happened to a release', async ({ world }) => {
  const of = ['web', '-n', world.namespace];
  await world.apply(release(await world.image('1.0'), { stages: STAGES }));
  await world.conditionIs('Ready', { reason: 'WaitingForApproval' });
  await world.promote('go', { stage: 'production', reason: 'looks well' });
  await world.released('1.0');

  const ctrlC = new AbortController();
  const watch = apprelease(['events', ...of, '-w'], { signal: ctrlC.signal });
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const { template, ...spec } = release(await world.image('1.1'), { stages: STAGES });
  const [container] = template.spec.containers;
  const env = [{ name: 'GREETING', value: 'hello' }];
  await world.apply({ ...spec, template: { ...template, spec: { containers: [{ ...container, env } as never] } } });
  await world.conditionIs('Ready', { reason: 'WaitingForApproval' });
  await world.rollback('back', { reason: 'too many errors' });
  await world.rollbackIs('back', 'Complete', 'True');
  await world.newestIs({ outcome: 'RolledBack' });

  const history = await apprelease(['history', ...of]);
  expect(history.err).toBe('');
  expect(history.code).toBe(0);
  expect(history.out).toMatch(/^REVISION +VERSION +OUTCOME +POOLS +BY +AGE +DIGESTS\n2 \* +1\.1 +RolledBack +- /);
  expect(history.out).toMatch(/^1 +1\.0 +Good +canary-vms,prod-a +\S+ +\d+s +[0-9a-f]{12}$/m);
  expect(history.out).toMatch(/^revision 2 \(1\.1\)\n {2}rolled back to 1\.0 \d+s ago.*: too many errors \(back\)$/m);
  expect(history.out).toMatch(/^revision 1 \(1\.0\)\n {2}promoted to stage production \d+s ago.*: looks well \(go\)$/m);
  expect((await apprelease(['history', ...of, '-o', 'wide'])).out).toMatch(/^ {2}image .*shop\/web:1\.1@sha256:/m);
  const rows = JSON.parse((await apprelease(['history', ...of, '-o', 'json'])).out) as unknown;
  expect(rows).toMatchObject([{ revision: 2, steps: [{ kind: 'Rollback', name: 'back' }] }, { revision: 1 }]);

  const diff = await apprelease(['diff', ...of.slice(0, 1), '1.0', '2', ...of.slice(1)]);
  expect(diff.err).toBe('');
  expect(diff.code).toBe(0);
  expect(diff.out).toMatch(/^--- revision 1 \(1\.0\)\n\+\+\+ revision 2 \(1\.1\)\n@@ /);
  expect(diff.out).toMatch(/^\+ {6}- name: GREETING\n\+ {8}value: hello$/m);
  expect(diff.out).toMatch(/^\+ .*shop\/web:1\.1@sha256:/m);
  expect(await apprelease(['diff', 'web', '1', '9', ...of.slice(1)])).toMatchObject({
    code: 1,
    err: 'error: no revision or version 9 is recorded: there is revision 1 (1.0), revision 2 (1.1)\n',
  });
  expect(await apprelease(['diff', 'web', '1', '1.0', ...of.slice(1)])).toMatchObject({
    code: 0,
    out: '',
    err: 'revision 1 (1.0) and revision 1 (1.0) do not differ.\n',
  });

  await world.until(async () => {
    const events = await apprelease(['events', ...of]);
    expect(events.err).toBe('');
    expect(events.out).toMatch(/^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n/);
    expect(events.out).toMatch(/ apprelease\/web /);
    expect(events.out).toMatch(/ replicaset\/web-canary-vms\S* +Created pod: /);
  });
  ctrlC.abort();
  const watched = await watch;
  expect(watched).toMatchObject({ code: 0, err: '' });
  expect(watched.out).toMatch(/^LAST SEEN +TYPE/);
  expect(watched.out).toMatch(/^\S+( \(x\d+\))? +Normal +\S+ +apprelease\/web +.*1\.1/m);
});

test('with partial rights history and events show less, and say what', async ({ world }) => {
  const of = ['web', '-n', world.namespace];
  await world.apply(release(await world.image('1.0'), { stages: oneStage }));
  await world.released('1.0');
  const reader = await asViewer(world.namespace, [
    { apiGroups: ['apprelease.dev'], resources: ['appreleases'], verbs: ['get'] },
    // As the role view of Kubernetes: the older API alone.
    { apiGroups: [''], resources: ['events'], verbs: ['list', 'watch'] },
  ]);
  const history = await apprelease(['history', ...of, ...reader]);
  expect(history).toMatchObject({ code: 0, out: expect.stringMatching(/^1 \* +1\.0 +Good /m) as string });
  expect(history.err).toMatch(/^not shown: promotions \(.*cannot list resource "releasepromotions".*\)$/m);
  expect(history.err).toMatch(/^not shown: rollbacks \(.*cannot list resource "releaserollbacks".*\)$/m);
  await world.until(async () => {
    const events = await apprelease(['events', ...of, ...reader]);
    expect(events).toMatchObject({ code: 0, out: expect.stringContaining(' apprelease/web ') as string });
    expect(events.out).not.toContain(' replicaset/');
    expect(events.err).toMatch(/^not shown: events of Deployments and pods \(/m);
  });
  expect(await apprelease(['diff', 'web', '1', '1', ...of.slice(1), ...reader])).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringMatching(/^Error from server \(Forbidden\): .*controllerrevisions/) as string,
  });
});

test('pools shows the VMs, and explain needs no cluster', async ({ images }) => {
  await withWorld(
    images,
    async (world) => {
      const metadata = { name: 'prod-a' };
      const spec = { nodeSelector: { 'apprelease.dev/pool': 'prod-a' } };
      await admin.create(VM_POOLS, { apiVersion: API_VERSION, kind: 'VMPool', metadata, spec });
      try {
        await world.apply(release(await world.image('1.0'), { stages: oneStage }));
        await world.released('1.0');
        await world.until(async () => {
          const all = await apprelease(['pools']);
          expect(all).toMatchObject({ code: 0, err: '' });
          expect(all.out).toMatch(/^NAME +READY +DRAINING +PODS +CPU% +MEM% +OS +KUBELET +TENANTS +AGE\n/);
          // Other tests may have left VMPools.
          expect(all.out).toMatch(/^prod-a +(\d+)\/\1 +0 +2 /m);
          const one = await apprelease(['pools', 'prod-a']);
          expect(one.out).toMatch(new RegExp(`^ {2}${world.namespace} +web +1\\.0 +2$`, 'm'));
          // The simulated VMs report no boots.
          expect(one.out).toMatch(/^Zones:\n {2}ZONE +READY +VMS\n {2}zone-0 +1 +1$/m);
        });
        expect((await apprelease(['pools', '-o', 'name'])).out).toMatch(/^vmpool\.apprelease\.dev\/prod-a$/m);
        expect(await apprelease(['pools', 'other'])).toMatchObject({
          code: 1,
          err: expect.stringContaining('"other" not found') as string,
        });
      } finally {
        await admin.delete(VM_POOLS, { name: 'prod-a' });
      }
    },
    true,
  );
  const env = { KUBECONFIG: '/nowhere' };
  expect(await apprelease(['explain', 'waitingforapproval'], { env })).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^WaitingForApproval \(AppRelease\)\n[^]*kind: ReleasePromotion\n/) as string,
  });
  expect(await apprelease(['explain', 'Soking'], { env })).toMatchObject({
    code: 1,
    err: expect.stringContaining('did you mean Soaking') as string,
  });
});
