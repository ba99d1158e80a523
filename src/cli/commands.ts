/** The list of commands, in the order of the help. */
import type { CliCommand } from './command.ts';
import { complete } from './commands/complete.ts';
import { completion } from './commands/completion.ts';
import { get } from './commands/get.ts';
import { list } from './commands/list.ts';

export const COMMANDS: readonly CliCommand[] = [list, get, completion, complete];
