// The real reconciler in an in-memory world. The invariants check every write.
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { ORDERLY, SCENARIOS } from './history.ts';
import { NO_FAULTS } from './operator.ts';
import type { Scenario } from './scenario.ts';
import { SHARING } from './sharing-scenarios.ts';
import { simulate } from './simulation.ts';

const histories = Number(process.env['SIM_HISTORIES'] ?? 300);
const firstSeed = Number(process.env['SIM_SEED'] ?? 1);
const TOLD = [
  'rollback-by-hand',
  'rollback-during-a-promotion',
  'rollback-then-the-retry',
  'rollback-of-workers',
  'crashing-version-then-a-fix',
  'fails-in-production-one-pool-back',
  'node-lost-is-no-failure',
  'scaled-again-and-again-then-a-version-and-back',
  'restarted-again-and-again-then-a-version-and-back',
  'contested-then-a-version-and-back',
];

/** Scenarios whose end does not depend on a crash, whenever it comes. */
const CRASHED = ['promotion', 'rollback-by-hand', 'failing-version', 'exposure'];

function scenarioNamed(name: string): Scenario {
  const scenario = SCENARIOS.find((candidate) => candidate.name === name);
  if (!scenario) throw new Error(`there is no scenario ${name}`);
  return scenario;
}

describe('in the default order', () => {
  test.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))('%s', async (_name, scenario) => {
    const { failure } = await simulate(scenario, ORDERLY, false);
    expect(failure).toBeUndefined();
  });

  // A change of the operator's actions or their order shows here: `vitest -u` accepts the new log.
  test.each(TOLD)('the log of %s', async (name) => {
    const { log, failure } = await simulate(scenarioNamed(name), ORDERLY, true);
    expect(failure).toBeUndefined();
    await expect(`${log.join('\n')}\n`).toMatchFileSnapshot(`golden/${name}.log`);
  });
});

test.each(CRASHED)('%s, with an operator that crashes after each of its writes', async (name) => {
  const scenario = scenarioNamed(name);
  const { writes } = await simulate(scenario, ORDERLY, false);
  for (let crashAfter = 1; crashAfter <= writes; crashAfter += 1) {
    const { failure } = await simulate(scenario, { ...ORDERLY, crashAfter }, false);
    expect(failure, `after write ${crashAfter}`).toBeUndefined();
  }
});

/** Cluster and operators are late, so that releases are admitted before the pods of others are on VMs. */
const LATE = { request: 4, deliver: 5, pass: 3, resolve: 1, cluster: 0.5, user: 1, time: 0.02, laggard: 0.2 };

// In the default order the pods of one release are on VMs before the next release is reconciled.
test.each(SHARING.map((scenario) => [scenario.name, scenario] as const))(
  '%s, in other orders, with an operator that crashes, and with two',
  async (_name, scenario) => {
    for (let seed = 1; seed <= 6; seed += 1) {
      const faults = { ...NO_FAULTS, crash: seed % 3 === 0 ? 0.05 : 0 };
      const conduct = { seed, order: LATE, faults, operators: seed === 6 ? 2 : 1 };
      const { failure } = await simulate(scenario, conduct, false);
      expect(failure, `seed ${seed}`).toBeUndefined();
    }
  },
  120_000,
);

test(`${histories} random histories from seed ${firstSeed}`, async () => {
  const workers = availableParallelism();
  const outputs = await Promise.all(
    Array.from({ length: workers }, (_, worker) =>
      promisify(execFile)(
        process.execPath,
        [join(import.meta.dirname, 'seeds.ts'), firstSeed + worker, workers, firstSeed + histories - 1].map(String),
        { maxBuffer: 64 * 1024 * 1024 },
      ),
    ),
  );
  const failed = outputs
    .flatMap(({ stdout }) => stdout.split('\n').filter(Boolean))
    .map((line) => JSON.parse(line) as { seed: number; scenario: string; why: string })
    .map(({ seed, scenario, why }) => `${scenario}: ${why}\n  npx node test/simulation/replay.ts ${seed}`);
  expect(failed.join('\n')).toBe('');
}, 3_600_000);
