/** kubectl apprelease completion install: has kubectl complete the plugin's words. */
import { access, chmod, constants, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { CliCommand } from '../command.ts';
import { plainCommand } from '../command.ts';
import { describeError } from '../errors.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { COMPLETE } from './complete.ts';

/** kubectl calls the program of this name for the words of the plugin apprelease. */
const PROGRAM = 'kubectl_complete-apprelease';
const SCRIPT = `#!/bin/sh
exec kubectl apprelease ${COMPLETE} "$@"
`;

export const completion: CliCommand = {
  rights: [],
  create: ({ io, exit }) =>
    plainCommand('completion', 'have kubectl complete names, versions, pools and stages', [
      ['Beside the plugin, which has to be on PATH', 'completion install'],
      ['In a folder of PATH', 'completion install --dir ~/bin'],
    ]).addCommand(
      plainCommand('install', `write ${PROGRAM}, which the completion of kubectl calls`, [])
        .option('--dir <file>', 'the folder; default: that of the plugin')
        .action(async ({ dir }) => {
          try {
            const file = join(dir ?? (await folderOfPlugin(io)), PROGRAM);
            await writeFile(file, SCRIPT);
            await chmod(file, 0o755);
            io.out(`${file} written. The completion of kubectl itself has to be on: see kubectl completion --help.\n`);
            exit(EXIT.ok);
          } catch (error) {
            io.err(`${describeError(toCliError(error))}\n`);
            exit(EXIT.failed);
          }
        }),
    ),
};

async function folderOfPlugin({ env }: Io): Promise<string> {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    const isThere = await access(join(folder, 'kubectl-apprelease'), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return folder;
  }
  throw new CliError('kubectl-apprelease is in no folder of PATH: name a folder of PATH by --dir');
}

function toCliError(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? new CliError(`cannot write ${PROGRAM}: ${error.message}`) : error;
}
