// `make demo`: promotion and rollback on a real control plane, or on the cluster of the current kubectl context. Exits with 0
// if every step succeeded, and leaves nothing behind.
import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Running } from '../cluster/processes.ts';
import { BROKEN, play, VERSIONS, type Measured } from './acts.ts';
import { setTheStageOnCurrent } from './current.ts';
import { createScreen } from './screen.ts';
import { setTheStage, type DemoStage } from './setup.ts';
import { createShell } from './shell.ts';
import { watchWorld } from './world.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const { values } = parseArgs({
  options: {
    cluster: { type: 'string' },
    image: { type: 'string', default: 'nginx:stable-alpine' },
    port: { type: 'string', default: '80' },
  },
});
const isCurrent = values.cluster === 'current';
if ((values.cluster !== undefined && !isCurrent) || !(Number(values.port) > 0 && Number(values.port) < 65_536)) {
  console.error('usage: make demo [CLUSTER=current [IMAGE=NAME] [PORT=NUMBER]]');
  process.exit(2);
}

const started = performance.now();
const screen = createScreen(process.stdout, VERSIONS);
const ending = new AsyncDisposableStack();
const interruption = new AbortController();
const interrupted = new Promise<number>((resolve) => {
  for (const name of SIGNALS) {
    process.once(name, () => {
      resolve(128 + constants.signals[name]);
    });
  }
  // The reader has ended: `make demo | head`.
  process.stdout.on('error', () => {
    resolve(128 + constants.signals.SIGPIPE);
  });
});

async function demo(): Promise<number> {
  const { signal } = interruption;
  let operator: Running | undefined;
  introduce();
  try {
    const stage = await prepare(signal);
    const { script, patienceSeconds } = stage;
    operator = stage.operator;
    const world = await watchWorld(stage.kubeconfigPath, {
      namespace: script.namespace,
      name: 'web',
      signal,
      patienceSeconds,
    });
    ending.defer(() => world.stop());
    world.onChange(() => {
      screen.changed();
    });
    const shell = createShell(stage, screen);
    const acts = play({ script, screen, shell, world, signal });
    report(await (operator === undefined ? acts : Promise.race([acts, endOf(operator)])));
    return 0;
  } catch (error) {
    if (signal.aborted) return 1;
    // Ctrl-C also ends a running kubectl, whose end may be seen first.
    if (isEndedBySignal(error)) return await Promise.race([interrupted, delay(1_000, 1)]);
    screen.close();
    console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
    if (operator !== undefined) console.error(await logTail(operator));
    return 1;
  }
}

function isEndedBySignal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { signal, cause } = error as Error & { signal?: string | null };
  return (SIGNALS as readonly string[]).includes(signal ?? '') || isEndedBySignal(cause);
}

function prepare(signal: AbortSignal): Promise<DemoStage> {
  if (!isCurrent) return setTheStage(VERSIONS, ending);
  const app = { image: values.image, port: Number(values.port) };
  return setTheStageOnCurrent({ app, versions: VERSIONS, broken: BROKEN, signal }, ending);
}

function introduce(): void {
  const { paint } = screen;
  const setting = isCurrent
    ? [
        '  On the cluster of the current kubectl context, in a namespace of its own, which is removed when the',
        `  demo ends. The versions are settings of one image, ${values.image}, with at most four pods`,
        '  for each running version.',
      ]
    : [
        '  Real: etcd, the Kubernetes control plane, an OCI registry, kubectl; the operator,',
        '  as a local process, with the rights of its service account.',
        '  Simulated by KWOK: the VMs, whose pods become ready but run nothing.',
      ];
  screen.say(
    '',
    paint('bold', '  AppRelease: versions of an app on pools of VMs, stage by stage, with instant rollback'),
    '',
    ...setting,
    '',
  );
}

/** Rejects when the process ends, which is an error. */
function endOf(running: Running): Promise<never> {
  return new Promise((_resolve, reject) => {
    const timer = setInterval(() => {
      if (!running.ended()) return;
      clearInterval(timer);
      reject(new Error(`${running.name} ended`));
    }, 500);
    timer.unref();
  });
}

function report(measured: readonly Measured[]): void {
  const { paint } = screen;
  const head = { what: 'MEASURED', command: 'SINCE KUBECTL', object: 'SINCE OBJECT' };
  const rows = measured.map(({ what, sinceCommand, sinceObject }) => ({
    what,
    command: milliseconds(sinceCommand),
    object: milliseconds(sinceObject),
  }));
  const width = Math.max(...[head, ...rows].map(({ what }) => what.length));
  const [first = '', ...lines] = [head, ...rows].map(
    ({ what, command, object }) => `  ${what.padEnd(width)}  ${command.padStart(13)}  ${object.padStart(12)}`,
  );
  screen.say('', paint('dim', first), ...lines.map((line) => paint('bold', line)), '');
  screen.say(
    '  Measured by watches of the API server, since the start of kubectl and since the creation of the object.',
  );
  screen.say('', `  ${paint('green', '✓')} Done after ${Math.round((performance.now() - started) / 1000)} s.`);
}

function milliseconds(time: number): string {
  return time < 1000 ? `${Math.round(time)} ms` : `${(time / 1000).toFixed(1)} s`;
}

async function logTail({ name, logFile }: Running): Promise<string> {
  const log = await readFile(logFile, 'utf8');
  return `\nThe end of the log of ${name}:\n${log.trimEnd().split('\n').slice(-15).join('\n')}`;
}

const status = await Promise.race([demo(), interrupted]);
interruption.abort();
screen.close();
const leftover = await ending.disposeAsync().then(
  () => undefined,
  (error: unknown) => error,
);
if (leftover !== undefined) console.error(leftover instanceof Error ? leftover.message : leftover);
process.exit(leftover === undefined ? status : 1);
