// Failing versions, digests, registries that are down or need credentials.
import { describe, expect } from 'vitest';
import type { Behaviour } from './world.ts';
import { e2e, startImages, test } from './world.ts';
import { errorsOf, runsOf, startAsker } from './asker.ts';
import { imagePulls } from './nodes.ts';
import { onePool, web, webOf } from './releases.ts';
import { pool } from '../integration/release-objects.ts';

const ONE = onePool();
const SERVICE = { 'prod-a': 'web-prod-a' };
const DIGEST = /@(sha256:[0-9a-f]{64})$/;

describe('a version that does not work', () => {
  const broken: [string, Behaviour][] = [
    ['crashes', 'crash'],
    ['never gets ready', 'unready'],
  ];
  test.for(broken)('because it %s is rolled back, without a failed request', async ([, behaviour], { world }) => {
    await world.apply(await web(world, '1.0.0', ONE));
    await world.released('1.0.0');
    const asker = await startAsker(world, SERVICE);
    const { image } = await world.images.push(`3.0.0-${behaviour}`, behaviour);
    await world.apply(webOf(image, '3.0.0', { ...ONE, progressDeadlineSeconds: 15 }));
    await world.conditionIs('RolledBack', 'True');
    await world.kubectl('wait', 'releaserollback', '--all', '--for=condition=Complete', '--timeout=60s');
    expect((await world.status()).history?.[0]).toMatchObject({ version: '3.0.0', outcome: 'Failed' });
    const answers = await asker.answers();
    await asker.stop();
    expect(errorsOf(answers)).toEqual([]);
    expect(runsOf(answers, 'prod-a').map(({ version }) => version)).toEqual(['1.0.0']);
  });

  test('because its image does not exist is never started', async ({ world }) => {
    await world.apply(await web(world, '1.0.0', ONE));
    await world.released('1.0.0');
    await world.apply(webOf(`${e2e.registry}/shop/web:9.9.9`, '9.9.9', ONE));
    const stalled = await world.conditionIs('Stalled', 'True', 'NotFound');
    expect(stalled.message).toContain('shop/web:9.9.9');
    expect((await world.pods()).map(({ image }) => image).every((image) => image.includes(':1.0.0@'))).toBe(true);
  });
});

describe('digests', () => {
  test('equal those of the kubelets in every pool, although the tag moved', async ({ world }) => {
    // A moved tag cannot be used for a second attempt.
    const version = `4.0.0-${world.namespace}`;
    const { digest, manifests } = await world.images.push(version);
    await world.apply(await web(world, version, { stages: [{ name: 'canary', pools: [pool('canary-vms', 1)] }] }));
    await world.released(version);
    await world.images.move(version);
    // Pools that are added after the tag moved, on nodes without the image.
    await world.apply(await web(world, version));
    await world.released(version);
    const pods = await world.pods();
    expect(new Set(pods.map((pod) => pod.pool)).size).toBe(3);
    for (const pod of pods) {
      expect(pod.image).toContain(digest);
      expect([digest, ...Object.values(manifests)]).toContain(DIGEST.exec(pod.imageID)?.[1]);
    }
    expect((await world.status()).pools?.map((status) => status.digest)).toEqual([digest, digest, digest]);
  });
});

describe('with the registry stopped', () => {
  test('a rollback and a scale-up work from the images on the nodes', async ({ world, images }) => {
    const changes = { ...onePool(pool('prod-b', 1)), rollback: { warmFor: '0s', drain: '1s' } };
    await world.apply(await web(world, '5.0.0', changes));
    await world.released('5.0.0');
    await world.apply(await web(world, '5.1.0', changes));
    await world.released('5.1.0');
    await world.until('the end of the old pod', async () => (await world.pods()).length === 1);
    const bigger = await web(world, '5.1.0', { ...changes, ...onePool(pool('prod-b', 2)) });
    await images.registry.kill();
    try {
      await world.apply(bigger);
      await world.until('two ready pods', async () => (await world.pods()).filter(({ ready }) => ready).length === 2);
      await world.rollback('back');
      await world.kubectl('wait', 'releaserollback/back', '--for=condition=Complete', '--timeout=60s');
      await world.serves('prod-b', '5.0.0');
      expect(await imagePulls(world, 'prod-b')).toBe(false);
    } finally {
      await images.registry.restart();
    }
  });
});

describe('a registry that needs credentials', () => {
  test('gets the pull secret of the template from the operator and from the kubelets', async ({ world }) => {
    const version = `6.0.0-${world.namespace}`;
    const login = { user: 'puller', password: 'not-for-logs' };
    const locked = await startImages(e2e.lockedRegistry, { auth: { htpasswd: login } });
    try {
      const { image } = await locked.push(version);
      await world.apply(webOf(image, version, ONE));
      await world.conditionIs('Stalled', 'True', 'Unauthorized');
      await world.kubectl(
        'create',
        'secret',
        'docker-registry',
        'pull',
        `--docker-server=${e2e.lockedRegistry}`,
        `--docker-username=${login.user}`,
        `--docker-password=${login.password}`,
      );
      const spec = webOf(image, version, ONE);
      spec.template.spec['imagePullSecrets'] = [{ name: 'pull' }];
      await world.apply(spec);
      await world.released(version);
      expect(await imagePulls(world, 'prod-a')).toBe(true);
      expect(await world.kubectl('get', 'appreleases,events', '--output=yaml')).not.toContain(login.password);
    } finally {
      await locked.registry.stop();
    }
  });
});
