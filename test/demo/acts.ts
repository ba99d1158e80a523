// The acts of the demo. Each runs commands that a user would type, and waits for the expected result.
import { setTimeout as delay } from 'node:timers/promises';
import type { ReleaseRollback } from '../../src/api/release-rollback.ts';
import { conditionIs, findCondition } from '../../src/api/conditions.ts';
import { shareBar } from './bar.ts';
import { rowsOf } from './rows.ts';
import type { Screen } from './screen.ts';
import type { Shell } from './shell.ts';
import { isReleased, servicesSelect, slicesShow, stateOf, type World } from './world.ts';

/** The tags of the example image, in the order of the acts. The image name can make a simulated pod never ready. */
export const VERSIONS = ['1.0.0', '1.1.0', '1.2.0-unready', '1.3.0', '1.4.0'] as const;
const [FIRST, SECOND, , FOURTH, FIFTH] = VERSIONS;
export const [, , BROKEN] = VERSIONS;

const CANARY = ['canary-vms'];
const PRODUCTION = ['prod-a', 'prod-b', 'prod-c'];
const ALL = [...CANARY, ...PRODUCTION];

export const APPROVE = 'kubectl create -f examples/promotion.yaml';

/** The differences between clusters. */
export interface Script {
  readonly namespace: string;
  /** Commands before the first version is applied. */
  readonly opening: readonly string[];
  /** Commands that show the VMs of the release, when each production pool has this number of pods. */
  readonly vms: (pods: number) => readonly string[];
  /** The command that changes the version, like a commit. */
  readonly commit: (version: string) => string;
  /** Commands that promote a version after an earlier one failed. */
  readonly letIn: (version: string) => readonly string[];
  /** Commands that give the release a route, and the canary steps. Absent: the cluster has nothing that answers for a Gateway. */
  readonly traffic?: readonly string[];
}

/** The context of an act. */
export interface Theatre {
  readonly script: Script;
  readonly screen: Screen;
  readonly shell: Shell;
  readonly world: World;
  readonly signal: AbortSignal;
}

/** A measured time. */
export interface Measured {
  readonly what: string;
  /** Milliseconds since the command was started. */
  readonly sinceCommand: number;
  /** Milliseconds since the API server stored the object that requests it. */
  readonly sinceObject: number;
}

/** Plays all acts; returns the measured times. */
export async function play(theatre: Theatre): Promise<Measured[]> {
  await releaseFirst(theatre);
  const promotion = await promoteSecond(theatre);
  await rollBackBroken(theatre);
  const rollback = await takeBackFourth(theatre);
  if (theatre.script.traffic) await exposeFifth(theatre, theatre.script.traffic);
  return [...promotion, ...rollback];
}

async function releaseFirst(theatre: Theatre): Promise<void> {
  const { shell, screen, script } = theatre;
  headline(screen, 1, `version ${FIRST} is released, stage by stage`);
  for (const command of script.opening) await shell(command);
  await shell('kubectl apply -k .');
  note(screen, 'The production stage needs an approval, which may be given in advance:');
  await shell(APPROVE);
  await watched(
    theatre,
    `${FIRST} in every pool`,
    released(FIRST),
    () => `${FIRST} is released: one digest in all pools`,
  );
  await showVms(theatre, 3, 'The VMs of the release, their requested resources, and their tenants:');
  await pause(theatre, 2);
}

async function promoteSecond(theatre: Theatre): Promise<Measured[]> {
  const { shell, screen, world } = theatre;
  headline(screen, 2, `version ${SECOND} is promoted from the canary to production`);
  const applying = stopwatch(world, ({ release }) => wantedVersion(release()) === SECOND);
  const canary = applying.until(`${SECOND} in the canary pool`, servicesSelect(SECOND, CANARY));
  await wantVersion(theatre, SECOND);
  const inCanary = await watched(
    theatre,
    `the canary with ${SECOND}, its soak, and then a person`,
    ({ release }) => findCondition(release()?.status?.conditions, 'Ready')?.reason === 'WaitingForApproval',
    () => 'The canary has soaked; production waits for an approval',
    canary,
  );
  await pause(theatre, 3);

  const known = world.promotions().length;
  const approving = stopwatch(world, ({ promotions }) => promotions().length > known);
  const production = approving.until(`${SECOND} in production`, servicesSelect(SECOND, PRODUCTION));
  screen.say('');
  await shell(APPROVE);
  const inProduction = await watched(
    theatre,
    `${SECOND} in every pool`,
    released(SECOND),
    () => `${SECOND} is released; ${FIRST} stays warm beside it`,
    production,
  );
  await showVms(
    theatre,
    6,
    `Both versions run on the VMs, for an instant rollback, until the standby ${FIRST} is removed:`,
  );
  await pause(theatre, 2);
  return [
    { what: `${SECOND} applied → the canary pool serves it`, ...inCanary },
    { what: `approval → all ${PRODUCTION.length} production pools serve it`, ...inProduction },
  ];
}

