// `make bench-clients`: how soon clients on real nodes reach the version before, by a ReleaseRollback and by a bare client that
// writes the selectors of three Services at once. Both lead to the same pods, in turns, in one run. It prints, and judges nothing.
import { setTimeout as sleep } from 'node:timers/promises';
import { SERVICES } from '../../src/controller/kinds/services.ts';
import { quantile } from '../bench/report.ts';
import { pool } from '../integration/release-objects.ts';
import { startAsker, timesTo, type Asker } from '../e2e/asker.ts';
import { POOLS, SERVICE_NAMES, web } from '../e2e/releases.ts';
import { api, test, type World } from '../e2e/world.ts';

const ROUNDS = 10;
/** kube-proxy puts off a sync for minSyncPeriod (1 s) after the one before: each round begins when none is pending. */
const QUIET_MS = 5_000;

type Selector = Readonly<Record<string, string>>;

/** By pool: the Service that the bare client writes. */
const BARE = Object.fromEntries(POOLS.map((name) => [`bare-${name}`, `bare-${name}`]));

/** Milliseconds from the first request until no pool answers with the version of before. */
const times = { 'by the operator': [] as number[], 'by a bare client': [] as number[] };

test('warm rollbacks over three pools', { timeout: 1_800_000 }, async ({ world }) => {
  const changes = {
    stages: [{ name: 'production', pools: [pool('canary-vms', 1), pool('prod-a', 2), pool('prod-b', 2)] }],
    rollback: { warmFor: '1h', drain: '3s' },
  };
  await world.apply(await web(world, '1.0.0', changes));
  await world.released('1.0.0');
  const before = await selectors(world, SERVICE_NAMES);
  await createBare(world, before);
  await world.apply(await web(world, '2.0.0', changes));
  await world.released('2.0.0');
  const asker = await startAsker(world, { ...SERVICE_NAMES, ...BARE });

  for (let round = 1; round <= ROUNDS; round += 1) {
    await world.until('a warm standby in each pool', async () =>
      ((await world.status()).pools ?? []).every(({ rollback }) => rollback?.readiness === 'Warm'),
    );
    const after = await selectors(world, SERVICE_NAMES);
    await flip(world, after);
    await hear(asker, Object.keys(BARE), '2.0.0');
    await sleep(QUIET_MS);
    const asked = Date.now();
    await flip(world, before);
    await note(times['by a bare client'], asker, Object.keys(BARE), asked);

    await sleep(QUIET_MS);
    const name = `round-${String(round)}`;
    await note(times['by the operator'], asker, POOLS, await world.rollback(name));
    await world.kubectl('wait', `releaserollback/${name}`, '--for=condition=Complete', '--timeout=60s');
    await world.promote(name, { version: '2.0.0', stage: 'production' });
    await world.released('2.0.0');
    await world.kubectl('delete', `releaserollback/${name}`, `releasepromotion/${name}`);
  }
  await asker.stop();
  console.log(table());
});

async function selectors(world: World, services: Readonly<Record<string, string>>): Promise<Record<string, Selector>> {
  const read = Object.entries(services).map(async ([name, service]) => {
    const { spec } = await api.get(SERVICES, { namespace: world.namespace, name: service });
    return [name, spec.selector ?? {}] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

async function createBare(world: World, by: Readonly<Record<string, Selector>>): Promise<void> {
  for (const name of POOLS) {
    const ports = [{ port: 80, targetPort: 'http' }];
    const metadata = { name: `bare-${name}` };
    await world.create({ apiVersion: 'v1', kind: 'Service', metadata, spec: { ports, selector: by[name] } });
  }
}

async function flip({ namespace }: World, to: Readonly<Record<string, Selector>>): Promise<void> {
  await Promise.all(
    POOLS.map((name) =>
      api.patch(
        SERVICES,
        { namespace, name: `bare-${name}` },
        { type: 'merge', body: { spec: { selector: to[name] } } },
      ),
    ),
  );
}

async function hear(asker: Asker, pools: readonly string[], version: string): Promise<void> {
  for (const name of pools) await asker.hears(name, version);
}

/** Until all pools answer with 1.0.0. */
async function note(into: number[], asker: Asker, pools: readonly string[], asked: number): Promise<void> {
  await hear(asker, pools, '1.0.0');
  const answers = await asker.answers('--since=60s');
  into.push(Math.max(...pools.map((name) => timesTo(answers, name, '1.0.0', asked).last)));
}

function table(): string {
  const rows = Object.entries(times).map(([who, taken]) => ({
    who,
    p50: quantile(taken, 0.5),
    worst: quantile(taken, 1),
    taken,
  }));
  const [own, bare] = rows;
  const lines = rows.map(({ who, p50, worst, taken }) =>
    [who.padEnd(18), `${String(p50)} ms`.padStart(9), `${String(worst)} ms`.padStart(9), `  ${taken.join(' ')}`].join(
      ' ',
    ),
  );
  const ratio =
    own && bare ? `${(own.p50 / bare.p50).toFixed(2)} × p50, ${(own.worst / bare.worst).toFixed(2)} × worst` : '';
  return [
    `From the request to the last answer of the newer version in three pools, ${String(ROUNDS)} warm rollbacks each:`,
    `${''.padEnd(18)} ${'p50'.padStart(9)} ${'worst'.padStart(9)}   all`,
    ...lines,
    `The operator beside the bare client: ${ratio} (aim 1.2).`,
  ].join('\n');
}
