/** Asks a person before something that hurts. */
import type { Io } from '../io.ts';
import type { ActOptions } from './command.ts';

/** Without a terminal, with --yes and in a dry run nobody is asked, as by kubectl. */
export async function mayGoOn(
  io: Pick<Io, 'canAsk' | 'ask' | 'err'>,
  question: string,
  { yes = false, dryRun }: Pick<ActOptions, 'yes' | 'dryRun'>,
): Promise<boolean> {
  if (yes || dryRun === 'server' || !io.canAsk) return true;
  const answer = await io.ask(`${question} [y/N] `);
  if (/^y(es)?$/i.test(answer.trim())) return true;
  io.err('Nothing was changed.\n');
  return false;
}
