import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Progress of a long step, on standard error. */
export interface Progress {
  /** Shows the current action, only on a terminal. */
  readonly note: (line: string) => void;
  readonly end: (outcome: string) => void;
}

/** One line that counts the seconds on a terminal; a line at the start and one at the end elsewhere. */
export function startProgress(title: string): Progress {
  const started = Date.now();
  const out = process.stderr;
  const seconds = () => Math.round((Date.now() - started) / 1000);
  if (!out.isTTY) {
    out.write(`${title} …\n`);
    return {
      note: () => undefined,
      end: (outcome) => {
        out.write(`${title}: ${outcome} after ${seconds()} s\n`);
      },
    };
  }
  let latest = '';
  const show = (text: string) => {
    out.clearLine(0);
    out.cursorTo(0);
    out.write(text.slice(0, out.columns - 1));
  };
  const timer = setInterval(() => {
    show(`${title}: ${seconds()} s ${latest}`);
  }, 1000);
  return {
    note: (line) => {
      latest = line;
    },
    end: (outcome) => {
      clearInterval(timer);
      show(`${title}: ${outcome} after ${seconds()} s`);
      out.write('\n');
    },
  };
}

/** Waits for the child's event; an executable that cannot be run is an error that says so. */
export async function onceOrRethrow(child: ChildProcess, event: 'close' | 'exit', problem: string): Promise<unknown[]> {
  try {
    return (await once(child, event)) as unknown[];
  } catch (cause) {
    throw new Error(problem, { cause });
  }
}
