/** kubectl apprelease status: waits until a version serves, and says by the exit code how it ended. */
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { APP_RELEASES } from '../../controller/kinds/api-kinds.ts';
import type { CliCommand } from '../command.ts';
import { clusterCommand, parseSeconds } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import type { Paint, Tone } from '../print/paint.ts';
import { paintFor } from '../print/paint.ts';
import { readRelease } from '../read/releases.ts';
import type { Goal, Verdict } from '../read/verdict.ts';
import { questionOf } from '../read/verdict.ts';
import { waitForVerdict } from '../read/wait.ts';
import { withSession } from '../session.ts';

const DEFAULT_TIMEOUT_S = 600;

const EXIT_CODES = `
Exit codes:
  0  the version serves
  1  the version failed or was taken back, another one is wanted, the release was deleted, or the command failed
  2  the time is over
  3  the release waits for a person: an approval, a pause, a rollback that holds, a stage without replicas
`;

export const status: CliCommand = {
  rights: [
    { verbs: ['get'], resource: APP_RELEASES },
    { verbs: ['list', 'watch'], resource: APP_RELEASES, without: 'changes within 2 s: the release is read every 2 s' },
  ],
  create: ({ io, exit }) =>
    clusterCommand('status', 'wait until a version serves; the exit code says how it ended', [
      ['Wait until the wanted version serves in every pool', 'status web -n shop'],
      ['The same for version 1.1, which the spec may not want yet', 'status web -n shop --version 1.1 --timeout 30m'],
      ['Wait until it serves in a stage', 'status web -n shop --for stage/canary'],
      ['Look once', 'status web -n shop --timeout 0'],
    ])
      .addHelpText('after', EXIT_CODES)
      .argument('<name>', 'the release')
      .addOption(
        new Option('--for <goal>', 'stage/<stage> or pool/<pool>; default: every pool of the release').argParser(
          parseGoal,
        ),
      )
      .addOption(
        new Option('--timeout <duration>', 'how long to wait, such as 30s, 5m or 1h; 0: look once')
          .argParser(parseSeconds)
          .default(DEFAULT_TIMEOUT_S, '10m'),
      )
      .addOption(new Option('--version <version>', 'the version to wait for; default: the one that the spec wants now'))
      .addOption(
        new Option('--generation <generation>', 'the metadata.generation of the AppRelease to wait for')
          .argParser(parseGeneration)
          .conflicts('version'),
      )
      .action(async (name, options) => {
        const { for: goal = { kind: 'Release' }, timeout, version, generation } = options;
        const code = await withSession(io, options, async (session) => {
          const release = await readRelease(session.client, session.namespace, name);
          const verdict = await waitForVerdict(session, {
            name,
            release,
            question: questionOf(release, goal, { version, generation }),
            timeoutMs: timeout * 1000,
            onProgress: (text) => {
              io.out(`${text}\n`);
            },
          });
          return io.interrupted.aborted ? EXIT.interrupted : tell(io, name, verdict, timeout);
        });
        exit(code);
      }),
};

const CODES: Readonly<Record<Verdict['kind'], ExitCode>> = {
  Reached: EXIT.ok,
  Failed: EXIT.failed,
  Waits: EXIT.timedOut,
  WaitsForPerson: EXIT.waitsForPerson,
};

const TONES: Readonly<Record<Verdict['kind'], Tone>> = {
  Reached: 'good',
  Failed: 'bad',
  Waits: 'waits',
  WaitsForPerson: 'waits',
};

function tell(io: Io, name: string, verdict: Verdict, timeoutS: number): ExitCode {
  const text = `${verdictText(name, verdict, timeoutS, paintFor(io.isColoured))}\n`;
  if (verdict.kind === 'Reached') io.out(text);
  else io.err(text);
  return CODES[verdict.kind];
}

/** The last line. */
function verdictText(name: string, { kind, reason, message }: Verdict, timeoutS: number, paint: Paint): string {
  const state = reason === undefined ? message : `${paint(TONES[kind], reason)}: ${message}`;
  const more = reason === undefined ? '' : `; see kubectl apprelease explain ${reason}`;
  switch (kind) {
    case 'Reached':
      return `release ${name}: ${paint('good', message)}`;
    case 'Failed':
      return `error: release ${name}: ${state}${more}`;
    case 'WaitsForPerson':
      return `error: release ${name} waits for a person: ${state}${more}`;
    case 'Waits':
      return `error: release ${name} ${timeoutS === 0 ? 'is not there yet' : `is not there after ${timeoutS} s`}: ${state}`;
  }
}

function parseGoal(text: string): Goal {
  const [, kind, name] = /^(stage|pool)\/(.+)$/.exec(text) ?? [];
  if (kind === undefined || name === undefined) throw new InvalidArgumentError('It must be stage/NAME or pool/NAME.');
  return { kind: kind === 'stage' ? 'Stage' : 'Pool', name };
}

function parseGeneration(text: string): number {
  const generation = Number(text);
  if (!Number.isSafeInteger(generation) || generation < 1)
    throw new InvalidArgumentError('It must be a whole number from 1.');
  return generation;
}
