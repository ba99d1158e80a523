/** The parts of which all commands are made. */
import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import type { Resource, Verb } from '../kube/types.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';

/** What commands get of the program. */
export interface Cli {
  readonly io: Io;
  readonly exit: (code: ExitCode) => void;
}

/** A right that a command uses. docs/cli.md shows them. */
export interface Right {
  readonly verbs: readonly Verb[];
  readonly resource: Pick<Resource, 'apiVersion' | 'plural' | 'subresource' | 'namespaced'>;
  /** What the command leaves out without the right. Absent: it fails without. */
  readonly without?: string;
}

/** A command, and the rights that it uses of the cluster. */
export interface CliCommand {
  readonly create: (cli: Cli) => CommandUnknownOpts;
  readonly rights: readonly Right[];
  /** Not for people. */
  readonly isHidden?: true;
}

export type Example = readonly [what: string, command: string];

/** A command that works with a cluster, with the options of kubectl for that. */
export function clusterCommand(name: string, summary: string, examples: readonly Example[]) {
  return plainCommand(name, summary, examples)
    .option('-n, --namespace <namespace>', 'the namespace; default: that of the context')
    .option('--context <context>', 'the context of the kubeconfig')
    .option('--kubeconfig <file>', 'the kubeconfig; default: the files of KUBECONFIG, else ~/.kube/config')
    .addOption(new Option('--cluster <cluster>', 'the cluster of the kubeconfig'))
    .addOption(new Option('--user <user>', 'the user of the kubeconfig'))
    .option('--as <user>', 'act as this user')
    .addOption(new Option('--as-group <group...>', 'act as a member of this group'))
    .addOption(new Option('--as-uid <uid>', 'act with this UID'))
    .addOption(
      new Option('--request-timeout <duration>', 'how long one request may take, such as 30s').argParser(parseSeconds),
    );
}

export function plainCommand(name: string, summary: string, examples: readonly Example[]) {
  const shown = examples.map(([what, command]) => `  # ${what}\n  kubectl apprelease ${command}`).join('\n\n');
  return new Command(name)
    .summary(summary)
    .description(`${summary[0]?.toUpperCase() ?? ''}${summary.slice(1)}.`)
    .addHelpText('after', examples.length > 0 ? `\nExamples:\n${shown}\n` : '');
}

/** Seconds of 30, 30s, 5m or 1h. */
export function parseSeconds(text: string): number {
  const [, digits, unit = 's'] = /^(\d+)(s|m|h)?$/.exec(text) ?? [];
  const seconds = Number(digits) * { s: 1, m: 60, h: 3600 }[unit as 's' | 'm' | 'h'];
  if (!Number.isSafeInteger(seconds)) throw new InvalidArgumentError('It must be a duration such as 30s, 5m or 1h.');
  return seconds;
}
