/** Seed → history: the scenario, the order, and the faults. */
import { ADMISSION } from './admission-scenarios.ts';
import { anything } from './fuzz.ts';
import { NO_FAULTS } from './operator.ts';
import type { Random } from './prng.ts';
import { createRandom } from './prng.ts';
import { AUTOSCALING } from './autoscaling-scenarios.ts';
import { BY_HAND } from './hand-scenarios.ts';
import { CHANGES } from './change-scenarios.ts';
import { FOREIGN } from './foreign-scenarios.ts';
import { DRIFT } from './drift-scenarios.ts';
import { FAILURE } from './failure-scenarios.ts';
import { HANGING } from './hanging-scenarios.ts';
import { HOLD } from './hold-scenarios.ts';
import { PROMOTION } from './promotion-scenarios.ts';
import { RENAMES } from './rename-scenarios.ts';
import { ROLLBACK } from './rollback-scenarios.ts';
import { PORTS } from './port-scenarios.ts';
import { SERVICE_SCENARIOS } from './service-scenarios.ts';
import { STANDING } from './standing-scenarios.ts';
import { KEPT } from './kept-scenarios.ts';
import { LOST_RECORDS } from './lost-record-scenarios.ts';
import { EXPOSURES } from './exposure-scenarios.ts';
import { ROUTES } from './route-scenarios.ts';
import { MOVES } from './move-scenarios.ts';
import { SIZES } from './size-scenarios.ts';
import { SHARING } from './sharing-scenarios.ts';
import { VMS } from './vm-scenarios.ts';
import type { Scenario } from './scenario.ts';

import type { Conduct, HistoryOutcome, Weights } from './simulation.ts';
import { simulate } from './simulation.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...PROMOTION,
  ...CHANGES,
  ...BY_HAND,
  ...DRIFT,
  ...ROLLBACK,
  ...HOLD,
  ...FAILURE,
  ...STANDING,
  ...SERVICE_SCENARIOS,
  ...PORTS,
  ...VMS,
  ...SHARING,
  ...MOVES,
  ...AUTOSCALING,
  ...FOREIGN,
  ...SIZES,
  ...ADMISSION,
  ...RENAMES,
  ...HANGING,
  ...KEPT,
  ...LOST_RECORDS,
  ...ROUTES,
  ...EXPOSURES,
];

/** The default order, without faults. */
export const ORDERLY: Conduct = { seed: 0, order: 'default', faults: NO_FAULTS, operators: 1 };

export interface History {
  scenario: Scenario;
  conduct: Conduct;
}

/** Every third history has random user actions. */
export function historyOf(seed: number): History {
  const random = createRandom(seed);
  const scenario = random.chance(1 / 3) ? anything(random) : random.pick(SCENARIOS);
  const faulty = random.chance(0.6);
  const conduct: Conduct = {
    seed,
    order: weightsOf(random),
    operators: random.chance(0.2) ? 2 : 1,
    faults: faulty
      ? {
          lose: random.pick([0, 0, 0.1, 0.5]),
          repeat: random.pick([0, 0.1]),
          refuse: random.pick([0, 0.05, 0.2]),
          forget: random.pick([0, 0.05, 0.2]),
          crash: random.pick([0, 0, 0.02, 0.1]),
          hang: random.pick([0, 0, 0.05]),
        }
      : NO_FAULTS,
  };
  return { scenario, conduct };
}

/** Events are fast in some histories, and late in others. */
function weightsOf(random: Random): Weights {
  return {
    request: random.pick([1, 4, 10]),
    deliver: random.pick([0.2, 1, 5, 50]),
    pass: random.pick([0.3, 1, 3]),
    resolve: 1,
    cluster: random.pick([0.5, 2, 5]),
    user: random.pick([0.05, 0.3, 1]),
    time: random.pick([0, 0.02, 0.1]),
    laggard: random.pick([0.02, 0.2, 1]),
  };
}

export function runSeed(seed: number, keepLog: boolean): Promise<HistoryOutcome> {
  const { scenario, conduct } = historyOf(seed);
  return simulate(scenario, conduct, keepLog);
}
