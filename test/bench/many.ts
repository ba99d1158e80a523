// Part (h): thousands of releases in one namespace: what each further one costs, and whether a rollback feels the others.
import { atMost } from './at-most.ts';
import type { Environment } from './environment.ts';
import { settledRequests } from './environment.ts';
import { IN_FLIGHT } from './fleet.ts';
import { keepReleaseState } from './kept.ts';
import { NAMESPACE, RELEASES, servicelessRelease } from './objects.ts';
import type { Footprint } from './standing.ts';
import { addReleases, measureFootprint } from './standing.ts';
import type { WarmRollbacks } from './switching.ts';
import { measureWarmRollbacks } from './switching.ts';
import { watchObjects } from './watching.ts';

export interface ManyResult {
  releases: number;
  /** How many of them have a Service. */
  withService: number;
  /** Of each step in which releases were added: CPU seconds of the operator for each release. */
  steps: { upTo: number; cpuSeconds: number }[];
  footprint: Footprint;
  /** A release over five pools, before all others and among them. */
  alone: WarmRollbacks;
  among: WarmRollbacks;
}

/** Beyond a thousand Services this API server takes seconds to create one: the others have none. */
const WITH_SERVICE = 200;
const STEPS = 5;
const ROLLBACKS = 15;

/** All or nothing: a part that does not finish has no figure. `there`: how many releases there are already. */
export async function measureMany(environment: Environment, releases: number, there: number): Promise<ManyResult> {
  const { operator, say } = environment;
  const withService = Math.max(there, Math.min(WITH_SERVICE, Math.floor(releases / STEPS)));
  const times = Math.min(ROLLBACKS, Math.ceil(releases / STEPS));
  say('(h) warm rollbacks of one release alone');
  const alone = await measureWarmRollbacks(environment, 'alone', times);
  if (withService > there) await addReleases(environment, there, withService);
  const steps: ManyResult['steps'] = [];
  for (let step = 0; step < STEPS; step += 1) {
    const [from, upTo] = [step, step + 1].map(
      (at) => withService + Math.floor(((releases - withService) * at) / STEPS),
    );
    if (from === undefined || upTo === undefined) continue;
    await settledRequests(environment);
    const before = await operator.cpuSeconds();
    await addServiceless(environment, from, upTo);
    await settledRequests(environment);
    steps.push({ upTo, cpuSeconds: ((await operator.cpuSeconds()) - before) / (upTo - from) });
  }
  const footprint = await measureFootprint(environment, releases, 'in one namespace');
  say(`(h) warm rollbacks of one release among ${String(releases)}`);
  const among = await measureWarmRollbacks(environment, 'among', times);
  return { releases, withService, steps, footprint, alone, among };
}

async function addServiceless(environment: Environment, from: number, to: number): Promise<void> {
  const { admin, say } = environment;
  say(`(h) adding releases without a Service up to ${String(to)}`);
  const releases = await watchObjects(admin, RELEASES, keepReleaseState, { namespace: NAMESPACE });
  const names = Array.from({ length: to - from }, (_, index) => `serviceless-${String(from + index)}`);
  const ready = releases.every('releases', names, (release) => release.ready);
  await atMost(IN_FLIGHT, names, (name) =>
    admin.create(RELEASES, servicelessRelease(name, Number(name.split('-')[1]))),
  );
  await ready;
  await releases.stop();
}
