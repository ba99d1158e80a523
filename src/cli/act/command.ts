/** The options that all commands have which change something. */
import { Option } from '@commander-js/extra-typings';
import type { Example } from '../command.ts';
import { clusterCommand, parseSeconds } from '../command.ts';
import type { Format } from '../print/output.ts';
import { FORMATS } from '../print/output.ts';

export interface ActOptions {
  readonly dryRun: 'none' | 'server';
  readonly yes?: boolean | undefined;
  readonly output?: Format | undefined;
}

export interface WaitOptions {
  readonly wait?: boolean | undefined;
  /** Seconds. */
  readonly timeout: number;
}

const DEFAULT_WAIT_S = 600;

export function actCommand(name: string, summary: string, examples: readonly Example[]) {
  return clusterCommand(name, summary, examples)
    .addOption(
      new Option('--dry-run <mode>', 'server: the API server checks the change, and stores nothing')
        .choices(['none', 'server'] as const)
        .default('none' as const),
    )
    .option('-y, --yes', 'do not ask')
    .addOption(new Option('-o, --output <format>', 'print the object').choices(FORMATS));
}

/** A command that creates a request to the operator, which it can follow. */
export function requestCommand(name: string, summary: string, examples: readonly Example[]) {
  return actCommand(name, summary, examples)
    .option('--reason <text>', 'why, for the record')
    .option('--wait', 'wait until it is done')
    .addOption(
      new Option('--timeout <duration>', 'how long to wait, such as 30s, 5m or 1h')
        .argParser(parseSeconds)
        .default(DEFAULT_WAIT_S, '10m'),
    );
}

/** For an option that may be given several times, with one value or with several that commas separate. */
export function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), ...text.split(',').filter((part) => part !== '')];
}
