// Docs/moving.md under load: requests to a Service that moves to an AppRelease, and away again.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { pool } from '../integration/release-objects.ts';
import { errorsOf, runsOf, startAsker } from './asker.ts';
import { onePool, web } from './releases.ts';
import { test, type World } from './world.ts';

const SERVICE = 'web';
/** The time in docs/moving.md for clients to leave open connections. */
const DRAIN_MS = 30_000;

/** A team's own Deployment, on the VMs of the pool. */
async function createDeployment(world: World, name: string, app: string): Promise<void> {
  const { nodeSelector, tolerations } = pool('prod-a', 2);
  const { template } = await web(world, '1.0.0');
  const labels = { app };
  await world.create({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { ...template.spec, nodeSelector, tolerations } },
    },
  });
  await world.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=120s');
}

function select(world: World, selector: object): Promise<string> {
  const patch = JSON.stringify([{ op: 'replace', path: '/spec/selector', value: selector }]);
  return world.kubectl('patch', 'service', SERVICE, '--type=json', `--patch=${patch}`);
}

describe('moving', () => {
  test('to an AppRelease and away again, no request fails', async ({ world }) => {
    await createDeployment(world, 'web', 'web');
    await world.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: SERVICE },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] },
    });
    const asker = await startAsker(world, { web: SERVICE });

    const stages = onePool(pool('prod-a', 2, { serviceName: SERVICE }));
    await world.kubectl('annotate', 'service', SERVICE, 'apprelease.dev/adopt=true');
    await world.apply(await web(world, '1.0.0', stages));
    await world.released('1.0.0');
    await sleep(DRAIN_MS);
    await world.kubectl('delete', 'deployment', 'web');

    await world.apply(await web(world, '2.0.0', stages));
    await world.released('2.0.0');
    await asker.hears('web', '2.0.0');
    await world.rollback('back');
    await asker.hears('web', '1.0.0');
    await world.kubectl('wait', 'releaserollback/back', '--for=condition=Complete', '--timeout=60s');

    await world.kubectl('delete', 'apprelease', 'web', '--cascade=orphan', '--timeout=60s');
    await createDeployment(world, 'shop-web', 'shop-web');
    await select(world, { app: 'shop-web' });
    await sleep(DRAIN_MS);
    await world.kubectl('delete', 'deployments', '--selector=apprelease.dev/release=web', '--wait=true');
    await sleep(2_000);

    const answers = await asker.answers();
    await asker.stop();
    expect(errorsOf(answers)).toEqual([]);
    expect(answers.length).toBeGreaterThan(1000);
    expect(runsOf(answers, 'web').map(({ version }) => version)).toEqual(['1.0.0', '2.0.0', '1.0.0']);
  });
});
