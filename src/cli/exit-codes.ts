/** What a command returns to the shell. */
export const EXIT = {
  ok: 0,
  /** The command failed; for `status`: the version failed, or was taken back. */
  failed: 1,
  /** For `status` and --wait: the time is over. */
  timedOut: 2,
  /** For `status` and --wait: a person has to act. */
  waitsForPerson: 3,
  /** Ctrl-C, as shells count it: 128 + SIGINT. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An error that is told without a stack: the message names the way out. */
export class CliError extends Error {
  override readonly name = 'CliError';
}
