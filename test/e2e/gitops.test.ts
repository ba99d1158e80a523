// Releases by commits; a real Argo CD syncs them with self-heal and prune on.
import { isDeepStrictEqual } from 'node:util';
import { describe, expect } from 'vitest';
import { API_VERSION } from '../../src/api/meta.ts';
import { pool, type Spec } from '../integration/release-objects.ts';
import { isAccepted, readRoute, restarts, routed, weightsOf } from './gateway.ts';
import { blockOf, manifestOf, test, type Application } from './gitops.ts';
import { onePool, web, webOf } from './releases.ts';
import { kubectl, type World } from './world.ts';

const ONE = { ...onePool(pool('prod-a', 1)), rollback: { warmFor: '5m', drain: '1s' } };

/** A person approves every version for the second stage. */
const APPROVED: Partial<Spec> = {
  ...ONE,
  stages: [
    // Long enough to be observed.
    { name: 'canary', soak: '5s', pools: [pool('canary-vms', 1)] },
    { name: 'production', approval: 'Manual', pools: [pool('prod-a', 1)] },
  ],
};

async function served(world: World): Promise<(string | undefined)[]> {
  return ((await world.status()).pools ?? []).map(({ version }) => version);
}

/** Its spec, and the number of its changes. */
async function deadlineOf(world: World): Promise<{ seconds: number | undefined; generation: number }> {
  const { metadata, spec } = await world.release();
  return { seconds: spec.progressDeadlineSeconds, generation: metadata.generation ?? 0 };
}

/** Releases two versions, and rolls back the second. */
async function takenBack(world: World, app: Application): Promise<void> {
  for (const version of ['1.0.0', '2.0.0']) {
    await app.release(`Release ${version}`, await web(world, version, ONE));
    await app.becomes('Healthy', new RegExp(version));
  }
  await world.rollback('back', { reason: 'checkout fails' });
  await app.becomes('Suspended', /^wants 2\.0\.0, runs 1\.0\.0 by back: checkout fails$/);
}

describe.concurrent('a release by commits', () => {
  test('is Progressing, Suspended while it waits for a person, Healthy', async ({ world, app }) => {
    await app.release('Release 1.0.0', await web(world, '1.0.0', APPROVED));
    await app.becomes('Progressing');
    await app.becomes('Suspended', /a ReleasePromotion must admit version 1\.0\.0 .* to stage production/);
    await world.promote('first', { version: '1.0.0', stage: 'production' });
    await app.becomes('Healthy', /version 1\.0\.0 is in every pool/);
    expect(await served(world)).toEqual(['1.0.0', '1.0.0']);

    await app.release('Release 2.0.0', await web(world, '2.0.0', APPROVED));
    await app.becomes('Suspended', /version 2\.0\.0 .* to stage production/);
    expect(await served(world)).toEqual(['2.0.0', '1.0.0']);
    // An approval can be a commit too.
    await app.commit('Approve 2.0.0', { 'approval.yaml': blockOf('yaml', 'kind: ReleasePromotion') });
    await app.becomes('Healthy', /version 2\.0\.0 is in every pool/);
    await app.commit('Forget the approval', { 'approval.yaml': undefined });
    await app.becomes('Healthy', /version 2\.0\.0 is in every pool/);
  });

  test('that fails is Degraded, and so is one that cannot be pulled', async ({ world, app }) => {
    await app.release('Release 1.0.0', await web(world, '1.0.0', ONE));
    await app.becomes('Healthy');
    const { image } = await world.images.push('3.0.0-crash', 'crash');
    await app.release('Release 3.0.0', webOf(image, '3.0.0', { ...ONE, progressDeadlineSeconds: 15 }));
    await app.becomes('Degraded', /^wants 3\.0\.0, runs 1\.0\.0 by web-r2-1/);
    const missing = image.replace(/:[^:]*$/, ':9.9.9');
    await app.release('Release 9.9.9', webOf(missing, '9.9.9', ONE));
    await app.becomes('Degraded', /9\.9\.9/);
    await app.release('Release 1.1.0', await web(world, '1.1.0', ONE));
    await app.becomes('Healthy', /1\.1\.0/);
  });
});

