/** All commands, and how they are run. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { Command, CommanderError } from '@commander-js/extra-typings';
import { COMMANDS } from './commands.ts';
import type { Cli } from './command.ts';
import type { ExitCode } from './exit-codes.ts';
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';

/** Runs the command that `args` name. Never throws. */
export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const program = createProgram({ io, exit: (given) => (code = given) });
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and the version are errors of commander too, without a failure.
    return error.exitCode === 0 ? EXIT.ok : EXIT.failed;
  }
  return code;
}

export function createProgram(cli: Cli): CommandUnknownOpts {
  const program = new Command('kubectl apprelease')
    .description('Versioned rollouts on pools of VMs: see, promote and roll back releases.')
    .helpCommand('help [command]', 'help for a command')
    .showSuggestionAfterError()
    .showHelpAfterError('See kubectl apprelease --help.');
  for (const { create, isHidden = false } of COMMANDS) program.addCommand(create(cli), { hidden: isHidden });
  withOutput(program, cli.io);
  return program;
}

function withOutput(command: CommandUnknownOpts, io: Io): void {
  command.exitOverride().configureOutput({
    writeOut: io.out,
    writeErr: io.err,
    getOutHelpWidth: () => io.size().columns,
    getErrHelpWidth: () => io.size().columns,
  });
  for (const child of command.commands) withOutput(child, io);
}
