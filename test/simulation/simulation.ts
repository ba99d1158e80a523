/** One history: users, operators, the cluster and time take steps in turn. */
import type { Faults, Operator } from './operator.ts';
import { createOperator, NO_FAULTS } from './operator.ts';
import type { ApiServer } from './api-server.ts';
import { createApiServer } from './api-server.ts';
import type { Cluster } from './cluster.ts';
import { createCluster } from './cluster.ts';
import { describeWrite } from './describe.ts';
import { watchInvariants } from './invariants.ts';
import { createRandom } from './prng.ts';
import type { Registry } from './registry.ts';
import { createRegistry } from './registry.ts';
import type { Scenario, UserStep } from './scenario.ts';
import type { Users } from './users.ts';
import { addNodes, createUsers } from './users.ts';
import type { World } from './world.ts';
import { createWorld, secondsOf } from './world.ts';
import { checkEnd } from './ending.ts';
import { rejectTemplates } from './scenario.ts';

/** The choice of the next step, and the faults. */
export interface Conduct {
  seed: number;
  /** Absent: in turn (requests, events, passes, cluster, users, time). Otherwise at random, with these weights. */
  order: 'default' | Weights;
  faults: Faults;
  operators: number;
  /** The operator crashes once, after this write. */
  crashAfter?: number;
}

export interface Weights {
  request: number;
  deliver: number;
  pass: number;
  resolve: number;
  cluster: number;
  user: number;
  time: number;
  /** The slowdown of the second operator. */
  laggard: number;
}

export interface HistoryOutcome {
  /** The failure of the history. */
  failure?: string;
  log: string[];
  steps: number;
  writes: number;
}

/** The view of users and expectations. */
export interface Scene {
  world: World;
  users: Users;
  cluster: Cluster;
  registry: Registry;
  admission: ApiServer['admission'];
}

interface Step {
  kind: keyof Omit<Weights, 'laggard'>;
  slow: boolean;
  step: () => void;
}

const MAX_STEPS = 10_000;
/** Longer than any soak, deadline or back-off, and than two resyncs. */
const QUIET_MS = 25 * 60_000;
/** How far time may run ahead of pending work: the maximum slowness. */
const HASTE_MS = 5000;
/** The duration of a step, so that time advances under load. */
const STEP_MS = 20;
const TURNS: readonly Step['kind'][] = ['request', 'deliver', 'resolve', 'cluster', 'pass', 'user', 'time'];

/** Steps after which a pass may go on: an answer, an interruption, the end of a request that hangs. */
const LEADS_ON = new Set<Step['kind']>(['request', 'deliver', 'pass', 'time']);

