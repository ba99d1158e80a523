/** kubectl apprelease release and restart: have a release want another version, or new pods of the same one. */
import { APP_RELEASES } from '../../controller/kinds/api-kinds.ts';
import { mayGoOn } from '../act/ask.ts';
import { actCommand, collect } from '../act/command.ts';
import { tellDone, tellTo } from '../act/tell.ts';
import type { CliCommand, Right } from '../command.ts';
import { isInvalid } from '../../kube/errors.ts';
import type { Patch } from '../../kube/types.ts';
import type { ActOptions } from '../act/command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import type { LiveRelease } from '../read/releases.ts';
import { readRelease, versionOf } from '../read/releases.ts';
import { gitOpsManager, versionChange } from '../read/version-change.ts';
import type { Session } from '../session.ts';
import { FIELD_MANAGER, withSession } from '../session.ts';

const RIGHTS: readonly Right[] = [{ verbs: ['get', 'patch'], resource: APP_RELEASES }];

/** As kubectl rollout restart. */
const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';

export const release: CliCommand = {
  rights: RIGHTS,
  create: ({ io, exit }) =>
    actCommand('release', 'have a release want another version', [
      ['Version 1.1, with the images that have the tag of the version before', 'release web -n shop --version 1.1'],
      ['With its image by name', 'release web -n shop --version 1.1 --image web=registry.example.com/web:1.1'],
    ])
      .argument('<name>', 'the release')
      .requiredOption('--version <version>', 'the version')
      .option(
        '--image <image>',
        'container=reference; may be repeated; default: images with the tag of the version before get the new one',
        collect,
      )
      .action(async (name, options) => {
        const { version, image = [], ...rest } = options;
        const code = await withSession(io, options, async (session) => {
          const before = await readRelease(session.client, session.namespace, name);
          const { lines, operations } = versionChange(before, version, image);
          const patch: Patch = { type: 'json', operations: [...operations] };
          return change(
            session,
            before,
            { lines, patch, what: 'changed', question: `Release version ${version}?` },
            rest,
          );
        });
        exit(code);
      }),
};

export const restart: CliCommand = {
  rights: RIGHTS,
  create: ({ io, exit }) =>
    actCommand('restart', 'have a release start new pods of its version, stage by stage', [
      ['Read changed secrets again', 'restart web -n shop'],
    ])
      .argument('<name>', 'the release')
      .action(async (name, options) => {
        const code = await withSession(io, options, async (session) => {
          const before = await readRelease(session.client, session.namespace, name);
          const at = new Date(io.now()).toISOString();
          const body = { spec: { template: { metadata: { annotations: { [RESTARTED_AT]: at } } } } };
          const lines = [`a new revision of version ${versionOf(before)} enters its stages by their gates`];
          const question = `Restart release ${name}?`;
          return change(
            session,
            before,
            { lines, patch: { type: 'merge', body }, what: 'restarted', question },
            options,
          );
        });
        exit(code);
      }),
};

interface Change {
  readonly lines: readonly string[];
  readonly patch: Patch;
  readonly what: string;
  readonly question: string;
}

async function change(
  session: Session,
  before: LiveRelease,
  { lines, patch, what, question }: Change,
  options: ActOptions,
): Promise<ExitCode> {
  const { client, namespace, io } = session;
  const { name } = before.metadata;
  for (const line of lines) tellTo(io, options)(`${line}\n`);
  const manager = gitOpsManager(before);
  if (manager !== undefined)
    io.err(`warning: ${manager} owns the spec of release ${name}, and may undo this: change it in Git\n`);
  if (!(await mayGoOn(io, question, options))) return EXIT.failed;
  const write = { fieldManager: FIELD_MANAGER, dryRun: options.dryRun === 'server' };
  try {
    tellDone(io, await client.patch(APP_RELEASES, { namespace, name }, patch, write), what, options);
    return EXIT.ok;
  } catch (error) {
    if (isInvalid(error) && patch.type === 'json' && /testing .* failed|test failed/i.test(error.message))
      throw new CliError(`release ${name} was changed meanwhile: look at it, and try again`);
    throw error;
  }
}
