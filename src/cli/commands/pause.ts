/** kubectl apprelease pause and resume: stop the promotions of a release, and let them go on. */
import { USER_ANNOTATION } from '../../api/meta.ts';
import { APP_RELEASES } from '../../controller/kinds/api-kinds.ts';
import { mayGoOn } from '../act/ask.ts';
import type { ActOptions } from '../act/command.ts';
import { actCommand } from '../act/command.ts';
import { tellDone } from '../act/tell.ts';
import type { CliCommand, Right } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { readRelease, versionOf } from '../read/releases.ts';
import type { Session } from '../session.ts';
import { FIELD_MANAGER, withSession } from '../session.ts';

const RIGHTS: readonly Right[] = [{ verbs: ['get', 'patch'], resource: APP_RELEASES }];

export const pause: CliCommand = {
  rights: RIGHTS,
  create: ({ io, exit }) =>
    actCommand('pause', 'stop the promotions of a release; rollbacks go on', [
      ['With the reason, which the status shows', 'pause web -n shop --reason "incident 42"'],
    ])
      .argument('<name>', 'the release')
      .requiredOption('--reason <text>', 'why, for people: the annotation has it')
      .action(async (name, options) => {
        const { reason } = options;
        const code = await withSession(io, options, async (session) => {
          if (reason.trim() === '') throw new CliError('--reason must say why the release is paused');
          return annotate(session, name, reason, 'paused', options);
        });
        exit(code);
      }),
};

export const resume: CliCommand = {
  rights: RIGHTS,
  create: ({ io, exit }) =>
    actCommand('resume', 'let the promotions of a paused release go on', [['After an incident', 'resume web -n shop']])
      .argument('<name>', 'the release')
      .action(async (name, options) => {
        const code = await withSession(io, options, async (session) => {
          const release = await readRelease(session.client, session.namespace, name);
          const reason = release.metadata.annotations?.[USER_ANNOTATION.paused];
          if (release.spec.paused) throw new CliError(`release ${name} is paused by spec.paused: change the spec`);
          if (reason === undefined) throw new CliError(`release ${name} is not paused`);
          const question = `Release ${name} is paused (${reason}). Let version ${versionOf(release)} go on?`;
          if (!(await mayGoOn(io, question, options))) return EXIT.failed;
          return annotate(session, name, null, 'resumed', options);
        });
        exit(code);
      }),
};

async function annotate(
  { client, namespace, io }: Session,
  name: string,
  reason: string | null,
  what: string,
  options: ActOptions,
): Promise<ExitCode> {
  const body = { metadata: { annotations: { [USER_ANNOTATION.paused]: reason } } };
  const write = { fieldManager: FIELD_MANAGER, dryRun: options.dryRun === 'server' };
  const changed = await client.patch(APP_RELEASES, { namespace, name }, { type: 'merge', body }, write);
  tellDone(io, changed, what, options);
  return EXIT.ok;
}
