// `make bench`: measures the operator on a real API server and prints a table, each figure beside its aim.
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { Environment } from './environment.ts';
import { prepare, RAISED_FLAGS } from './environment.ts';
import { measureFleet } from './fleet.ts';
import { measureMany } from './many.ts';
import { measurePlugin } from './plugin.ts';
import type { Results } from './report.ts';
import { formatRows, requestDetails, toRows } from './report.ts';
import { measureRoom } from './room.ts';
import { addReleases, measureFootprint, measureIdle } from './standing.ts';
import { measureWarmRollbacks } from './switching.ts';

const usage = `Usage: node test/bench/bench.ts [options]
  --only LETTERS    parts to run, of a (warm rollback), b (releases at once, with c), d (idle), e (memory), g (room, which
                    needs no cluster), h (thousands of releases), p (the kubectl plugin); default abdegp
  --releases N      releases of part b; default 200
  --most N          releases at the end of part e; default 1000
  --many N          releases of part h; default 5000
  --rollbacks N     rollbacks of part a, and runs of part p; default 30
  --idle SECONDS    of part d; default 60
  --samples N       of the memory in parts e and h, one each second; default 10
  --json FILE       also write the results there
  --bundle FILE     measure this operator instead of building it
  --profile DIR     write a CPU profile of the operator there
`;

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', default: 'abdegp' },
    releases: { type: 'string', default: '200' },
    most: { type: 'string', default: '1000' },
    many: { type: 'string', default: '5000' },
    rollbacks: { type: 'string', default: '30' },
    idle: { type: 'string', default: '60' },
    samples: { type: 'string', default: '10' },
    json: { type: 'string' },
    bundle: { type: 'string' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const started = performance.now();

function say(line: string): void {
  process.stderr.write(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);
}

/** Fills `results` part by part: what comes to an end early has some. */
async function measure(environment: Environment, results: Results): Promise<void> {
  const parts = new Set(flags.only);
  const count = Number(flags.releases);
  if (parts.has('a')) {
    say('(a) warm rollbacks of one release over 5 pools');
    results.warmRollbacks = await measureWarmRollbacks(environment, 'wide', Number(flags.rollbacks));
  }
  if (parts.has('e')) results.footprints = [await measureFootprint(environment, 0, '')];
  let releases = 0;
  if (parts.has('b')) {
    results.fleet = await measureFleet(environment, count);
    releases = count;
  } else if (parts.has('d') || parts.has('e')) {
    await addReleases(environment, 0, count);
    releases = count;
  }
  if (parts.has('d')) {
    const seconds = Number(flags.idle);
    results.idle = { seconds, releases, requests: await measureIdle(environment, seconds) };
  }
  if (results.footprints) {
    results.footprints.push(await measureFootprint(environment, releases, ''));
    const most = Number(flags.most);
    if (most > releases) {
      await addReleases(environment, releases, most);
      results.footprints.push(await measureFootprint(environment, most, ''));
      releases = most;
    }
  }
  if (parts.has('p')) results.firstAnswers = await measurePlugin(environment, Number(flags.rollbacks));
  if (parts.has('h')) results.many = await measureMany(environment, Number(flags.many), releases);
}

async function main(): Promise<void> {
  const results: Results = {};
  if (flags.only.includes('g')) {
    say('(g) room for the largest spec on 1,000 VMs');
    results.room = measureRoom();
  }
  if (flags.only === 'g') await print(results);
  else await measureOnCluster(results);
}

async function measureOnCluster(results: Results): Promise<void> {
  const preparing = prepare({
    say,
    samples: Number(flags.samples),
    ...(flags.bundle !== undefined && { bundle: flags.bundle }),
    ...(flags.profile !== undefined && { profileDir: flags.profile }),
  });
  const interrupted = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]).then((): never => {
    throw new Error('interrupted');
  });
  interrupted.catch(() => undefined);
  try {
    const environment = await Promise.race([preparing, interrupted]);
    await Promise.race([measure(environment, results), interrupted]);
  } finally {
    if (Object.keys(results).length > 0) await print(results);
    say('stopping');
    await preparing.then(
      (environment) => environment.stop(),
      () => undefined,
    );
  }
}

async function print(results: Results): Promise<void> {
  const count = Number(flags.releases);
  const rows = toRows(results, count);
  const machine = `${String(cpus().length)} CPUs, load ${loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')}`;
  const lines = [
    '',
    `Everything on one machine: ${machine}.`,
    `kube-controller-manager with raised limits: ${RAISED_FLAGS.join(' ')}.`,
    'Beside each release: one plain Deployment with its Service, same pods, default rolling update.',
    '',
    formatRows(rows),
    ...(results.fleet
      ? ['', 'Requests of the operator for each release', ...requestDetails(results.fleet, count)]
      : []),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  if (flags.json !== undefined) {
    await writeFile(flags.json, `${JSON.stringify({ machine, flags: RAISED_FLAGS, rows, results }, undefined, 2)}\n`);
  }
}

if (flags.help) {
  process.stdout.write(usage);
} else {
  try {
    await main();
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  }
}