describe.concurrent('a check before the sync', () => {
  test('that fails keeps the commit out; without it the commit is released', async ({ world, app }) => {
    await app.release('Release 1.0.0', await web(world, '1.0.0', ONE));
    await app.becomes('Healthy', /1\.0\.0/);
    const { image } = await world.images.push('3.0.0-crash', 'crash');
    // Argo CD would retry for minutes.
    const once = JSON.stringify({ spec: { syncPolicy: { retry: { limit: 0 } } } });
    await kubectl('patch', 'application', app.name, '--namespace=argocd', '--type=merge', `--patch=${once}`);
    await app.commit('Release 2.0.0, when the check passes', {
      'check.yaml': JSON.stringify(checkOf(image)),
      'web.yaml': manifestOf(await web(world, '2.0.0', ONE)),
    });
    await world.until('the failed sync', async () => (await app.status()).operationState?.phase === 'Failed');
    const job = '--output=jsonpath={.status.failed}';
    expect(await world.kubectl('get', 'job', 'check', job)).toBe('1');
    const version = '--output=jsonpath={.spec.version}';
    expect(await world.kubectl('get', 'apprelease', 'web', version)).toBe('1.0.0');
    expect(await served(world)).toEqual(['1.0.0']);
    await app.commit('Release 2.0.0 without a check', { 'check.yaml': undefined });
    await app.becomes('Healthy', /2\.0\.0/);
  });
});

/** A Job that Argo CD runs before it applies anything. */
function checkOf(image: string): object {
  const { nodeSelector, tolerations } = pool('prod-a', 1);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'check', annotations: { 'argocd.argoproj.io/hook': 'PreSync' } },
    spec: {
      backoffLimit: 0,
      template: {
        spec: { restartPolicy: 'Never', nodeSelector, tolerations, containers: [{ name: 'check', image }] },
      },
    },
  };
}

describe.concurrent('a rollback', () => {
  test('holds through self-heals and a hard refresh, until Git names the next version', async ({ world, app }) => {
    await takenBack(world, app);
    for (const seconds of [61, 62, 63]) {
      const { generation } = await deadlineOf(world);
      // A foreign change of a field that Git owns.
      await app.patch({ spec: { progressDeadlineSeconds: seconds } });
      await world.until(`self-heal of ${seconds}`, async () => {
        return isDeepStrictEqual(await deadlineOf(world), { seconds: 60, generation: generation + 2 });
      });
      await app.becomes('Suspended', /^wants 2\.0\.0, runs 1\.0\.0/);
      expect(await served(world)).toEqual(['1.0.0']);
    }
    await app.refresh('hard');
    await app.becomes('Suspended', /^wants 2\.0\.0, runs 1\.0\.0/);
    expect(await served(world)).toEqual(['1.0.0']);
    expect((await world.pods()).every(({ image }) => image.includes(':1.0.0@'))).toBe(true);

    await app.release('Release 2.0.1', await web(world, '2.0.1', ONE));
    await app.becomes('Healthy', /2\.0\.1/);
    expect(await served(world)).toEqual(['2.0.1']);
    const hold = '--output=jsonpath={.status.endReason}';
    expect(await world.kubectl('get', 'releaserollback', 'back', hold)).toContain('2.0.1');
  });

  test('by a revert commit takes effect at once, without gates', async ({ world, app }) => {
    await app.release('Release 1.0.0', await web(world, '1.0.0', APPROVED));
    await app.becomes('Suspended');
    await world.promote('first', { stage: 'production' });
    await app.becomes('Healthy');
    await app.release('Release 2.0.0', await web(world, '2.0.0', APPROVED));
    await app.becomes('Suspended');
    await world.promote('second', { stage: 'production' });
    await app.becomes('Healthy', /2\.0\.0/);
    const pods = new Set((await world.pods()).map(({ uid }) => uid));
    await app.revert();
    await app.becomes('Healthy', /1\.0\.0/);
    // Only standbys were used: no pod was started, and no approval was needed.
    expect((await world.pods()).filter(({ ready, image }) => ready && image.includes(':1.0.0@'))).toHaveLength(2);
    expect((await world.pods()).filter(({ uid }) => !pods.has(uid))).toEqual([]);
  });
});