async function rollBackBroken(theatre: Theatre): Promise<void> {
  const { screen, world, shell, script } = theatre;
  headline(screen, 3, `version ${BROKEN} never becomes ready: the operator rolls it back`);
  const serving = new Set<string>();
  world.onChange(() => {
    for (const pool of ALL) if (servicesSelect(BROKEN, [pool])(world)) serving.add(pool);
  });
  await wantVersion(theatre, BROKEN);
  await watched(
    theatre,
    `the progress deadline; the canary meanwhile serves ${SECOND}`,
    (now) => now.rollbacks().some(isComplete) && heldAt(SECOND)(now),
    () => `${BROKEN} failed and is held; no Service ever selected it`,
  );
  if (serving.size > 0) throw new Error(`pool ${[...serving].join()} served ${BROKEN}, which was never ready`);
  await shell(`kubectl get releaserollbacks -n ${script.namespace}`);
  const record = world.rollbacks().find(isComplete);
  note(screen, `Why: ${record?.spec.reason ?? 'unknown'}`);
  await pause(theatre, 3);
}

async function takeBackFourth(theatre: Theatre): Promise<Measured[]> {
  const { screen, shell, world, signal, script } = theatre;
  headline(screen, 4, `version ${FOURTH} is released, and a person rolls it back in every pool`);
  await wantVersion(theatre, FOURTH);
  // A promotion that names a version is rejected if the version was never recorded.
  await world.until(`${FOURTH} recorded`, ({ release }) => {
    const { version, revision } = release()?.status ?? {};
    return version === FOURTH && revision !== undefined;
  });
  for (const command of script.letIn(FOURTH)) await shell(command);
  await watched(theatre, `${FOURTH} in every pool`, released(FOURTH), () => `${FOURTH} is released`);
  await pause(theatre, 2);

  note(screen, 'Then a customer calls.');
  const known = world.rollbacks().length;
  const asking = stopwatch(world, ({ rollbacks }) => rollbacks().length > known);
  const switched = asking.until(`every Service back at ${SECOND}`, servicesSelect(SECOND, ALL));
  const shown = asking.until(`every EndpointSlice back at ${SECOND}`, slicesShow(SECOND, ALL));
  await shell('kubectl create -f examples/rollback.yaml');
  const services = await watched(
    theatre,
    `every pool back at ${SECOND}`,
    (now) => now.rollbacks().every(isComplete) && heldAt(SECOND)(now) && slicesShow(SECOND, ALL)(now),
    ({ sinceObject }) => `All ${ALL.length} Services were switched back in ${Math.round(sinceObject)} ms`,
    switched,
  );
  const slices = await shown;
  await pause(theatre, 2);

  note(screen, `Git still names ${FOURTH}, and GitOps applies it again:`);
  const before = world.services().map(({ metadata }) => metadata.resourceVersion);
  await shell('kubectl apply --server-side --force-conflicts -k .');
  await shell('kubectl diff -k . && echo "no difference for GitOps"');
  await delay(3000, undefined, { signal });
  const after = world.services().map(({ metadata }) => metadata.resourceVersion);
  if (after.join() !== before.join() || !servicesSelect(SECOND, ALL)(world)) {
    throw new Error(`the rollback did not hold: a Service was written although ${FOURTH} was only applied again`);
  }
  note(screen, `No Service was written within 3 s: the rollback holds until Git names another version.`);
  await shell(`kubectl get appreleases -n ${script.namespace}`);
  await shell(`kubectl get releaserollbacks -n ${script.namespace}`);
  return [
    { what: `rollback → all ${ALL.length} Services switched`, ...services },
    { what: 'rollback → every EndpointSlice shows it', ...slices },
  ];
}