export async function simulate(scenario: Scenario, conduct: Conduct, keepLog: boolean): Promise<HistoryOutcome> {
  const random = createRandom(conduct.seed);
  const world = createWorld();
  const api = createApiServer(world);
  const registry = createRegistry();
  const log: string[] = [];
  const isRandom = conduct.order !== 'default';
  const cluster = createCluster(world, api, () => (isRandom ? random.between(1, 8) * 1000 : 3000));
  const users = createUsers({ world, api, kubelet: cluster.kubelet, registry });
  const scene: Scene = { world, users, cluster, registry, admission: api.admission };
  const state = {
    faults: conduct.faults,
    lastWrite: world.now(),
    userAt: 0,
    userFree: true,
    bug: '',
    busy: undefined as { since: number; steps: number } | undefined,
  };
  const operators: Operator[] = [];
  /** With two leaders, or in another order, users may meet unexpected situations. */
  const isLoose = conduct.operators > 1 || (isRandom && scenario.orderly === true);
  const calm = !isRandom && conduct.operators === 1;
  const { violations } = watchInvariants({
    world,
    calm,
    alone: conduct.operators === 1,
    knows: (actor) => operators.find(({ name }) => name === actor)?.knowledge,
  });

  function tell(line: string): void {
    if (keepLog) log.push(`t=${secondsOf(world)}s ${line}`);
  }

  world.onWrite((write) => {
    state.lastWrite = world.now();
    if (!keepLog) return;
    for (const line of describeWrite(world, write, conduct.operators > 1)) tell(line);
  });
  for (const name of scenario.nodes ?? ['canary', 'prod-a', 'prod-b', 'prod-c']) addNodes(world, name, 2);
  rejectTemplates(api);
  scenario.prepare?.(scene);
  for (let number = 1; number <= conduct.operators; number += 1) {
    operators.push(
      createOperator({
        name: `operator-${number}`,
        leadsAnew: () => conduct.operators > 1,
        world,
        api,
        registry,
        random,
        faults: () => state.faults,
        record: (release, { reason, note }) => {
          tell(`${release}: event ${reason}: ${note}`);
        },
        ...(!isRandom && { crashesAfter: (writes) => writes === conduct.crashAfter }),
        onCrash: () => {
          tell(`operator-${number} ends and is started anew`);
        },
        onBug: (error) => {
          state.bug ||= error instanceof Error ? (error.stack ?? error.message) : String(error);
        },
      }),
    );
  }

  function userStep(): UserStep | undefined {
    return state.userFree ? scenario.steps[state.userAt] : undefined;
  }

  function takeUserStep(step: UserStep): void {
    tell(`user: ${step.say}`);
    step.act(scene);
    state.userAt += 1;
    const next = scenario.steps[state.userAt];
    state.lastWrite = world.now();
    if (next?.after === undefined) return;
    state.userFree = false;
    world.after(next.after, () => {
      state.userFree = true;
    });
  }

  function candidates(): Step[] {
    const steps: Step[] = [];
    operators.forEach((operator, index) => {
      for (const { kind, step } of operator.runnable()) steps.push({ kind, step, slow: index > 0 });
    });
    for (const { step } of cluster.runnable()) steps.push({ kind: 'cluster', step, slow: false });
    const user = userStep();
    if (user && (user.when?.(scene) ?? true)) {
      steps.push({
        kind: 'user',
        slow: false,
        step: () => {
          takeUserStep(user);
        },
      });
    }
    if (steps.length === 0) state.busy = undefined;
    else state.busy = { since: state.busy?.since ?? world.now(), steps: (state.busy?.steps ?? 0) + 1 };
    const due = world.nextTimer();
    const until = state.busy ? state.busy.since + HASTE_MS + state.busy.steps * STEP_MS : state.lastWrite + QUIET_MS;
    if (due !== undefined && due <= until) steps.push({ kind: 'time', slow: false, step: world.elapse });
    return steps;
  }

  function choose(steps: readonly Step[]): Step | undefined {
    if (conduct.order === 'default') {
      return steps.toSorted((a, b) => TURNS.indexOf(a.kind) - TURNS.indexOf(b.kind))[0];
    }
    const weights = conduct.order;
    const weighed = steps.map(({ kind, slow }) => weights[kind] * (slow ? weights.laggard : 1));
    let left = random.next() * weighed.reduce((sum, weight) => sum + weight, 0);
    return steps[weighed.findIndex((weight) => (left -= weight) < 0)] ?? steps.at(-1);
  }

  let taken = 0;

  /** Runs until only waiting is left. */
  async function run(): Promise<string | undefined> {
    for (;;) {
      if (violations[0] !== undefined) return violations[0];
      if (state.bug !== '') return `the reconciler failed: ${state.bug}`;
      if (taken > MAX_STEPS) return `no fixed point after ${MAX_STEPS} steps`;
      const finished = state.userAt >= scenario.steps.length;
      if (finished) state.faults = NO_FAULTS;
      const next = choose(candidates());
      if (!next) {
        const waiting = scenario.steps[state.userAt];
        if (!waiting) return undefined;
        if (!waiting.optional && !isLoose) return `the user waits in vain: ${waiting.say}`;
        state.userAt += 1;
        continue;
      }
      taken += 1;
      next.step();
      if (LEADS_ON.has(next.kind)) await microtasks();
    }
  }

  /** Another pass over everything must change nothing. */
  async function isFixed(): Promise<string | undefined> {
    const before = world.version();
    for (const operator of operators) operator.resync();
    const failure = await run();
    if (failure !== undefined) return failure;
    return world.version() === before ? undefined : 'a pass over what is settled writes';
  }

  let failure = await run();
  if (failure === undefined) failure = checkEnd(scene, scenario, isLoose);
  if (failure === undefined) failure = await isFixed();
  const writes = operators.reduce((sum, operator) => sum + operator.writes(), 0);
  return { log, steps: taken, writes, ...(failure !== undefined && { failure }) };
}

/** Lets all promises settle that can. */
function microtasks(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
