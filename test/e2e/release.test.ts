// Issue 4, item 4: what clients of the app see while it is released, promoted and taken back.
import { describe, expect } from 'vitest';
import { errorsOf, runsOf, startAsker, timesTo } from './asker.ts';
import { POOLS, SERVICES, web } from './releases.ts';
import { test } from './world.ts';

describe('clients', () => {
  test('see one version after the other in each pool, and no failure, in a promotion and a rollback', async ({
    world,
  }) => {
    await world.apply(await web(world, '1.0.0'));
    await world.released('1.0.0');
    const asker = await startAsker(world, SERVICES);

    await world.apply(await web(world, '2.0.0'));
    await world.released('2.0.0');
    for (const pool of POOLS) await asker.hears(pool, '2.0.0');

    const asked = Date.now();
    await world.rollback('back', { reason: 'checkout fails' });
    for (const pool of POOLS) await asker.hears(pool, '1.0.0');
    await world.kubectl('wait', 'releaserollback/back', '--for=condition=Complete', '--timeout=60s');

    const answers = await asker.answers();
    expect(errorsOf(answers)).toEqual([]);
    for (const pool of POOLS) {
      expect(runsOf(answers, pool).map(({ version }) => version)).toEqual(['1.0.0', '2.0.0', '1.0.0']);
    }
    // Stage by stage: no pool of the next one before all of the stage before.
    const entered = POOLS.map((pool) => runsOf(answers, pool)[1]?.first ?? 0);
    expect(entered).toEqual(entered.toSorted((a, b) => a - b));
    for (const pool of POOLS) console.log('warm', pool, timesTo(answers, pool, '1.0.0', asked));
    await world.conditionIs('RolledBack', 'True');
    await asker.stop();
  });
});
