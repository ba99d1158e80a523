/** Replays one history, or one scenario in the default order: `npx node test/simulation/replay.ts <seed or scenario>`. */
import { historyOf, ORDERLY, SCENARIOS } from './history.ts';
import { simulate } from './simulation.ts';

const [, , asked = ''] = process.argv;
const named = SCENARIOS.find(({ name }) => name === asked);
if (!named && !/^\d+$/.test(asked)) throw new Error('give the seed of a history, or the name of a scenario');
const { scenario, conduct } = named ? { scenario: named, conduct: ORDERLY } : historyOf(Number(asked));
const { log, failure, steps, writes } = await simulate(scenario, conduct, true);
process.stdout.write(`${log.join('\n')}\n`);
process.stdout.write(
  `${scenario.name}: ${JSON.stringify(conduct)}\n${steps} steps, ${writes} writes: ${failure ?? 'as it must be'}\n`,
);
process.exitCode = failure === undefined ? 0 : 1;
