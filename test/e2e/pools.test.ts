// Pools are added to a release and removed.
import { expect } from 'vitest';
import { pool } from '../integration/release-objects.ts';
import { errorsOf, startAsker } from './asker.ts';
import { SERVICE_NAMES, web } from './releases.ts';
import { test } from './world.ts';

test('a pool is added and another removed: no request to the other pools fails', async ({ world }) => {
  const stages = (...names: string[]) => [{ name: 'all', pools: names.map((name) => pool(name, 1)) }];
  await world.apply(await web(world, '1.0.0', { stages: stages('prod-a', 'prod-b') }));
  await world.released('1.0.0');
  const asker = await startAsker(world, { 'prod-a': SERVICE_NAMES['prod-a'] });
  await world.apply(await web(world, '2.0.0', { stages: stages('prod-a', 'canary-vms') }));
  await world.released('2.0.0');
  expect((await world.status()).history?.[0]).toMatchObject({ version: '2.0.0', outcome: 'Good' });
  await world.until('the end of the pool that left', async () => (await world.pods('prod-b')).length === 0);
  await asker.hears('prod-a', '2.0.0');
  expect(errorsOf(await asker.answers())).toEqual([]);
  await asker.stop();
});