describe.concurrent('an exposure', () => {
  test('is Suspended in a step that waits for a person; a self-heal in it changes no weight', async ({
    world,
    app,
    gateway,
  }) => {
    const exposure: Spec['stages'][number]['exposure'] = [
      { percent: 20, approval: 'Manual' },
      { percent: 50, approval: 'Manual' },
    ];
    const spec = { ...ONE, stages: [{ name: 'production', exposure, pools: [pool('prod-a', 1)] }] };
    const release = async (version: string) =>
      app.release(`Release ${version}`, routed(world, gateway, await web(world, version, spec), { 'prod-a': 100 }));
    await release('1.0.0');
    await app.becomes('Healthy', /1\.0\.0/);
    await release('2.0.0');
    await app.becomes('Suspended', /20% of the traffic goes to version 2\.0\.0 \(step 1 of 2\)/);
    const weights = await weightsOf(world);
    expect(Number(weights['web-prod-a']) / Number(weights['web-prod-a-next'])).toBe(4);
    await world.until('an accepted route', () => isAccepted(world));

    const { metadata } = await readRoute(world);
    // Fields that Git owns.
    for (const change of [{ progressDeadlineSeconds: 61 }, { rollback: { ...ONE.rollback, warmFor: '6m' } }]) {
      const { generation } = await deadlineOf(world);
      await app.patch({ spec: change });
      await world.until('the self-heal', async () => (await deadlineOf(world)).generation === generation + 2);
      await app.becomes('Suspended', /20% of the traffic goes to version 2\.0\.0 \(step 1 of 2\)/);
    }
    await app.refresh('hard');
    await app.becomes('Suspended', /step 1 of 2/);
    expect((await readRoute(world)).metadata.generation).toBe(metadata.generation);
    expect(await weightsOf(world)).toEqual(weights);

    // The promotion stays in Git: it is Healthy as long as its version is wanted.
    await app.commit('Go on from step 1', {
      'step.yaml': JSON.stringify({
        apiVersion: API_VERSION,
        kind: 'ReleasePromotion',
        metadata: { name: 'web-2.0.0-1' },
        spec: { release: 'web', version: '2.0.0', stage: 'production', step: 1 },
      }),
    });
    await app.becomes('Suspended', /50% of the traffic goes to version 2\.0\.0 \(step 2 of 2\)/);
    await app.run('promote');
    await app.becomes('Healthy', /2\.0\.0/);
    await world.until('the weight of the spec at the first Service', async () =>
      isDeepStrictEqual(await weightsOf(world), { 'web-prod-a': 100, 'web-prod-a-next': 0 }),
    );
    expect(await restarts(world)).toBe('');
  });
});

describe.concurrent('the actions', () => {
  test('promote, rollback, retry, pause and resume, by the API server of Argo CD', async ({ world, app }) => {
    await app.release('Release 1.0.0', await web(world, '1.0.0', APPROVED));
    await app.becomes('Suspended', /production/);
    await app.run('promote');
    await app.becomes('Healthy', /1\.0\.0/);

    await app.run('pause');
    await app.release('Release 2.0.0', await web(world, '2.0.0', APPROVED));
    await app.becomes('Suspended', /^paused: paused in Argo CD$/);
    expect(await served(world)).toEqual(['1.0.0', '1.0.0']);
    await app.run('resume');
    await app.becomes('Suspended', /to stage production/);
    await app.run('promote');
    await app.becomes('Healthy', /2\.0\.0/);

    await app.run('rollback');
    await app.becomes('Suspended', /^wants 2\.0\.0, runs 1\.0\.0 by web-.*requested in Argo CD/);
    expect(await served(world)).toEqual(['1.0.0', '1.0.0']);
    await app.run('retry');
    await app.becomes('Suspended', /to stage production/);
    expect(await served(world)).toEqual(['2.0.0', '1.0.0']);
    await app.run('promote');
    await app.becomes('Healthy', /2\.0\.0/);
  });

  test('are allowed for Argo CD’s own service account', async ({ argo: _argo }) => {
    for (const kind of ['releaserollbacks.apprelease.dev', 'releasepromotions.apprelease.dev']) {
      const may = await kubectl('auth', 'can-i', 'create', kind, '--as=system:serviceaccount:argocd:argocd-server');
      expect(may.trim()).toBe('yes');
    }
  });
});

describe.concurrent('prune', () => {
  test('removes everything', async ({ world, app }) => {
    await takenBack(world, app);
    await app.commit('Remove web', { 'web.yaml': undefined });
    await world.until('the end of everything', async () => {
      const kinds = 'appreleases,releaserollbacks,deployments,services,controllerrevisions,pods';
      return (await world.kubectl('get', kinds, '--output=name')) === '';
    });
  });
});