async function exposeFifth(theatre: Theatre, commands: readonly string[]): Promise<void> {
  const { shell, screen, world, script } = theatre;
  headline(screen, 5, `version ${FIFTH} gets the traffic of the canary step by step`);
  note(screen, 'One route leads to all pools, and the canary gets steps. The demo answers as a Gateway would:');
  for (const command of commands) await shell(command);
  await shell('kubectl apply -k .');
  await watched(
    theatre,
    'the Gateway',
    ({ release }) => conditionIs(release()?.status?.conditions, 'TrafficRouted', 'True'),
    () => 'The Gateway has accepted the route: each pool has its share',
  );
  await shell(`kubectl get httproutes -n ${script.namespace}`);
  const percents = new Set<string>();
  world.onChange(() => {
    for (const { traffic } of world.release()?.status?.pools ?? [])
      if (traffic?.exposure) percents.add(traffic.exposure.percent);
  });
  await wantVersion(theatre, FIFTH);
  await watched(
    theatre,
    `the steps of ${FIFTH} in the canary pool`,
    servicesSelect(FIFTH, CANARY),
    () => `The canary serves ${FIFTH}; its share went through ${[...percents].join(', ')}`,
  );
  if (!percents.has('20%') || !percents.has('50%')) throw new Error(`${FIFTH} took the steps ${[...percents].join()}`);
  screen.say('');
  await shell(APPROVE);
  await watched(theatre, `${FIFTH} in every pool`, released(FIFTH), () => `${FIFTH} is released`);
}

async function showVms({ script, screen, shell }: Theatre, pods: number, why: string): Promise<void> {
  const commands = script.vms(pods);
  if (commands.length > 0) note(screen, why);
  for (const command of commands) await shell(command);
}

/** Changes the version, like a commit in Git. */
async function wantVersion({ shell, script }: Theatre, version: string): Promise<void> {
  await shell(script.commit(version));
  await shell('kubectl apply -k .');
}

function released(version: string) {
  return (world: World) => isReleased(version)(world) && servicesSelect(version, ALL)(world);
}

function heldAt(served: string) {
  return (world: World) => rowsOf(world).every(({ held, version }) => held && version === served);
}

function wantedVersion(release: ReturnType<World['release']>): string | undefined {
  return release?.spec.version ?? release?.spec.template.spec.containers[0]?.image.split(':').at(-1);
}

function isComplete({ status }: ReleaseRollback): boolean {
  return conditionIs(status?.conditions, 'Complete', 'True');
}

/** Shows the table until the condition holds; returns the measured times. */
async function watched<T>(
  { screen, world }: Theatre,
  goal: string,
  condition: (world: World) => boolean,
  outcome: (measured: T) => string,
  measured?: Promise<T>,
): Promise<T> {
  screen.watch(goal, () => ({ rows: rowsOf(world), state: stateNow(world) }));
  await world.until(goal, condition);
  const result = (await measured) as T;
  screen.settle(outcome(result));
  return result;
}

/** With a bar for the share of a new version in the canary pool, once the release has a route. */
function stateNow({ release }: World): string {
  const [canary = ''] = CANARY;
  const bar = shareBar(release()?.status, canary);
  return `${bar === undefined ? '' : `${bar}  ·  `}${stateOf(release())}`;
}

type Times = Omit<Measured, 'what'>;

/**
 * Measures from now, right before the start of a command, and from the change that shows the object that the command
 * creates.
 */
function stopwatch(world: World, exists: (world: World) => boolean) {
  const started = performance.now();
  const created = awaitedLater(world.until('the object that the command creates', exists));
  const measure = async (what: string, condition: (world: World) => boolean): Promise<Times> => {
    const [at, since] = await Promise.all([world.until(what, condition), created]);
    return { sinceCommand: at - started, sinceObject: at - since };
  };
  return { until: (...awaited: Parameters<typeof measure>) => awaitedLater(measure(...awaited)) };
}

/** A promise that may fail before somebody awaits it, without ending the process. */
function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function headline(screen: Screen, act: number, text: string): void {
  screen.say('', screen.paint(['bold', 'inverse'], ` Act ${act} `) + screen.paint('bold', ` ${text}`), '');
}

function note(screen: Screen, text: string): void {
  screen.say('', `  ${screen.paint('italic', text)}`);
}

/** Time for a person to read. */
async function pause({ screen, signal }: Theatre, seconds: number): Promise<void> {
  if (screen.live) await delay(seconds * 1000, undefined, { signal });
}
