/** Runs the histories of some seeds and prints a line of JSON for each that fails: `node seeds.ts FIRST STEP LAST`. */
import { historyOf, runSeed } from './history.ts';

const [first = 1, step = 1, last = 1] = process.argv.slice(2).map(Number);
for (let seed = first; seed <= last; seed += step) {
  const { failure } = await runSeed(seed, false);
  if (failure === undefined) continue;
  const [why] = failure.split('\n');
  console.log(JSON.stringify({ seed, scenario: historyOf(seed).scenario.name, why }));
}
