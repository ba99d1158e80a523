/** Replays one history: `npx node test/simulation/replay.ts <seed>`. */
import { historyOf } from './history.ts';
import { simulate } from './simulation.ts';

const seed = Number(process.argv[2]);
if (!Number.isInteger(seed)) throw new Error('give the seed of a history');
const { scenario, conduct } = historyOf(seed);
const { log, failure, steps, writes } = await simulate(scenario, conduct, true);
process.stdout.write(`${log.join('\n')}\n`);
process.stdout.write(
  `${scenario.name}: ${JSON.stringify(conduct)}\n${steps} steps, ${writes} writes: ${failure ?? 'as it must be'}\n`,
);
process.exitCode = failure === undefined ? 0 : 1;
