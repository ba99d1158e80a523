// Pages of docs/: their commands, run as a reader would type them, and the links between them.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const root = join(import.meta.dirname, '../..');

/** Commands without output, because simulated nodes run no containers. */
const NEEDS_CONTAINERS = /^(helm test|kubectl logs) /;

export function readPage(name: string): Promise<string> {
  return readFile(join(root, 'docs', name), 'utf8');
}

/** The commands below a heading, down to the next heading of its level or a higher one; without a heading, all commands. */
export function commandsOf(page: string, heading?: string): string[] {
  const text = heading === undefined ? page : sectionOf(page, heading);
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, command = '']) => command);
}

function sectionOf(page: string, heading: string): string {
  const start = new RegExp(`^(#+) ${heading}\n`, 'm').exec(page);
  if (!start) throw new Error(`there is no heading ${heading}`);
  const rest = page.slice(start.index + start[0].length);
  const end = new RegExp(`^#{1,${start[1]?.length ?? 1}} `, 'm').exec(rest);
  return rest.slice(0, end?.index);
}

export type Run = (script: string) => Promise<string>;

/** Runs scripts in a folder; the tools' folders come first on the PATH. */
export function createRun(cwd: string, tools: readonly string[], env: Readonly<Record<string, string>>): Run {
  const path = [...tools, process.env['PATH'] ?? ''].join(':');
  return async (script) => {
    const lines = script.split('\n').filter((line) => !NEEDS_CONTAINERS.test(line));
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', lines.join('\n')], {
      cwd,
      env: { ...process.env, ...env, PATH: path },
      timeout: 300_000,
    });
    return stdout;
  };
}
