// The answers to clients during release, promotion and rollback, with times.
import { afterAll, describe, expect } from 'vitest';
import { pool } from '../../integration/release-objects.ts';
import { errorsOf, runsOf, startAsker, timesTo, type Answer } from '../asker.ts';
import { forget, imagePulls } from '../nodes.ts';
import { onePool, POOLS, SERVICE_NAMES, web } from '../releases.ts';
import { test } from '../world.ts';

const times: { rollback: string; pool: string; first: number; last: number }[] = [];

function measure(
  rollback: string,
  answers: readonly Answer[],
  pools: readonly string[],
  version: string,
  asked: number,
) {
  for (const name of pools) times.push({ rollback, pool: name, ...timesTo(answers, name, version, asked) });
}

afterAll(() => {
  const rows = times.map(({ rollback, pool: name, first, last }) =>
    [rollback.padEnd(8), name.padEnd(12), String(first).padStart(12), String(last).padStart(11)].join(' '),
  );
  const head = 'rollback pool         first answer last answer';
  console.log(
    `From the ReleaseRollback's creation to the first answer of the old version, and to the last of the new (ms):`,
  );
  console.log([head, ...rows].join('\n'));
});

describe('clients', () => {
  test('get one version after the other in each pool, without a failure', async ({ world }) => {
    await world.apply(await web(world, '1.0.0'));
    await world.released('1.0.0');
    const asker = await startAsker(world, SERVICE_NAMES);

    await world.apply(await web(world, '2.0.0'));
    await world.released('2.0.0');
    for (const name of POOLS) await asker.hears(name, '2.0.0');

    const asked = await world.rollback('back', { reason: 'checkout fails' });
    await world.kubectl('wait', 'releaserollback/back', '--for=condition=Complete', '--timeout=60s');
    for (const name of POOLS) await asker.hears(name, '1.0.0');
    await world.conditionIs('RolledBack', 'True', 'HeldByRollback');
    await world.conditionIs('Available', 'True');

    const answers = await asker.answers();
    await asker.stop();
    expect(errorsOf(answers)).toEqual([]);
    for (const name of POOLS) {
      expect(runsOf(answers, name).map(({ version }) => version)).toEqual(['1.0.0', '2.0.0', '1.0.0']);
    }
    // Stage by stage.
    const arrivals = POOLS.map((name) => runsOf(answers, name)[1]?.first ?? 0);
    expect(arrivals).toEqual(arrivals.toSorted((a, b) => a - b));
    measure('warm', answers, POOLS, '1.0.0', asked);
  });

  test.for(['cached', 'cold'] as const)('get no failure in a %s rollback', async (image, { world }) => {
    // A separate node without the images of other tests.
    const changes = { ...onePool(pool('prod-b', 2)), rollback: { warmFor: '0s', drain: '5s' } };
    const [before, after] = [`1.1.0-${image}`, `2.1.0-${image}`];
    await world.apply(await web(world, before, changes));
    await world.released(before);
    const asker = await startAsker(world, { 'prod-b': SERVICE_NAMES['prod-b'] });
    await world.apply(await web(world, after, changes));
    await world.released(after);
    await world.until('the end of the old pods', async () => (await world.pods()).length === 2);
    if (image === 'cold') await forget(world, before);

    const asked = await world.rollback('back');
    await asker.hears('prod-b', before);
    const answers = await asker.answers();
    await asker.stop();
    expect(errorsOf(answers)).toEqual([]);
    expect(runsOf(answers, 'prod-b').map(({ version }) => version)).toEqual([before, after, before]);
    expect(await imagePulls(world, 'prod-b')).toBe(image === 'cold');
    measure(image, answers, ['prod-b'], before, asked);
  });
});
