/** The terminal, the environment and the clock of a command, so that a test can provide its own. */
import { createInterface } from 'node:readline/promises';
import type { ReadStream, WriteStream } from 'node:tty';

export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes to standard output. */
  readonly out: (text: string) => void;
  /** Writes to standard error. */
  readonly err: (text: string) => void;
  /** Standard output is a terminal: colours, and a page that is drawn again. */
  readonly isTerminal: boolean;
  /** Standard input and error are terminals: a person can be asked. */
  readonly canAsk: boolean;
  readonly isColoured: boolean;
  /** Columns and rows of the terminal. */
  readonly size: () => { columns: number; rows: number };
  /** Asks on standard error. */
  readonly ask: (question: string) => Promise<string>;
  readonly stdin: () => Promise<string>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Aborted at Ctrl-C. */
  readonly interrupted: AbortSignal;
}

/** What a command uses of Node's process. */
export interface HostProcess {
  env: Record<string, string | undefined>;
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}

export function createIo({ env, stdin, stdout, stderr }: HostProcess, interrupted: AbortSignal): Io {
  // isTTY is undefined on a pipe, which the types of Node do not say.
  const [input, output, errors]: readonly Partial<ReadStream | WriteStream>[] = [stdin, stdout, stderr];
  const isTerminal = output?.isTTY === true;
  return {
    env,
    out: (text) => stdout.write(text),
    err: (text) => stderr.write(text),
    isTerminal,
    canAsk: input?.isTTY === true && errors?.isTTY === true,
    isColoured: isColoured(env, isTerminal),
    size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
    ask: async (question) => {
      const prompt = createInterface({ input: stdin, output: stderr });
      try {
        return await prompt.question(question, { signal: interrupted });
      } finally {
        prompt.close();
      }
    },
    stdin: async () => {
      const parts: Buffer[] = [];
      for await (const part of stdin) parts.push(part as Buffer);
      return Buffer.concat(parts).toString('utf8');
    },
    now: Date.now,
    interrupted,
  };
}

/** https://no-color.org and https://force-color.org */
function isColoured(env: HostProcess['env'], isTerminal: boolean): boolean {
  if (env['NO_COLOR']) return false;
  if (env['FORCE_COLOR'] !== undefined) return env['FORCE_COLOR'] !== '0';
  return isTerminal && env['TERM'] !== 'dumb';
}
