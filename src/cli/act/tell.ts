/** Tells what a command did, in the words of kubectl. */
import type { KubeObject } from '../../kube/types.ts';
import type { Io } from '../io.ts';
import { humanDuration } from '../print/age.ts';
import { printObject } from '../print/output.ts';
import type { ActOptions } from './command.ts';

/** Where texts go: with --output, standard output has the object alone. */
export function tellTo(io: Pick<Io, 'out' | 'err'>, { output }: Pick<ActOptions, 'output'>): Io['out'] {
  return output === undefined ? io.out : io.err;
}

/** releaserollback.apprelease.dev/web-x */
export function objectName(object: KubeObject): string {
  return printObject('name', object).trimEnd();
}

/** releaserollback.apprelease.dev/web-x created (server dry run) */
export function doneText(object: KubeObject, what: string, { dryRun }: Pick<ActOptions, 'dryRun'>): string {
  return `${objectName(object)} ${what}${dryRun === 'server' ? ' (server dry run)' : ''}\n`;
}

/** Prints the object, or what was done with it. */
export function tellDone(io: Pick<Io, 'out'>, object: KubeObject, what: string, options: ActOptions): void {
  const { output } = options;
  io.out(output === undefined ? doneText(object, what, options) : printObject(output, object));
}

/** The time between two times of the API, such as 0.4s; undefined if one of them is missing. */
export function timeBetween(from: string | undefined, to: string | undefined): string | undefined {
  const ms = Date.parse(to ?? '') - Date.parse(from ?? '');
  if (Number.isNaN(ms)) return undefined;
  return ms < 60_000 ? `${(Math.max(0, ms) / 1000).toFixed(1)}s` : humanDuration(ms);
}
